#pragma once

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/backend/queued.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/loss/loss.hpp>

namespace mtdn {

/// 1 − Tversky index of the softmax, per class over the whole batch, averaged over the classes present in it.
///
/// Per class the index is (2 TP + s) / (2 TP + 2a FP + 2b FN + s), TP = Σ p·y, FP = Σ p − TP, FN = Σ y − TP; with
/// a = b = ½ that is Dice, (2 Σ p·y + s) / (Σ p + Σ y + s).
///
/// @source Salehi et al. 2017; Milletari et al. 2016
template <Backend B>
class TverskyLoss {
public:
    /// @throws OptionError if a weight or the smoothing is negative
    explicit TverskyLoss(const TverskyOptions& options = {}) : options_(options) {
        require<OptionError>(options.false_positives >= 0 && options.false_negatives >= 0 && options.smoothing >= 0,
                             "TverskyLoss: weights and smoothing must not be negative");
    }

    /// @throws ShapeError if the labels do not fit the logits; DataError if a label is out of range
    [[gnu::cold]] Variable<B> operator()(const Variable<B>& logits, const Tensor<B, std::uint8_t>& labels) const {
        detail::require_labels_fit("TverskyLoss", logits, labels);
        B& backend = logits.backend();
        const Index classes = logits.shape().channels;
        const Tensor<B> sums(backend, {3, 1, 1, classes}), gradients(backend, {2, 1, 1, classes});
        Tensor<B> loss(backend, vector_shape(1));
        backend.overlap_sums(value_of(logits), labels, sums);
        if (logits.tape() && logits.tape()->shared()) {
            auto values = download(sums);
            logits.tape()->ranks().all_reduce(std::span(values));
            upload(std::span<const typename B::Scalar>(values), sums);
        }
        if constexpr (divides_overlaps<B>) backend.overlap_loss(sums, options_, loss, gradients);
        else divide(sums, loss, gradients);
        return record_result<B>(logits.tape(), logits.needs_gradient(), std::move(loss),
                                [logits, labels, gradients](Tape<B>& tape, const Tensor<B>& dloss) {
                                    const auto values = value_of(logits);
                                    const Tensor<B> dlogits(tape.backend(), logits.shape());
                                    if constexpr (divides_overlaps<B>) {
                                        tape.backend().overlap_backward(values, labels, gradients, dloss, dlogits);
                                    } else {
                                        const Tensor<B> scaled(tape.backend(), gradients.shape());
                                        tape.backend().combine(number_in(dloss), gradients, 0, gradients, scaled);
                                        tape.backend().overlap_backward(values, labels, scaled, dlogits);
                                    }
                                    add_gradient(tape, logits, dlogits);
                                });
    }

private:
    // The loss of the sums, and its gradients by the first two of them.
    void divide(const Tensor<B>& sums, const Tensor<B>& loss, const Tensor<B>& gradients) const {
        using Scalar = typename B::Scalar;
        const auto count = static_cast<std::size_t>(sums.shape().channels);
        InlineVector<Scalar, 32> s(3 * count), by_sums(2 * count);
        sums.backend().download(sums, std::span<Scalar>(s));
        double total = 0;
        Index present = 0;
        for (std::size_t c = 0; c < count; ++c)
            if (s[2 * count + c] > 0) ++present;
        for (std::size_t c = 0; c < count; ++c) {
            if (!(s[2 * count + c] > 0)) continue;
            const double overlap = s[c], predicted = s[count + c], labelled = s[2 * count + c];
            const double a = 2 * options_.false_positives, b = 2 * options_.false_negatives;
            const double above = 2 * overlap + options_.smoothing;
            const double below = (2 - a - b) * overlap + a * predicted + b * labelled + options_.smoothing;
            total += (1 - above / below) / static_cast<double>(present);
            const double factor = -1 / (below * below * static_cast<double>(present));
            by_sums[c] = static_cast<Scalar>(factor * (2 * below - (2 - a - b) * above));
            by_sums[count + c] = static_cast<Scalar>(factor * (-a * above));
        }
        loss.backend().fill(loss, total);
        upload(std::span<const Scalar>(by_sums), gradients);
    }

    TverskyOptions options_;
};

}  // namespace mtdn
