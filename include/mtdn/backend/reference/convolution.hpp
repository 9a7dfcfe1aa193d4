#pragma once

#include <mtdn/backend/reference/elements.hpp>
#include <mtdn/backend/reference/wide.hpp>

namespace mtdn::detail::reference {

template <class B, class T>
void convolve(View<B, const T> x, View<B, const T> w, View<B, const T> scale, View<B, const T> bias,
              const Window& window, Activation activation, View<B, T> y) {
    Sums<T> sums(y.shape);
    for_each_tap(x.shape, window, y.shape, [&](Index n, Index i, Index j, Index a, Index b, Index row, Index column) {
        for (Index c = 0; c < x.shape.channels; ++c)
            for (Index o = 0; o < y.shape.channels; ++o)
                sums.at(n, i, j)[o] += Wide<T>(x.at(n, row, column)[c]) * w.at(a, b, c)[o];
    });
    for (Index p = 0; p < y.shape.pixels(); ++p)
        for (Index o = 0; o < y.shape.channels; ++o)
            sums.pixel(p)[o] = activated(
                activation, sums.pixel(p)[o] * (scale ? scale.data[o] : T(1)) + (bias ? bias.data[o] : T(0)));
    sums.store(y);
}

template <class B, class T>
void convolve_backward_data(View<B, const T> dy, View<B, const T> w, const Window& window, View<B, T> dx) {
    Sums<T> sums(dx.shape);
    for_each_tap(dx.shape, window, dy.shape, [&](Index n, Index i, Index j, Index a, Index b, Index row, Index column) {
        for (Index c = 0; c < dx.shape.channels; ++c)
            for (Index o = 0; o < dy.shape.channels; ++o)
                sums.at(n, row, column)[c] += Wide<T>(dy.at(n, i, j)[o]) * w.at(a, b, c)[o];
    });
    sums.store(dx);
}

/// Adds to `dbias` the sum of dy over all pixels.
template <class B, class T>
void bias_backward(View<B, const T> dy, View<B, T> dbias) {
    if (!dbias) return;
    Sums<T> sums(dbias.shape);
    for (Index p = 0; p < dy.shape.pixels(); ++p)
        for (Index o = 0; o < dy.shape.channels; ++o) sums.pixel(0)[o] += dy.pixel(p)[o];
    sums.add_to(dbias);
}

template <class B, class T>
void convolve_backward_weights(View<B, const T> x, View<B, const T> dy, const Window& window, View<B, T> dw,
                               View<B, T> dbias) {
    Sums<T> sums(dw.shape);
    for_each_tap(x.shape, window, dy.shape, [&](Index n, Index i, Index j, Index a, Index b, Index row, Index column) {
        for (Index c = 0; c < x.shape.channels; ++c)
            for (Index o = 0; o < dy.shape.channels; ++o)
                sums.at(a, b, c)[o] += Wide<T>(x.at(n, row, column)[c]) * dy.at(n, i, j)[o];
    });
    sums.add_to(dw);
    bias_backward(dy, dbias);
}

// The large side of a transposed convolution is what a convolution with this window reads.
inline constexpr Window transposed_window{.kernel = 2, .stride = 2, .padding = 0};

template <class B, class T>
void transposed_convolve(View<B, const T> x, View<B, const T> w, View<B, const T> bias, View<B, T> y) {
    Sums<T> sums(y.shape);
    for_each_tap(y.shape, transposed_window, x.shape,
                 [&](Index n, Index i, Index j, Index a, Index b, Index row, Index column) {
                     for (Index o = 0; o < y.shape.channels; ++o) {
                         auto& sum = sums.at(n, row, column)[o];
                         for (Index c = 0; c < x.shape.channels; ++c)
                             sum += Wide<T>(x.at(n, i, j)[c]) * w.at(a, b, c)[o];
                         if (bias) sum += bias.data[o];
                     }
                 });
    sums.store(y);
}

template <class B, class T>
void transposed_convolve_backward_data(View<B, const T> dy, View<B, const T> w, View<B, T> dx) {
    Sums<T> sums(dx.shape);
    for_each_tap(dy.shape, transposed_window, dx.shape,
                 [&](Index n, Index i, Index j, Index a, Index b, Index row, Index column) {
                     for (Index c = 0; c < dx.shape.channels; ++c)
                         for (Index o = 0; o < dy.shape.channels; ++o)
                             sums.at(n, i, j)[c] += Wide<T>(dy.at(n, row, column)[o]) * w.at(a, b, c)[o];
                 });
    sums.store(dx);
}

template <class B, class T>
void transposed_convolve_backward_weights(View<B, const T> x, View<B, const T> dy, View<B, T> dw, View<B, T> dbias) {
    Sums<T> sums(dw.shape);
    for_each_tap(dy.shape, transposed_window, x.shape,
                 [&](Index n, Index i, Index j, Index a, Index b, Index row, Index column) {
                     for (Index c = 0; c < x.shape.channels; ++c)
                         for (Index o = 0; o < dy.shape.channels; ++o)
                             sums.at(a, b, c)[o] += Wide<T>(x.at(n, i, j)[c]) * dy.at(n, row, column)[o];
                 });
    sums.add_to(dw);
    bias_backward(dy, dbias);
}

}  // namespace mtdn::detail::reference
