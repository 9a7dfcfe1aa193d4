#pragma once

#include <cmath>
#include <numbers>
#include <span>

#include <mtdn/backend/reference/wide.hpp>

namespace mtdn::detail::reference {

template <class W>
W sigmoid(W x) {
    return 1 / (1 + std::exp(-x));
}

/// The activation's value at x.
template <class W>
W activated(Activation activation, W x) {
    switch (activation) {
        case Activation::identity: return x;
        case Activation::relu: return x < 0 ? 0 : x;  // so that NaN stays
        case Activation::leaky_relu: return x > 0 ? x : x / 100;
        case Activation::sigmoid: return sigmoid(x);
        case Activation::tanh: return std::tanh(x);
        case Activation::silu: return x * sigmoid(x);
        case Activation::gelu: return x / 2 * std::erfc(-x / std::numbers::sqrt2_v<W>);
        case Activation::absolute: return std::abs(x);
    }
    return x;
}

/// The activation's derivative at x.
template <class W>
W activation_derivative(Activation activation, W x) {
    switch (activation) {
        case Activation::identity: return 1;
        case Activation::relu: return x > 0 ? 1 : 0;
        case Activation::leaky_relu: return x > 0 ? W(1) : W(1) / 100;
        case Activation::sigmoid: return sigmoid(x) * sigmoid(-x);
        case Activation::tanh: return 1 - std::tanh(x) * std::tanh(x);
        case Activation::silu: return sigmoid(x) * (1 + x * sigmoid(-x));
        case Activation::gelu:
            return std::erfc(-x / std::numbers::sqrt2_v<W>) / 2 +
                   x * std::exp(-x * x / 2) * std::numbers::inv_sqrtpi_v<W> / std::numbers::sqrt2_v<W>;
        case Activation::absolute: return x > 0 ? 1 : x < 0 ? -1 : 0;
    }
    return 1;
}

/// Sets every element of y to `value(pixel, channel)`, computed wide.
template <class B, class T, class Value>
void for_each_element(View<B, T> y, Value value) {
    for (Index p = 0; p < y.shape.pixels(); ++p)
        for (Index c = 0; c < y.shape.channels; ++c) y.pixel(p)[c] = static_cast<T>(value(p, c));
}

template <class B, class T>
void fill(View<B, T> y, double value) {
    for_each_element(y, [&](Index, Index) { return value; });
}

template <class B, class T>
void copy(View<B, const T> x, View<B, T> y) {
    for_each_element(y, [&](Index p, Index c) { return x.pixel(p)[c]; });
}

template <class B, class T>
void accumulate(View<B, const T> x, View<B, T> y) {
    for_each_element(y, [&](Index p, Index c) { return Wide<T>(y.pixel(p)[c]) + x.pixel(p)[c]; });
}

template <class B, class T>
void scale(View<B, T> y, double factor) {
    for_each_element(y, [&](Index p, Index c) { return Wide<T>(y.pixel(p)[c]) * factor; });
}

template <class B, class T>
void combine(double alpha, View<B, const T> a, double beta, View<B, const T> b, View<B, T> y) {
    for_each_element(y, [&](Index p, Index c) {
        return Wide<T>(alpha) * a.pixel(p)[c] + Wide<T>(beta) * b.pixel(p)[c];
    });
}

template <class B, class T>
void multiply(View<B, const T> a, View<B, const T> b, View<B, T> y) {
    for_each_element(y, [&](Index p, Index c) { return Wide<T>(a.pixel(p)[c]) * b.pixel(p)[c]; });
}

template <class B, class T>
void multiply_add(View<B, const T> a, View<B, const T> b, View<B, T> y) {
    for_each_element(y, [&](Index p, Index c) { return y.pixel(p)[c] + Wide<T>(a.pixel(p)[c]) * b.pixel(p)[c]; });
}

template <class B, class T>
void activate(View<B, const T> x, Activation activation, View<B, T> y) {
    for_each_element(y, [&](Index p, Index c) { return activated(activation, Wide<T>(x.pixel(p)[c])); });
}

template <class B, class T>
void activate_backward(View<B, const T> x, View<B, const T> dy, Activation activation, View<B, T> dx) {
    for_each_element(dx, [&](Index p, Index c) {
        return dy.pixel(p)[c] * activation_derivative(activation, Wide<T>(x.pixel(p)[c]));
    });
}

template <class B, class T>
void gather_frames(View<B, const T> x, std::span<const Index> indices, View<B, T> y) {
    const Index pixels = y.shape.height * y.shape.width;
    for_each_element(y, [&](Index p, Index c) {
        return x.pixel(indices[static_cast<std::size_t>(p / pixels)] * pixels + p % pixels)[c];
    });
}

template <class B, class T>
void gather_frames_backward(View<B, const T> dy, std::span<const Index> indices, View<B, T> dx) {
    const Index pixels = dy.shape.height * dy.shape.width;
    Sums<T> sums(dx.shape);
    for (Index p = 0; p < dy.shape.pixels(); ++p)
        for (Index c = 0; c < dy.shape.channels; ++c)
            sums.pixel(indices[static_cast<std::size_t>(p / pixels)] * pixels + p % pixels)[c] += dy.pixel(p)[c];
    sums.add_to(dx);
}

template <class B, class T>
void combine_frames(double alpha, View<B, const T> a, std::span<const Index> of_a, double beta, View<B, const T> b,
                    std::span<const Index> of_b, View<B, const T> shift, Activation activation, View<B, T> y) {
    const Index pixels = y.shape.height * y.shape.width;
    for_each_element(y, [&](Index p, Index c) {
        const auto i = static_cast<std::size_t>(p / pixels);
        const Wide<T> sum = Wide<T>(alpha) * a.pixel(of_a[i] * pixels + p % pixels)[c] +
                            Wide<T>(beta) * b.pixel(of_b[i] * pixels + p % pixels)[c];
        return activated(activation, shift ? sum + shift.data[c] : sum);
    });
}

}  // namespace mtdn::detail::reference
