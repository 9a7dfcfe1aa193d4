#pragma once

#include <cmath>

#include <mtdn/backend/cpu/pooling.hpp>

namespace mtdn::detail::cpu {

/// A side of `from` pixels resized to `to`: what output i reads, and which outputs may read input r.
template <class I>
struct Nearest {
    Index from, to;

    struct Source {
        Index first, second;  ///< inputs
        float share;          ///< of the second
    };
    Source at(Index i) const { return {i * from / to, i * from / to, 0.0F}; }
    Range readers(Index r) const { return {ceil_div(r * to, from), ceil_div((r + 1) * to, from)}; }
};

template <class I>
struct Bilinear {
    Index from, to;

    typename Nearest<I>::Source at(Index i) const {
        const double position =
            std::max(0.0, (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5);
        const Index first = std::min(static_cast<Index>(position), from - 1);
        return {first, std::min(first + 1, from - 1), static_cast<float>(position - static_cast<double>(first))};
    }
    Range readers(Index r) const {
        // Positions r − 1 to r + 1, and some to spare; at the ends, all that were clamped.
        const Index first = r <= 1 ? 0 : (2 * r - 1) * to / (2 * from) - 2;
        const Index last = r + 2 >= from ? to : (2 * r + 3) * to / (2 * from) + 2;
        return {std::clamp<Index>(first, 0, to), std::clamp<Index>(last, 0, to)};
    }
};

/// How much input r counts in a source.
template <class I>
float share_of(const typename Nearest<I>::Source& source, Index r) {
    return (source.first == r ? 1.0F - source.share : 0.0F) + (source.second == r ? source.share : 0.0F);
}

template <template <class> class Side, class I>
void resize(Workspace& workspace, CpuIn<I> x, CpuOut<I> y) {
    const Index channels = y.shape.channels;
    const Side<I> down{x.shape.height, y.shape.height}, across{x.shape.width, y.shape.width};
    for_rows(workspace, y.shape, [&](Index frame, Index row) {
        const auto vertical = down.at(row);
        for (Index column = 0; column < y.shape.width; ++column) {
            const auto horizontal = across.at(column);
            const float* a = x.at(frame, vertical.first, horizontal.first);
            float* to = y.at(frame, row, column);
            if (vertical.share == 0 && horizontal.share == 0) {
                std::copy_n(a, channels, to);
                continue;
            }
            const float* b = x.at(frame, vertical.first, horizontal.second);
            const float* c = x.at(frame, vertical.second, horizontal.first);
            const float* d = x.at(frame, vertical.second, horizontal.second);
            const float v = vertical.share, h = horizontal.share;
            if (channels < I::floats) {  // not worth a vector
                for (Index i = 0; i < channels; ++i)
                    to[i] = (1 - v) * ((1 - h) * a[i] + h * b[i]) + v * ((1 - h) * c[i] + h * d[i]);
                continue;
            }
            for_vectors<I>(channels, [v, h](auto& out, const auto& va, const auto& vb, const auto& vc, const auto& vd) {
                out = (1 - v) * ((1 - h) * va + h * vb) + v * ((1 - h) * vc + h * vd);
            }, to, a, b, c, d);
        }
    });
}

template <template <class> class Side, class I>
void resize_backward(Workspace& workspace, CpuIn<I> dy, CpuOut<I> dx) {
    const Index channels = dx.shape.channels;
    const Side<I> down{dx.shape.height, dy.shape.height}, across{dx.shape.width, dy.shape.width};
    for_rows(workspace, dx.shape, [&](Index frame, Index row) {
        const Range rows = down.readers(row);
        for (Index column = 0; column < dx.shape.width; ++column) {
            const Range columns = across.readers(column);
            float* to = dx.at(frame, row, column);
            std::fill_n(to, channels, 0.0F);
            for (Index i = rows.first; i < rows.last; ++i) {
                const float v = share_of<I>(down.at(i), row);
                if (v == 0) continue;
                for (Index j = columns.first; j < columns.last; ++j) {
                    const float share = v * share_of<I>(across.at(j), column);
                    if (share == 0) continue;
                    const float* gradient = dy.at(frame, i, j);
                    for_vectors<I>(channels, [share](auto& out, const auto& a, const auto& b) { out = a + share * b; },
                                   to, to, gradient);
                }
            }
        }
    });
}

template <class I>
void pad_edge(Workspace& workspace, CpuIn<I> x, CpuOut<I> y) {
    for_rows(workspace, y.shape, [&](Index frame, Index row) {
        for (Index column = 0; column < y.shape.width; ++column)
            std::copy_n(x.at(frame, std::min(row, x.shape.height - 1), std::min(column, x.shape.width - 1)),
                        y.shape.channels, y.at(frame, row, column));
    });
}

template <class I>
void crop(Workspace& workspace, CpuIn<I> x, CpuOut<I> y) {
    for_rows(workspace, y.shape, [&](Index frame, Index row) {
        for (Index column = 0; column < y.shape.width; ++column)
            std::copy_n(x.at(frame, row, column), y.shape.channels, y.at(frame, row, column));
    });
}

template <class I>
void crop_backward(Workspace& workspace, CpuIn<I> dy, CpuOut<I> dx) {
    for_rows(workspace, dx.shape, [&](Index frame, Index row) {
        for (Index column = 0; column < dx.shape.width; ++column) {
            float* to = dx.at(frame, row, column);
            if (row < dy.shape.height && column < dy.shape.width)
                std::copy_n(dy.at(frame, row, column), dx.shape.channels, to);
            else
                std::fill_n(to, dx.shape.channels, 0.0F);
        }
    });
}

}  // namespace mtdn::detail::cpu
