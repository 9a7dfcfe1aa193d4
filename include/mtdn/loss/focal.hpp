#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/loss/loss.hpp>

namespace mtdn {

/// Focal loss of one task, averaged over the pixels that count; with γ = 0 the weighted cross-entropy.
///
/// @source Lin et al. 2017, Eq. 5; paper §2.3, Eq. 1
template <Backend B>
class FocalLoss {
public:
    /// @param class_weights one α for each class, or empty for all 1
    /// @throws OptionError if γ or the smoothing is out of range
    [[gnu::cold]]
    explicit FocalLoss(B& backend, const FocalOptions& options = {}, std::span<const double> class_weights = {})
        : options_(options) {
        require<OptionError>(options.gamma >= 0, "FocalLoss: gamma must not be negative, got ", options.gamma);
        require<OptionError>(options.smoothing >= 0 && options.smoothing < 0.5,
                             "FocalLoss: smoothing must be in [0, 0.5), got ", options.smoothing);
        if (class_weights.empty()) return;
        weights_ = Tensor<B>(backend, vector_shape(static_cast<Index>(class_weights.size())));
        const std::vector<typename B::Scalar> values(class_weights.begin(), class_weights.end());
        upload(std::span<const typename B::Scalar>(values), weights_);
    }

    /// @throws ShapeError if labels or class weights do not fit the logits; DataError if a label is out of range
    [[gnu::cold]] Variable<B> operator()(const Variable<B>& logits, const Tensor<B, std::uint8_t>& labels) const {
        detail::require_labels_fit("FocalLoss", logits, labels);
        require<ShapeError>(weights_.empty() || weights_.shape().channels == logits.shape().channels, "FocalLoss: ",
                            weights_.shape().channels, " class weights for ", logits.shape().channels, " classes");
        B& backend = logits.backend();
        Tensor<B> loss(backend, vector_shape(1)), divisor(backend, vector_shape(1));
        backend.focal_loss(value_of(logits), labels, weights_, options_, loss, divisor);
        if (logits.tape() && logits.tape()->shared()) join(logits.tape()->ranks(), labels, loss, divisor);
        return record_result<B>(logits.tape(), logits.needs_gradient(), std::move(loss),
                                [logits, labels, weights = weights_, options = options_, divisor](
                                    Tape<B>& tape, const Tensor<B>& dloss) {
                                    if constexpr (joins_losses<B>)
                                        if (logits.is_plain()) {
                                            const auto& whole = logits.parts().front();
                                            return tape.add_waiting(
                                                whole.place,
                                                WaitingLoss<B>{whole.tensor, labels, weights, options, divisor, dloss});
                                        }
                                    Tensor<B> dlogits(tape.backend(), logits.shape());
                                    tape.backend().focal_loss_backward(value_of(logits), labels, weights, options,
                                                                       divisor, dloss, dlogits);
                                    add_gradient(tape, logits, dlogits);
                                });
    }

private:
    // Makes the loss, and what it is divided by, those over the pixels of all ranks.
    void join(const AnyCommunicator& ranks, const Tensor<B, std::uint8_t>& labels, const Tensor<B>& loss,
              const Tensor<B>& divisor) const {
        const double own = number_in(divisor);
        double sums[] = {own * number_in(loss), own};
        if (own == 1) {  // of one pixel, or of none
            const auto codes = download(labels);
            sums[1] = std::all_of(codes.begin(), codes.end(), [](auto code) { return code == ignore_label; }) ? 0 : 1;
        }
        ranks.all_reduce(sums);
        const double all = options_.reduction == Reduction::none || sums[1] == 0 ? 1 : sums[1];
        loss.backend().fill(loss, sums[0] / all);
        loss.backend().fill(divisor, all);
    }

    FocalOptions options_;
    Tensor<B> weights_;
};

/// Cross-entropy, weighted by class if weights are given.
template <Backend B>
FocalLoss<B> cross_entropy(B& backend, std::span<const double> class_weights = {},
                           Reduction reduction = Reduction::pixels) {
    return FocalLoss<B>(backend, {.gamma = 0, .reduction = reduction}, class_weights);
}

}  // namespace mtdn
