#pragma once

#include <mtdn/autograd/variable.hpp>

namespace mtdn {

namespace detail {
template <Backend B>
void require_same_shape(const char* function, const Variable<B>& a, const Variable<B>& b) {
    require<ShapeError>(a.shape() == b.shape(), function, ": shapes ", a.shape(), " and ", b.shape(), " differ");
}
template <Backend B>
Tape<B>* common_tape(const Variable<B>& a, const Variable<B>& b) {
    require_common_tape(a, b);
    return b.needs_gradient() || !a.tape() ? b.tape() : a.tape();
}
}  // namespace detail

/// The channels of all arguments, one behind the other; copies nothing.
///
/// @throws ShapeError if frames, heights or widths differ
template <Backend B, std::same_as<Variable<B>>... More>
Variable<B> concat(const Variable<B>& first, const More&... more) {
    Variable<B> all = first;
    const Shape a = first.shape();
    auto append = [&](const Variable<B>& next) {
        const Shape b = next.shape();
        require<ShapeError>(a.with_channels(0) == b.with_channels(0), "concat: ", a, " and ", b,
                            " differ in more than their channels");
        all.append(next);
    };
    (append(more), ...);
    return all;
}

/// α a + β b, element by element.
///
/// @throws ShapeError if the shapes differ
template <Backend B>
Variable<B> combine(double alpha, const Variable<B>& a, double beta, const Variable<B>& b) {
    detail::require_same_shape("combine", a, b);
    Tensor<B> y(a.backend(), a.shape());
    a.backend().combine(alpha, value_of(a), beta, value_of(b), y);
    return record_result<B>(detail::common_tape(a, b), a.needs_gradient() || b.needs_gradient(), std::move(y),
                            [places_a = GradientPlaces<B>(a), places_b = GradientPlaces<B>(b), alpha, beta](
                                Tape<B>& tape, const Tensor<B>& dy) {
                                auto carry = [&](const GradientPlaces<B>& places, double factor) {
                                    if (factor == 1) return places.add(tape, dy);
                                    Tensor<B> dx(tape.backend(), dy.shape());
                                    tape.backend().combine(factor, dy, 0, dy, dx);
                                    places.add(tape, dx);
                                };
                                carry(places_a, alpha);
                                carry(places_b, beta);
                            });
}

/// a + b, element by element.
template <Backend B>
Variable<B> add(const Variable<B>& a, const Variable<B>& b) {
    return combine(1, a, 1, b);
}

/// a − b, element by element.
template <Backend B>
Variable<B> subtract(const Variable<B>& a, const Variable<B>& b) {
    return combine(1, a, -1, b);
}

/// factor · x.
template <Backend B>
Variable<B> scale(const Variable<B>& x, double factor) {
    Tensor<B> y(x.backend(), x.shape());
    const Tensor<B> value = value_of(x);
    x.backend().combine(factor, value, 0, value, y);
    return record_result<B>(x.tape(), x.needs_gradient(), std::move(y),
                            [places = GradientPlaces<B>(x), factor](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), dy.shape());
                                tape.backend().combine(factor, dy, 0, dy, dx);
                                places.add(tape, dx);
                            });
}

/// a · b, element by element.
///
/// @throws ShapeError if the shapes differ
template <Backend B>
Variable<B> multiply(const Variable<B>& a, const Variable<B>& b) {
    detail::require_same_shape("multiply", a, b);
    Tensor<B> y(a.backend(), a.shape());
    a.backend().multiply(value_of(a), value_of(b), y);
    return record_result<B>(detail::common_tape(a, b), a.needs_gradient() || b.needs_gradient(), std::move(y),
                            [a, b](Tape<B>& tape, const Tensor<B>& dy) {
                                auto carry = [&](const Variable<B>& x, const Variable<B>& other) {
                                    if (!x.needs_gradient()) return;
                                    Tensor<B> dx(tape.backend(), dy.shape());
                                    tape.backend().multiply(dy, value_of(other), dx);
                                    add_gradient(tape, x, dx);
                                };
                                carry(a, b);
                                carry(b, a);
                            });
}

/// The activation of every element.
template <Backend B>
Variable<B> activate(const Variable<B>& x, Activation activation) {
    Tensor<B> y(x.backend(), x.shape());
    x.backend().activate(value_of(x), activation, y);
    return record_result<B>(x.tape(), x.needs_gradient(), std::move(y),
                            [x, activation](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), dy.shape());
                                tape.backend().activate_backward(value_of(x), dy, activation, dx);
                                add_gradient(tape, x, dx);
                            });
}

/// max(x, 0).
template <Backend B>
Variable<B> relu(const Variable<B>& x) {
    return activate(x, Activation::relu);
}

/// Softmax over the channels.
template <Backend B>
Variable<B> softmax(const Variable<B>& x) {
    Tensor<B> y(x.backend(), x.shape());
    x.backend().softmax(value_of(x), y);
    return record_result<B>(x.tape(), x.needs_gradient(), y,
                            [places = GradientPlaces<B>(x), y](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), dy.shape());
                                tape.backend().softmax_backward(y, dy, dx);
                                places.add(tape, dx);
                            });
}

/// Logarithm of the softmax over the channels, finite for any finite input.
template <Backend B>
Variable<B> log_softmax(const Variable<B>& x) {
    Tensor<B> y(x.backend(), x.shape());
    x.backend().log_softmax(value_of(x), y);
    return record_result<B>(x.tape(), x.needs_gradient(), y,
                            [places = GradientPlaces<B>(x), y](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), dy.shape());
                                tape.backend().log_softmax_backward(y, dy, dx);
                                places.add(tape, dx);
                            });
}

}  // namespace mtdn
