#pragma once

#include <type_traits>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/autograd/summed_gradients.hpp>
#include <mtdn/autograd/variable.hpp>
#include <mtdn/backend/pooled_convolutions.hpp>

namespace mtdn {

namespace detail {

/// Where weights' gradients are added: to `gradient` or, where only the bias learns, to fresh zeros.
template <Backend B>
Tensor<B> gradient_or_zeros(const Tensor<B>& gradient, const Tensor<B>& weight) {
    if (!gradient.empty()) return gradient;
    Tensor<B> zeros(weight.backend(), weight.shape());
    weight.backend().fill(zeros, 0);
    return zeros;
}

/// As `record_result`, for a convolution's way back, which takes what waits as it is where the backend reads that:
/// `way_back(tape, dy)` gets the result's gradient, `PendingGradients`, or, if it `joins`, `PendingLoss`.
template <Backend B, class WayBack>
Variable<B> record_convolution(Tape<B>* tape, bool needed, Tensor<B> result, const Window& window,
                               [[maybe_unused]] bool joins, WayBack&& way_back) {
    if constexpr (!reads_pending_gradients<B> && !joins_losses<B>) {
        return record_result<B>(tape, needed, std::move(result), std::forward<WayBack>(way_back));
    } else {
        if (!tape || !needed) return {std::move(result), tape, Tape<B>::no_place};
        const auto place = tape->new_place();
        tape->record([place, window, joins, way = std::forward<WayBack>(way_back)](Tape<B>& t) {
            if constexpr (joins_losses<B>)
                if (joins)
                    if (const auto loss = t.take_waiting_loss(place)) return way(t, loss->view());
            if constexpr (reads_pending_gradients<B>)
                if (const WaitingGradients<B> waiting = t.take_waiting(place)) {
                    if (t.backend().reads_pending(waiting.view(), window)) way(t, waiting.view());
                    else way(t, waiting.finished());
                    return;
                }
            if (const Tensor<B> dy = t.take_gradient(place); !dy.empty()) way(t, dy);
        });
        return {std::move(result), tape, place};
    }
}

}  // namespace detail

/// Convolution with zero padding, plus a bias if one is given. Fills `statistics`, if they are there, with those of the
/// result, and then `extremes`, on backends that take them; then there must be no bias.
///
/// @shape x (N, H, W, I), weight (k, k, I, O), bias (1, 1, 1, O) or null → (N, H', W', O)
/// @throws ShapeError if the channels differ or the window does not fit
template <Backend B>
Variable<B> convolve(const Variable<B>& x, const Parameter<B>& weight, const std::type_identity_t<Parameter<B>>* bias,
                     const Window& window, const BatchStatistics<B>& statistics = {},
                     [[maybe_unused]] const SquareExtremes<B>& extremes = {}) {
    const Shape in = x.shape(), w = weight.value.shape();
    require<ShapeError>(in.channels == w.width, "convolve: the input ", in, " has ", in.channels,
                        " channels, the weights ", w, " take ", w.width);
    require<ShapeError>(w.frames == window.kernel && w.height == window.kernel, "convolve: weights ", w,
                        " for a window of ", window.kernel);
    Tensor<B> y(x.backend(), {in.frames, window.output(in.height), window.output(in.width), w.channels});
    if (statistics) {
        if constexpr (pools_convolutions<B>)
            x.backend().convolve_with_statistics(operand_of(x), weight.value, window, y, statistics.mean,
                                                 statistics.variance, extremes);
        else
            x.backend().convolve_with_statistics(operand_of(x), weight.value, window, y, statistics.mean,
                                                 statistics.variance);
    } else {
        x.backend().convolve(operand_of(x), weight.value, Tensor<B>{}, bias ? bias->value : Tensor<B>{},
                             window, Activation::identity, y);
    }
    const Tensor<B> dw = gradient_of(weight, x.tape());
    const Tensor<B> db = bias ? gradient_of(*bias, x.tape()) : Tensor<B>{};
    const bool back = x.needs_gradient(), learns = !dw.empty() || !db.empty();
    bool joins = false;
    if constexpr (joins_losses<B>) joins = learns && x.backend().joins_loss(weight.value, window);
    return detail::record_convolution<B>(
        x.tape(), back || learns, std::move(y), window, joins,
        [kept = KeptVariable<B>(x, x.tape() && learns), places = GradientPlaces<B>(x), back, learns, in,
         w_value = weight.value, dw, db, window](auto& tape, const auto& dy) {
            if constexpr (std::is_same_v<std::decay_t<decltype(dy)>, PendingLoss<B>>) {
                const Tensor<B> dx = back ? Tensor<B>(tape.backend(), in) : Tensor<B>{};
                const Variable<B> value = kept.value(tape);
                tape.backend().convolve_backward_with_loss(operand_of(value), dy, w_value, dx,
                                                           detail::gradient_or_zeros(dw, w_value), db);
                if (back) places.add(tape, dx);
            } else {
                if (learns) {
                    const Variable<B> value = kept.value(tape);
                    tape.backend().convolve_backward_weights(operand_of(value), dy, window,
                                                             detail::gradient_or_zeros(dw, w_value), db);
                }
                if (!back) return;
                const Tensor<B> dx = places.room(tape, in);
                if constexpr (reads_pending_gradients<B>) {
                    detail::add_summed(tape, kept, places, dx, [&](const auto& norm) {
                        return tape.backend().convolve_backward_data(dy, w_value, window, dx, norm);
                    });
                } else {
                    tape.backend().convolve_backward_data(dy, w_value, window, dx);
                    places.add(tape, dx);
                }
            }
        });
}

/// `count` of a convolution's input channels from `first` on, as a slice of one pixel a tap; shares the values.
///
/// @shape weight (k, k, I, O), contiguous → (1, 1, k·k, count · O)
template <Backend B>
Tensor<B> input_channels_of(const Tensor<B>& weight, Index first, Index count) {
    const Shape w = weight.shape();
    const Tensor<B> taps = weight.piece(0, {1, 1, w.frames * w.height, w.width * w.channels});
    return taps.channels(first * w.channels, count * w.channels);
}

/// The weights of `count` input channels from `first` on, as a tensor of their own.
///
/// @shape weight (k, k, I, O) → (k, k, count, O)
/// @throws ShapeError if there are not so many input channels
template <Backend B>
Tensor<B> slice_input_channels(const Tensor<B>& weight, Index first, Index count) {
    const Shape w = weight.shape();
    require<ShapeError>(first >= 0 && first + count <= w.width, "slice_input_channels: input channels ", first, " to ",
                        first + count, " of weights ", w);
    Tensor<B> slice(weight.backend(), {w.frames, w.height, count, w.channels});
    weight.backend().copy(input_channels_of(weight, first, count), input_channels_of(slice, 0, count));
    return slice;
}

/// What some input channels add to a convolution: x convolved with the weights' input channels from `first` on.
///
/// The sum over slices that cover all input channels is the convolution without its bias.
///
/// @shape x (N, H, W, I'), weight (k, k, I, O), I' channels from `first` on within I → (N, H', W', O)
/// @throws ShapeError if there are not so many input channels, or the window does not fit
template <Backend B>
Variable<B> convolve_slice(const Variable<B>& x, const Parameter<B>& weight, Index first, const Window& window) {
    B& backend = x.backend();
    const Shape in = x.shape();
    const Tensor<B> slice = slice_input_channels(weight.value, first, in.channels);
    Tensor<B> y(backend, {in.frames, window.output(in.height), window.output(in.width), slice.shape().channels});
    backend.convolve(operand_of(x), slice, Tensor<B>{}, Tensor<B>{}, window, Activation::identity, y);
    const Tensor<B> dw = gradient_of(weight, x.tape());
    const bool back = x.needs_gradient();
    return record_result<B>(x.tape(), back || !dw.empty(), std::move(y),
                            [kept = KeptVariable<B>(x, x.tape() && !dw.empty()), places = GradientPlaces<B>(x), back,
                             in, slice, dw, first, window](Tape<B>& tape, const Tensor<B>& dy) {
                                B& b = tape.backend();
                                const Index count = slice.shape().width;
                                if (!dw.empty()) {
                                    Tensor<B> of_slice(b, slice.shape());
                                    b.fill(of_slice, 0);
                                    const Variable<B> value = kept.value(tape);
                                    b.convolve_backward_weights(operand_of(value), dy, window, of_slice, Tensor<B>{});
                                    b.accumulate(input_channels_of(of_slice, 0, count),
                                                 input_channels_of(dw, first, count));
                                }
                                if (!back) return;
                                Tensor<B> dx(b, in);
                                b.convolve_backward_data(dy, slice, window, dx);
                                places.add(tape, dx);
                            });
}

/// Transposed convolution 2×2 of stride 2 with a bias: twice the rows and columns.
///
/// @shape x (N, H, W, I), weight (2, 2, I, O), bias (1, 1, 1, O) → (N, 2H, 2W, O)
/// @throws ShapeError if the channels differ
template <Backend B>
Variable<B> transposed_convolve(const Variable<B>& x, const Parameter<B>& weight,
                                const std::type_identity_t<Parameter<B>>* bias) {
    const Shape in = x.shape(), w = weight.value.shape();
    require<ShapeError>(in.channels == w.width && w.frames == 2 && w.height == 2, "transposed_convolve: the input ", in,
                        " for weights ", w, "; expected (2, 2, ", in.channels, ", any)");
    Tensor<B> y(x.backend(), {in.frames, 2 * in.height, 2 * in.width, w.channels});
    x.backend().transposed_convolve(value_of(x), weight.value, bias ? bias->value : Tensor<B>{}, y);
    const Tensor<B> dw = gradient_of(weight, x.tape());
    const Tensor<B> db = bias ? gradient_of(*bias, x.tape()) : Tensor<B>{};
    const bool back = x.needs_gradient(), learns = !dw.empty() || !db.empty();
    return record_result<B>(x.tape(), back || learns, std::move(y),
                            [kept = KeptVariable<B>(x, x.tape() && learns), places = GradientPlaces<B>(x), back, learns,
                             in, w_value = weight.value, dw, db](Tape<B>& tape, const Tensor<B>& dy) {
                                if (learns)
                                    tape.backend().transposed_convolve_backward_weights(
                                        value_of(kept.value(tape)), dy, detail::gradient_or_zeros(dw, w_value), db);
                                if (!back) return;
                                Tensor<B> dx(tape.backend(), in);
                                if constexpr (reads_pending_gradients<B>) {
                                    detail::add_summed(tape, kept, places, dx, [&](const auto& norm) {
                                        return tape.backend().transposed_convolve_backward_data(dy, w_value, dx, norm);
                                    });
                                } else {
                                    tape.backend().transposed_convolve_backward_data(dy, w_value, dx);
                                    places.add(tape, dx);
                                }
                            });
}

}  // namespace mtdn
