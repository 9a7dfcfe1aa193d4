#pragma once

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// Gradients of logits that wait for a focal loss's way back: what `focal_loss_backward` gives of these. Owns no
/// values.
template <class B>
struct PendingLoss {
    View<B, const typename B::Scalar> logits{};
    View<B, const std::uint8_t> labels{};
    View<B, const typename B::Scalar> weights{};
    FocalOptions options{};
    View<B, const typename B::Scalar> divisor{}, dloss{};
};

/// A backend that goes back through a focal loss and the convolution before it, 1×1 to the logits, at once. Used where
/// it is there; without it `focal_loss_backward` and the convolution's two ways back do the same one after the other.
///
/// `joins_loss(w, window)`: whether it does so for a convolution of these weights.
/// `convolve_backward_with_loss(x, loss, w, dx, dw, dbias)`: overwrites dx, *adds to* dw and dbias; dx and dbias may be
///   empty.
template <class B>
concept joins_losses = Backend<B> && requires(B& b, const PendingLoss<B>& loss, const Operand<B>& operand,
                                              detail::In<B> x, detail::Out<B> y, const Window& window) {
    { b.joins_loss(x, window) } -> std::same_as<bool>;
    { b.convolve_backward_with_loss(operand, loss, x, y, y, y) } -> std::same_as<void>;
};

}  // namespace mtdn
