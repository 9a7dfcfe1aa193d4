#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <mtdn/backend/reference/elements.hpp>
#include <mtdn/backend/reference/wide.hpp>

namespace mtdn::detail::reference {

/// Row and column of the first largest value of channel c in the window of output pixel (i, j).
template <class B, class T>
std::pair<Index, Index> largest(View<B, const T> x, const Window& window, Index n, Index i, Index j, Index c) {
    std::pair best{i * window.stride, j * window.stride};
    for (Index a = 0; a < window.kernel; ++a)
        for (Index b = 0; b < window.kernel; ++b) {
            const Index row = i * window.stride + a, column = j * window.stride + b;
            if (x.at(n, row, column)[c] > x.at(n, best.first, best.second)[c]) best = {row, column};
        }
    return best;
}

template <class B, class T>
void max_pool(View<B, const T> x, const Window& window, View<B, T> y) {
    for_each_pixel(y.shape, [&](Index n, Index i, Index j) {
        for (Index c = 0; c < y.shape.channels; ++c) {
            const auto [row, column] = largest(x, window, n, i, j, c);
            y.at(n, i, j)[c] = x.at(n, row, column)[c];
        }
    });
}

template <class B, class T>
void max_pool_backward(View<B, const T> x, View<B, const T> dy, const Window& window, View<B, T> dx) {
    Sums<T> sums(dx.shape);
    for_each_pixel(dy.shape, [&](Index n, Index i, Index j) {
        for (Index c = 0; c < dy.shape.channels; ++c) {
            const auto [row, column] = largest(x, window, n, i, j, c);
            sums.at(n, row, column)[c] += dy.at(n, i, j)[c];
        }
    });
    sums.store(dx);
}

template <class B, class T>
void average_pool(View<B, const T> x, const Window& window, View<B, T> y) {
    Sums<T> sums(y.shape);
    for_each_tap(x.shape, window, y.shape, [&](Index n, Index i, Index j, Index, Index, Index row, Index column) {
        for (Index c = 0; c < y.shape.channels; ++c)
            sums.at(n, i, j)[c] += Wide<T>(x.at(n, row, column)[c]) / (window.kernel * window.kernel);
    });
    sums.store(y);
}

template <class B, class T>
void average_pool_backward(View<B, const T> dy, const Window& window, View<B, T> dx) {
    Sums<T> sums(dx.shape);
    for_each_tap(dx.shape, window, dy.shape, [&](Index n, Index i, Index j, Index, Index, Index row, Index column) {
        for (Index c = 0; c < dy.shape.channels; ++c)
            sums.at(n, row, column)[c] += Wide<T>(dy.at(n, i, j)[c]) / (window.kernel * window.kernel);
    });
    sums.store(dx);
}

/// One side of a resizing: the two source positions of a target position, and the weight of each.
template <class W>
struct Taps {
    std::array<Index, 2> position;
    std::array<W, 2> weight;
};

template <class W>
Taps<W> nearest(Index target, Index from, Index to) {
    const Index position = target * from / to;
    return {{position, position}, {1, 0}};
}

template <class W>
Taps<W> bilinear(Index target, Index from, Index to) {
    const W centre = std::max<W>(0, (target + W(0.5)) * from / to - W(0.5));
    const auto first = std::min(static_cast<Index>(centre), from - 1);
    const W part = centre - first;
    return {{first, std::min(first + 1, from - 1)}, {1 - part, part}};
}

/// Calls `tap(frame, i, j, row, column, weight)` for all that each pixel (i, j) of `to` takes from `from`.
template <class W, class Side, class Tap>
void for_each_resize_tap(const Shape& from, const Shape& to, Side side, Tap tap) {
    for_each_pixel(to, [&](Index n, Index i, Index j) {
        const Taps<W> rows = side(i, from.height, to.height), columns = side(j, from.width, to.width);
        for (std::size_t a = 0; a < 2; ++a)
            for (std::size_t b = 0; b < 2; ++b)
                tap(n, i, j, rows.position[a], columns.position[b], rows.weight[a] * columns.weight[b]);
    });
}

template <class B, class T, class Side>
void resize(View<B, const T> x, Side side, View<B, T> y) {
    Sums<T> sums(y.shape);
    for_each_resize_tap<Wide<T>>(x.shape, y.shape, side,
                                 [&](Index n, Index i, Index j, Index row, Index column, Wide<T> weight) {
                                     if (weight == 0) return;  // what does not count may be infinite
                                     for (Index c = 0; c < y.shape.channels; ++c)
                                         sums.at(n, i, j)[c] += weight * x.at(n, row, column)[c];
                                 });
    sums.store(y);
}

template <class B, class T, class Side>
void resize_backward(View<B, const T> dy, Side side, View<B, T> dx) {
    Sums<T> sums(dx.shape);
    for_each_resize_tap<Wide<T>>(dx.shape, dy.shape, side,
                                 [&](Index n, Index i, Index j, Index row, Index column, Wide<T> weight) {
                                     for (Index c = 0; c < dy.shape.channels; ++c)
                                         sums.at(n, row, column)[c] += weight * dy.at(n, i, j)[c];
                                 });
    sums.store(dx);
}

template <class B, class T>
void pad_edge(View<B, const T> x, View<B, T> y) {
    for_each_pixel(y.shape, [&](Index n, Index i, Index j) {
        for (Index c = 0; c < y.shape.channels; ++c)
            y.at(n, i, j)[c] = x.at(n, std::min(i, x.shape.height - 1), std::min(j, x.shape.width - 1))[c];
    });
}

template <class B, class T>
void crop(View<B, const T> x, View<B, T> y) {
    for_each_pixel(y.shape, [&](Index n, Index i, Index j) {
        for (Index c = 0; c < y.shape.channels; ++c) y.at(n, i, j)[c] = x.at(n, i, j)[c];
    });
}

template <class B, class T>
void crop_backward(View<B, const T> dy, View<B, T> dx) {
    Sums<T> sums(dx.shape);
    for_each_pixel(dy.shape, [&](Index n, Index i, Index j) {
        for (Index c = 0; c < dy.shape.channels; ++c) sums.at(n, i, j)[c] = dy.at(n, i, j)[c];
    });
    sums.store(dx);
}

}  // namespace mtdn::detail::reference
