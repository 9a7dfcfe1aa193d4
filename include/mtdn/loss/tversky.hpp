#pragma once

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/loss/loss.hpp>

namespace mtdn {

/// Options of the Tversky loss; the defaults are the Dice loss.
struct TverskyOptions {
    double false_positives = 0.5;  ///< weight of what is predicted and not there
    double false_negatives = 0.5;  ///< weight of what is there and not predicted
    double smoothing = 1;          ///< added to twice the overlap and to the sum it is divided by
};

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
        using Scalar = typename B::Scalar;
        B& backend = logits.backend();
        const Index classes = logits.shape().channels;
        Tensor<B> sums(backend, {3, 1, 1, classes});
        backend.overlap_sums(value_of(logits), labels, sums);

        const auto count = static_cast<std::size_t>(classes);
        InlineVector<Scalar, 32> s(3 * count), slopes(2 * count);
        backend.download(sums, std::span<Scalar>(s));
        if (logits.tape() && logits.tape()->shared())
            logits.tape()->ranks().all_reduce(std::span<Scalar>(s.data(), s.size()));
        double loss = 0;
        Index present = 0;
        for (std::size_t c = 0; c < count; ++c)
            if (s[2 * count + c] > 0) ++present;
        for (std::size_t c = 0; c < count; ++c) {
            if (!(s[2 * count + c] > 0)) continue;
            const double overlap = s[c], predicted = s[count + c], labelled = s[2 * count + c];
            const double a = 2 * options_.false_positives, b = 2 * options_.false_negatives;
            const double above = 2 * overlap + options_.smoothing;
            const double below = (2 - a - b) * overlap + a * predicted + b * labelled + options_.smoothing;
            loss += (1 - above / below) / static_cast<double>(present);
            const double factor = -1 / (below * below * static_cast<double>(present));
            slopes[c] = static_cast<Scalar>(factor * (2 * below - (2 - a - b) * above));
            slopes[count + c] = static_cast<Scalar>(factor * (-a * above));
        }
        Tensor<B> result(backend, vector_shape(1)), by_sums(backend, {2, 1, 1, classes});
        backend.fill(result, loss);
        upload(std::span<const Scalar>(slopes), by_sums);
        return record_result<B>(logits.tape(), logits.needs_gradient(), std::move(result),
                                [logits, labels, by_sums](Tape<B>& tape, const Tensor<B>& dloss) {
                                    Tensor<B> scaled(tape.backend(), by_sums.shape());
                                    const double factor = number_in(dloss);
                                    tape.backend().combine(factor, by_sums, 0, by_sums, scaled);
                                    Tensor<B> dlogits(tape.backend(), logits.shape());
                                    tape.backend().overlap_backward(value_of(logits), labels, scaled, dlogits);
                                    add_gradient(tape, logits, dlogits);
                                });
    }

private:
    TverskyOptions options_;
};

}  // namespace mtdn
