#pragma once

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// Slopes that wait for a batch norm's way back. The reader takes for them
///
///   scale · dy · activation'(scale · x + shift) + factor · x + offset
///
/// Owns no values.
///
/// @shape dy, x (N, H, W, C); scale, shift, factor, offset (g, 1, 1, C), one row for each of g equal runs of frames
template <class B>
struct PendingSlopes {
    View<B, const typename B::Scalar> dy{}, x{};
    View<B, const typename B::Scalar> scale{}, shift{}, factor{}, offset{};
    Activation activation = Activation::identity;
};

/// A backend whose convolutions read on their way back what a batch norm left undone on its own. Used where it is there;
/// without it `normalise_backward` does all at once.
///
/// `normalise_backward_later(x, dy, mean, variance, weight, bias, epsilon, activation, scale, factor, offset, dweight,
///   dbias)`: as `normalise_backward` with statistics of x, but dx is left to the reader of `PendingSlopes`, for whom it
///   writes factor and offset; `scale`, and the reader's `shift`, are those that `normalisation` gives.
/// `finish_slopes(slopes, dx)`: dx is what the reader takes; dx may be slopes.dy.
/// `reads_pending(slopes, window)`: whether a convolution's ways back read these. Then they take them in place of dy.
template <class B>
concept reads_pending_slopes =
    Backend<B> && requires(B& b, const PendingSlopes<B>& slopes, const Operand<B>& operand, detail::In<B> x,
                           detail::Out<B> y, const Window& window, Activation activation, double number) {
        { b.normalise_backward_later(x, x, x, x, x, x, number, activation, x, y, y, y, y) } -> std::same_as<void>;
        { b.finish_slopes(slopes, y) } -> std::same_as<void>;
        { b.reads_pending(slopes, window) } -> std::same_as<bool>;
        { b.convolve_backward_data(slopes, x, window, y) } -> std::same_as<void>;
        { b.convolve_backward_weights(operand, slopes, window, y, y) } -> std::same_as<void>;
    };

}  // namespace mtdn
