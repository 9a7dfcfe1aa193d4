#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <mtdn/backend/bfloat16.hpp>
#include <mtdn/backend/operand.hpp>
#include <mtdn/backend/options.hpp>
#include <mtdn/backend/tensor.hpp>

namespace mtdn {

// The operations of a backend, grouped as the concept `Backend` names them. Conventions that hold for all:
//
// - `x`, `w`, … are read through `View<B, const Scalar>`, results written through `View<B, Scalar>`. Views may be
//   slices of channels (stride > channels) unless "contiguous" is said. Results do not overlap operands unless
//   "in place allowed" is said.
// - An operand that may be an `Operand<B>` may consist of parts side by side, with normalisations pending.
// - Results are overwritten; what is *added to* is said. An empty view is an operand that is not there.
// - Convolution weights are (k, k, in, out); vectors (1, 1, 1, C); per-group vectors (g, 1, 1, C), group j being the
//   j-th of g equal runs of frames.
// - Shapes have been checked by the caller (the functions of `autograd/`); a backend may assume them.
// - Equal bits for every number of threads: reductions are cut by shape alone and joined in a fixed order.

namespace detail {
template <class B>
using In = View<B, const typename B::Scalar>;
template <class B>
using Out = View<B, typename B::Scalar>;
template <class B>
using InLabels = View<B, const std::uint8_t>;
template <class B>
using OutLabels = View<B, std::uint8_t>;
template <class B>
using InRounded = View<B, const BFloat16>;
template <class B>
using OutRounded = View<B, BFloat16>;
}  // namespace detail

/// Owns memory, and moves values between the host and itself.
///
/// `upload(values, y)` and `download(x, values)`: `values` are contiguous host elements in the order of the view's
/// pixels. `describe()`: one line on the device and what of it is used. `threads()`: host threads that it works with.
template <class B>
concept owns_memory_and_moves_values = requires(B& b, detail::In<B> x, detail::Out<B> y, detail::InLabels<B> labels,
                                                detail::OutLabels<B> codes, std::span<typename B::Scalar> out,
                                                std::span<const typename B::Scalar> in, std::span<std::uint8_t> bytes,
                                                std::span<const std::uint8_t> const_bytes) {
    requires std::floating_point<typename B::Scalar>;
    { b.memory() } -> std::convertible_to<MemoryPool&>;
    { b.upload(in, y) } -> std::same_as<void>;
    { b.upload(const_bytes, codes) } -> std::same_as<void>;
    { b.download(x, out) } -> std::same_as<void>;
    { b.download(labels, bytes) } -> std::same_as<void>;
    { b.describe() } -> std::same_as<std::string>;
};

/// Convolves, both ways.
///
/// `convolve(x, w, scale, bias, window, activation, y)`: y = activation(scale · (x ⋆ w) + bias), zero padding; `scale`
///   and `bias`, one value for each output channel, may be empty; x may be an `Operand`.
/// `convolve_with_statistics(x, w, window, y, mean, variance)`: y = x ⋆ w, and what `batch_statistics` says of y;
///   x may be an `Operand`.
/// `convolve_backward_data(dy, w, window, dx)`: dx of the linear part.
/// `convolve_backward_weights(x, dy, window, dw, dbias)`: *adds to* dw and, unless empty, to dbias; x may be an
///   `Operand`.
/// `transposed_convolve(x, w, bias, y)`: 2×2, stride 2; y has twice the rows and columns of x.
///   y(2i+a, 2j+b) = x(i, j) · w(a, b) + bias. Its two ways back likewise.
template <class B>
concept convolves = requires(B& b, const Operand<B>& operand, detail::In<B> x, detail::Out<B> y, const Window& window,
                             Activation activation) {
    { b.convolve(operand, x, x, x, window, activation, y) } -> std::same_as<void>;
    { b.convolve_with_statistics(operand, x, window, y, y, y) } -> std::same_as<void>;
    { b.convolve_backward_data(x, x, window, y) } -> std::same_as<void>;
    { b.convolve_backward_weights(operand, x, window, y, y) } -> std::same_as<void>;
    { b.transposed_convolve(x, x, x, y) } -> std::same_as<void>;
    { b.transposed_convolve_backward_data(x, x, y) } -> std::same_as<void>;
    { b.transposed_convolve_backward_weights(x, x, y, y) } -> std::same_as<void>;
};

/// Normalises over batches.
///
/// `batch_statistics(x, mean, variance)`: per group and channel, over the group's pixels; variance biased (÷ n).
/// `update_running(mean, variance, count, momentum, running_mean, running_variance)`: for each group in order,
///   running ← (1 − momentum) running + momentum · statistic, the variance made unbiased by count/(count − 1),
///   `count` pixels in a group (count = 1: as it is).
/// `normalisation(mean, variance, weight, bias, epsilon, scale, shift)`: scale = weight / √(variance + ε),
///   shift = bias − mean · scale; per group and channel.
/// `normalise(x, scale, shift, activation, y)`: y = activation(scale · x + shift); in place allowed.
/// `normalise_backward(x, dy, mean, variance, weight, bias, epsilon, activation, own_statistics, dx, dweight, dbias)`:
///   the way back through activation and normalisation from the raw x. own_statistics: mean and variance are those of
///   x and are differentiated too; else they are constants. *Adds to* dweight and dbias (1, 1, 1, C) unless empty;
///   overwrites dx; dx may be dy.
template <class B>
concept normalises = requires(B& b, detail::In<B> x, detail::Out<B> y, Activation activation, double number,
                              Index count, bool own) {
    { b.batch_statistics(x, y, y) } -> std::same_as<void>;
    { b.update_running(x, x, count, number, y, y) } -> std::same_as<void>;
    { b.normalisation(x, x, x, x, number, y, y) } -> std::same_as<void>;
    { b.normalise(x, x, x, activation, y) } -> std::same_as<void>;
    { b.normalise_backward(x, x, x, x, x, x, number, activation, own, y, y, y) } -> std::same_as<void>;
};

/// Works on elements. In place allowed for all of these but the last two.
///
/// `fill(y, value)`; `copy(x, y)`: y = x; `accumulate(x, y)`: y += x; `scale(y, factor)`: y *= factor.
/// `combine(alpha, a, beta, b, y)`: y = αa + βb. `multiply(a, b, y)`: y = ab; `multiply_add(a, b, y)`: y += ab.
/// `activate(x, activation, y)`; `activate_backward(x, dy, activation, dx)`: dx = dy · activation'(x).
/// `round(x, z)`: z is the nearest to x in bfloat16; `widen(z, y)`: y = z.
template <class B>
concept works_on_elements = requires(B& b, detail::In<B> x, detail::Out<B> y, detail::InRounded<B> in_16,
                                     detail::OutRounded<B> out_16, Activation activation, double number) {
    { b.round(x, out_16) } -> std::same_as<void>;
    { b.widen(in_16, y) } -> std::same_as<void>;
    { b.fill(y, number) } -> std::same_as<void>;
    { b.copy(x, y) } -> std::same_as<void>;
    { b.accumulate(x, y) } -> std::same_as<void>;
    { b.scale(y, number) } -> std::same_as<void>;
    { b.combine(number, x, number, x, y) } -> std::same_as<void>;
    { b.multiply(x, x, y) } -> std::same_as<void>;
    { b.multiply_add(x, x, y) } -> std::same_as<void>;
    { b.activate(x, activation, y) } -> std::same_as<void>;
    { b.activate_backward(x, x, activation, y) } -> std::same_as<void>;
};

/// Pools and resizes.
///
/// `max_pool(x, window, y)`, no padding; `max_pool_backward(x, dy, window, dx)`: to the first largest of each window;
///   x may be an `Operand`.
/// `average_pool(x, window, y)`, no padding; `average_pool_backward(dy, window, dx)`.
/// `resize_nearest(x, y)`: y(i, j) = x(⌊i·h/H⌋, ⌊j·w/W⌋); `resize_bilinear(x, y)`: pixel centres at halves, edges
///   repeated (PyTorch's align_corners=False), no antialiasing. Their ways back take (dy, dx).
/// `pad_edge(x, y)`: y is larger at the bottom and right, where the last row and column are repeated.
/// `crop(x, y)`: the top left of x of y's size; `crop_backward(dy, dx)`: zero elsewhere.
template <class B>
concept pools_and_resizes = requires(B& b, const Operand<B>& operand, detail::In<B> x, detail::Out<B> y,
                                     const Window& window) {
    { b.max_pool(operand, window, y) } -> std::same_as<void>;
    { b.max_pool_backward(operand, x, window, y) } -> std::same_as<void>;
    { b.average_pool(x, window, y) } -> std::same_as<void>;
    { b.average_pool_backward(x, window, y) } -> std::same_as<void>;
    { b.resize_nearest(x, y) } -> std::same_as<void>;
    { b.resize_nearest_backward(x, y) } -> std::same_as<void>;
    { b.resize_bilinear(x, y) } -> std::same_as<void>;
    { b.resize_bilinear_backward(x, y) } -> std::same_as<void>;
    { b.pad_edge(x, y) } -> std::same_as<void>;
    { b.crop(x, y) } -> std::same_as<void>;
    { b.crop_backward(x, y) } -> std::same_as<void>;
};

/// Gathers frames: `gather_frames(x, indices, y)`: frame i of y is frame indices[i] of x;
/// `gather_frames_backward(dy, indices, dx)` *adds to* dx, in the order of the indices. `indices` are on the host.
/// `combine_frames(alpha, a, of_a, beta, b, of_b, shift, activation, y)`: frame i of y is
///   activation(α a[of_a[i]] + β b[of_b[i]] + shift); `shift` (1, 1, 1, C) may be empty.
template <class B>
concept gathers_frames = requires(B& b, detail::In<B> x, detail::Out<B> y, std::span<const Index> indices,
                                  double number, Activation activation) {
    { b.gather_frames(x, indices, y) } -> std::same_as<void>;
    { b.gather_frames_backward(x, indices, y) } -> std::same_as<void>;
    { b.combine_frames(number, x, indices, number, x, indices, x, activation, y) } -> std::same_as<void>;
};

/// Classifies pixels, channels being classes; pixels labelled `ignore` (255) do not count.
///
/// `softmax(x, y)`, `log_softmax(x, y)`: over the channels; their ways back take (y, dy, dx), y the result.
/// `arg_max(x, codes)`: the first largest channel of every pixel.
/// `focal_loss(logits, labels, weights, options, loss, divisor)`: loss (1, 1, 1, 1) is the sum over the divisor,
///   divisor (1, 1, 1, 1) what `options.reduction` names (1 if nothing counts); `weights` (1, 1, 1, C) or empty for
///   all 1. Throws DataError where a label is neither below C nor `ignore`; a backend that queues its work does so when
///   the host waits for it next, and the pixel does not count.
/// `focal_loss_backward(logits, labels, weights, options, divisor, dloss, dlogits)`.
/// `overlap_sums(logits, labels, sums)`: sums (3, 1, 1, C): per class Σ p·y, Σ p, Σ y over the pixels that count,
///   p the softmax, y the one-hot label. Throws as `focal_loss` does. `overlap_backward(logits, labels, gradients,
///   dlogits)`: gradients (2, 1, 1, C) are the loss's derivatives by the first two sums.
template <class B>
concept classifies_pixels = requires(B& b, detail::In<B> x, detail::Out<B> y, detail::InLabels<B> labels,
                                     detail::OutLabels<B> codes, const FocalOptions& focal) {
    { b.softmax(x, y) } -> std::same_as<void>;
    { b.softmax_backward(x, x, y) } -> std::same_as<void>;
    { b.log_softmax(x, y) } -> std::same_as<void>;
    { b.log_softmax_backward(x, x, y) } -> std::same_as<void>;
    { b.arg_max(x, codes) } -> std::same_as<void>;
    { b.focal_loss(x, labels, x, focal, y, y) } -> std::same_as<void>;
    { b.focal_loss_backward(x, labels, x, focal, x, x, y) } -> std::same_as<void>;
    { b.overlap_sums(x, labels, y) } -> std::same_as<void>;
    { b.overlap_backward(x, labels, x, y) } -> std::same_as<void>;
};

/// Updates parameters; all views contiguous.
///
/// `adamw(step, gradient, parameter, first_moment, second_moment)`;
/// `sgd(step, gradient, parameter, velocity)`, velocity may be empty without momentum;
/// `sum_of_squares(x)` → the sum as a double on the host.
template <class B>
concept updates_parameters = requires(B& b, detail::In<B> x, detail::Out<B> y, const AdamWStep& adamw,
                                      const SgdStep& sgd) {
    { b.adamw(adamw, x, y, y, y) } -> std::same_as<void>;
    { b.sgd(sgd, x, y, y) } -> std::same_as<void>;
    { b.sum_of_squares(x) } -> std::same_as<double>;
};

/// A device with its memory and the closed set of operations that everything above is built from.
///
/// A backend is a value passed by reference; it is neither copied nor moved, and outlives all of its tensors' use.
template <class B>
concept Backend = !std::movable<B> && owns_memory_and_moves_values<B> && convolves<B> && normalises<B> &&
                  works_on_elements<B> && pools_and_resizes<B> && gathers_frames<B> && classifies_pixels<B> &&
                  updates_parameters<B>;

}  // namespace mtdn
