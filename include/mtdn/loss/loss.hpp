#pragma once

#include <functional>
#include <span>
#include <utility>

#include <mtdn/autograd/variable.hpp>

namespace mtdn {

namespace detail {
template <class L, class B>
concept maps_logits_and_labels_to_a_number = requires(const L& loss, const Variable<B>& logits,
                                                      const Tensor<B, std::uint8_t>& labels) {
    { loss(logits, labels) } -> std::same_as<Variable<B>>;
};
}  // namespace detail

/// What a training step makes small: `loss(logits, labels)` is one number on the logits' tape.
///
/// Where the tape is shared by ranks, it is that number over all ranks' pixels, as sums by `tape.ranks()` make it, and
/// its gradient goes to this rank's logits.
///
/// @shape logits (N, H, W, C), labels (N, H, W, 1) in [0, C) or `ignore_label` → (1, 1, 1, 1)
template <class L, class B>
concept Loss = Backend<B> && detail::maps_logits_and_labels_to_a_number<L, B>;

/// A loss that is chosen at run time.
template <Backend B>
class AnyLoss {
public:
    template <class L>
        requires(!std::same_as<L, AnyLoss>) && Loss<L, B>
    AnyLoss(L loss) : loss_(std::move(loss)) {}

    Variable<B> operator()(const Variable<B>& logits, const Tensor<B, std::uint8_t>& labels) const {
        return loss_(logits, labels);
    }

private:
    std::function<Variable<B>(const Variable<B>&, const Tensor<B, std::uint8_t>&)> loss_;
};

/// Makes the loss of one task from its class weights (none, where weights are switched off), for a trainer that is to
/// use another than those that have names.
template <Backend B>
using LossFactory = std::function<AnyLoss<B>(B& backend, std::span<const double> class_weights)>;

namespace detail {
template <Backend B>
void require_labels_fit(const char* function, const Variable<B>& logits, const Tensor<B, std::uint8_t>& labels) {
    require<ShapeError>(logits.shape().with_channels(1) == labels.shape(), function, ": logits ", logits.shape(),
                        " need labels ", logits.shape().with_channels(1), ", got ", labels.shape());
}
}  // namespace detail

}  // namespace mtdn
