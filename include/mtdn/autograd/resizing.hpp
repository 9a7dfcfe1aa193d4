#pragma once

#include <mtdn/autograd/summed_gradients.hpp>

namespace mtdn {

namespace detail {

/// Records the largest values of x's windows, which are known already.
template <Backend B>
Variable<B> record_max_pool(const Variable<B>& x, const Window& window, Tensor<B> y) {
    return record_result<B>(x.tape(), x.needs_gradient(), std::move(y),
                            [kept = KeptVariable<B>(x, x.needs_gradient()), places = GradientPlaces<B>(x),
                             in = x.shape(), window](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), in);
                                if constexpr (reads_pending_gradients<B>)
                                    if (const auto norm = sums_wanted(tape, kept)) {
                                        const Tensor<B> before = tape.take_gradient(places.first());
                                        tape.backend().max_pool_backward(dy, window, before, dx, norm.view());
                                        return tape.add_summed(places.first(), dx, norm.sums);
                                    }
                                const Variable<B> value = kept.value(tape);
                                tape.backend().max_pool_backward(operand_of(value), dy, window, dx);
                                places.add(tape, dx);
                            });
}

}  // namespace detail

/// Largest value of each window.
///
/// @shape (N, H, W, C) → (N, H', W', C)
/// @throws ShapeError if the window does not fit; OptionError if it has padding
template <Backend B>
Variable<B> max_pool(const Variable<B>& x, const Window& window) {
    require<OptionError>(window.padding == 0, "max_pool: padding must be 0, got ", window.padding);
    const Shape in = x.shape();
    Tensor<B> y(x.backend(), {in.frames, window.output(in.height), window.output(in.width), in.channels});
    x.backend().max_pool(operand_of(x), window, y);
    return detail::record_max_pool(x, window, std::move(y));
}

/// Largest value of each 2×2 square: half the rows and columns.
template <Backend B>
Variable<B> max_pool2(const Variable<B>& x) {
    return max_pool(x, {.kernel = 2, .stride = 2});
}

/// Mean of each window.
///
/// @shape (N, H, W, C) → (N, H', W', C)
/// @throws ShapeError if the window does not fit; OptionError if it has padding
template <Backend B>
Variable<B> average_pool(const Variable<B>& x, const Window& window) {
    require<OptionError>(window.padding == 0, "average_pool: padding must be 0, got ", window.padding);
    const Shape in = x.shape();
    Tensor<B> y(x.backend(), {in.frames, window.output(in.height), window.output(in.width), in.channels});
    x.backend().average_pool(value_of(x), window, y);
    return record_result<B>(x.tape(), x.needs_gradient(), std::move(y),
                            [places = GradientPlaces<B>(x), in, window](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), in);
                                tape.backend().average_pool_backward(dy, window, dx);
                                places.add(tape, dx);
                            });
}

/// How `resize` finds values between pixels.
enum class Interpolation : std::uint8_t {
    nearest,   ///< the pixel at or before
    bilinear,  ///< between the four nearest pixel centres, edges repeated
};

/// Another height and width.
///
/// @shape (N, H, W, C) → (N, height, width, C)
template <Backend B>
Variable<B> resize(const Variable<B>& x, Index height, Index width, Interpolation interpolation) {
    const Shape in = x.shape();
    require<ShapeError>(height > 0 && width > 0, "resize: ", in, " to ", height, " × ", width);
    Tensor<B> y(x.backend(), {in.frames, height, width, in.channels});
    if (interpolation == Interpolation::nearest)
        x.backend().resize_nearest(value_of(x), y);
    else
        x.backend().resize_bilinear(value_of(x), y);
    return record_result<B>(x.tape(), x.needs_gradient(), std::move(y),
                            [places = GradientPlaces<B>(x), in, interpolation](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), in);
                                if (interpolation == Interpolation::nearest)
                                    tape.backend().resize_nearest_backward(dy, dx);
                                else
                                    tape.backend().resize_bilinear_backward(dy, dx);
                                places.add(tape, dx);
                            });
}

/// Twice the rows and columns.
template <Backend B>
Variable<B> upsample2(const Variable<B>& x, Interpolation interpolation = Interpolation::nearest) {
    return resize(x, 2 * x.shape().height, 2 * x.shape().width, interpolation);
}

/// The top left height × width pixels.
///
/// @throws ShapeError if x is smaller
template <Backend B>
Variable<B> crop(const Variable<B>& x, Index height, Index width) {
    const Shape in = x.shape();
    if (in.height == height && in.width == width) return x;
    require<ShapeError>(0 < height && height <= in.height && 0 < width && width <= in.width, "crop: ", in, " to ",
                        height, " × ", width);
    Tensor<B> y(x.backend(), {in.frames, height, width, in.channels});
    x.backend().crop(value_of(x), y);
    return record_result<B>(x.tape(), x.needs_gradient(), std::move(y),
                            [places = GradientPlaces<B>(x), in](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), in);
                                tape.backend().crop_backward(dy, dx);
                                places.add(tape, dx);
                            });
}

/// More rows and columns at the bottom and right, where the last ones are repeated. For what enters a network.
///
/// @throws ShapeError if x is larger; Error if a gradient of x is wanted
template <Backend B>
Variable<B> pad_edge(const Variable<B>& x, Index height, Index width) {
    const Shape in = x.shape();
    if (in.height == height && in.width == width) return x;
    require<ShapeError>(height >= in.height && width >= in.width && in.height > 0 && in.width > 0, "pad_edge: ", in,
                        " to ", height, " × ", width);
    require<Error>(!x.needs_gradient(), "pad_edge: has no way back; pad what enters the network");
    Tensor<B> y(x.backend(), {in.frames, height, width, in.channels});
    x.backend().pad_edge(value_of(x), y);
    return {std::move(y), x.tape(), Tape<B>::no_place};
}

}  // namespace mtdn
