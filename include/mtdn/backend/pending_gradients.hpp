#pragma once

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// Gradients that wait for a batch norm's way back. The reader takes for them
///
///   scale · dy · activation'(scale · x + shift) + factor · x + offset
///
/// Owns no values.
///
/// @shape dy, x (N, H, W, C); scale, shift, factor, offset (g, 1, 1, C), one row for each of g equal runs of frames
template <class B>
struct PendingGradients {
    View<B, const typename B::Scalar> dy{}, x{};
    View<B, const typename B::Scalar> scale{}, shift{}, factor{}, offset{};
    Activation activation = Activation::identity;
};

/// What a batch norm's way back sums over the pixels of each group and channel: with dy, the gradients of its result,
/// dz = dy · activation'(scale · x + shift), and dz · (x − mean). Whoever computes dy can take the sums on the way.
/// Empty where nobody wants them. Owns no values.
///
/// @shape x (N, H, W, C); mean, scale, shift (g, 1, 1, C), one row for each of g equal runs of frames;
///        sums (2g, 1, 1, C), those of dz first
template <class B>
struct GradientSums {
    View<B, const typename B::Scalar> x{}, mean{}, scale{}, shift{};
    Activation activation = Activation::identity;
    View<B, double> sums{};

    explicit operator bool() const { return bool(sums); }
};

/// A backend whose convolutions read on their way back what a batch norm left undone on its own, and take the sums of
/// the next one's. Used where it is there; without it `normalise_backward` does all at once.
///
/// `normalise_backward_later(dy, variance, epsilon, norm, known, factor, offset, dweight, dbias)`: as
///   `normalise_backward` with statistics of norm.x, but dx is left to the reader of `PendingGradients`, for whom it
///   writes factor and offset; `scale` and `shift` are those that `normalisation` gives. It writes norm.sums unless
///   they are `known`, and changes them.
/// `finish_gradients(gradients, dx)`: dx is what the reader takes; dx may be gradients.dy.
/// `reads_pending(gradients, window)`: whether a convolution's ways back read these. Then they take them in place of
/// dy. `convolve_backward_data(dy, w, window, dx, norm)`, `transposed_convolve_backward_data(dy, w, dx, norm)`: whether
///   they have taken the norm's sums of dx, which they do where it costs no pass over dx.
/// `max_pool_backward(dy, window, before, dx, norm)`: of the norm's result; with `before`, which may be empty, added to
///   dx, and always with the sums of all that.
template <class B>
concept reads_pending_gradients = Backend<B> &&
    requires(B& b, const PendingGradients<B>& gradients, const GradientSums<B>& norm, const Operand<B>& operand,
             detail::In<B> x, detail::Out<B> y, const Window& window, double number, bool known) {
    { b.normalise_backward_later(x, x, number, norm, known, y, y, y, y) } -> std::same_as<void>;
    { b.finish_gradients(gradients, y) } -> std::same_as<void>;
    { b.reads_pending(gradients, window) } -> std::same_as<bool>;
    { b.convolve_backward_data(gradients, x, window, y, norm) } -> std::same_as<bool>;
    { b.convolve_backward_data(x, x, window, y, norm) } -> std::same_as<bool>;
    { b.transposed_convolve_backward_data(x, x, y, norm) } -> std::same_as<bool>;
    { b.max_pool_backward(x, window, x, y, norm) } -> std::same_as<void>;
    { b.convolve_backward_weights(operand, gradients, window, y, y) } -> std::same_as<void>;
};

}  // namespace mtdn
