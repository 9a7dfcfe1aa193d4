#pragma once

#include <cstdint>

#include <mtdn/backend/cpu/activations.hpp>
#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/simd.hpp>
#include <mtdn/backend/cpu/workspace.hpp>
#include <mtdn/backend/options.hpp>

namespace mtdn::detail::cpu {

/// Calls `body(frame, row)` for every row of every frame, in pieces.
template <class Body>
void for_rows(Workspace& workspace, const Shape& shape, Body&& body) {
    workspace.for_pieces(shape.frames * shape.height, shape.width * shape.channels, [&](Range r) {
        for (Index i = r.first; i < r.last; ++i) body(i / shape.height, i % shape.height);
    });
}

/// Calls `body(read, first channel, channels)` for the parts of an operand on one frame: `read(row, column, c, lanes,
/// vector)` gives values of the part's channels from c on, what is pending applied.
template <class I, class Body>
void for_parts(const CpuOperand<I>& x, Index frame, Body&& body) {
    x.for_channels(0, x.shape().channels, [&](const auto& part, Index, Index count, Index offset) {
        const Index group = part.group(frame);
        if (!part.pending())
            return body([&](Index row, Index column, Index c, Index lanes, Vector<I>& value) MTDN_ALWAYS_INLINE {
                load(part.x.at(frame, row, column) + c, value, lanes);
            }, offset, count);
        with_activation<I>(part.activation, [&](auto f) {
            const float *scale = part.scale.pixel(group), *shift = part.shift.pixel(group);
            body([&](Index row, Index column, Index c, Index lanes, Vector<I>& value) MTDN_ALWAYS_INLINE {
                Vector<I> factor, term;
                load(part.x.at(frame, row, column) + c, value, lanes);
                load(scale + c, factor, lanes);
                load(shift + c, term, lanes);
                value = factor * value + term;
                f.value(value);
            }, offset, count);
        });
    });
}

template <class I>
void max_pool(Workspace& workspace, const CpuOperand<I>& x, const Window& window, CpuOut<I> y) {
    const Index k = window.kernel, s = window.stride;
    for_rows(workspace, y.shape, [&](Index frame, Index row) {
        for_parts<I>(x, frame, [&](auto read, Index first, Index channels) {
            for (Index column = 0; column < y.shape.width; ++column)
                for (Index c = 0; c < channels; c += I::floats) {
                    const Index lanes = channels - c;
                    Vector<I> best, value;
                    read(row * s, column * s, c, lanes, best);
                    for (Index tap = 1; tap < k * k; ++tap) {
                        read(row * s + tap / k, column * s + tap % k, c, lanes, value);
                        best = value > best ? value : best;
                    }
                    store(best, y.at(frame, row, column) + first + c, lanes);
                }
        });
    });
}

/// Calls `body(frame, output row)` so that no two calls at once touch the same input rows, and zeroes those before:
/// rows of a window that does not overlap its neighbours are independent, else frames are.
template <class I, class Body>
void for_windows(Workspace& workspace, const Shape& outputs, const Window& window, CpuOut<I> dx, Body&& body) {
    const bool apart = window.stride >= window.kernel;
    const Index cost = outputs.width * outputs.channels * window.kernel * window.kernel;
    const Index rows = apart ? Workspace::items_a_piece(cost) : std::max<Index>(1, outputs.height);
    const auto zero = [&](Index frame, Index first, Index last) {
        for (Index p = first * dx.shape.width; p < last * dx.shape.width; ++p)
            std::fill_n(dx.at(frame, 0, 0) + p * dx.stride, dx.shape.channels, 0.0F);
    };
    workspace.for_pieces_of(outputs.frames * outputs.height, rows, [&](Range r) {
        for (Index i = r.first; i < r.last; ++i) {
            const Index frame = i / outputs.height, row = i % outputs.height;
            if (apart)
                zero(frame, row * window.stride,
                     row + 1 == outputs.height ? dx.shape.height : (row + 1) * window.stride);
            else if (row == 0)
                zero(frame, 0, dx.shape.height);
            body(frame, row);
        }
    });
}

template <class I>
void max_pool_backward(Workspace& workspace, const CpuOperand<I>& x, CpuIn<I> dy, const Window& window,
                       CpuOut<I> dx) {
    const Index k = window.kernel, s = window.stride;
    for_windows<I>(workspace, dy.shape, window, dx, [&](Index frame, Index row) {
        for_parts<I>(x, frame, [&](auto read, Index begin, Index channels) {
            for (Index column = 0; column < dy.shape.width; ++column)
                for (Index c = 0; c < channels; c += I::floats) {
                    const Index lanes = channels - c;
                    Vector<I> best, value, gradient;
                    Integers<I> first{};
                    read(row * s, column * s, c, lanes, best);
                    for (Index tap = 1; tap < k * k; ++tap) {
                        read(row * s + tap / k, column * s + tap % k, c, lanes, value);
                        first = value > best ? Integers<I>{} + static_cast<std::int32_t>(tap) : first;
                        best = value > best ? value : best;
                    }
                    load(dy.at(frame, row, column) + begin + c, gradient, lanes);
                    for (Index tap = 0; tap < k * k; ++tap) {
                        float* to = dx.at(frame, row * s + tap / k, column * s + tap % k) + begin + c;
                        load(to, value, lanes);
                        value += first == static_cast<std::int32_t>(tap) ? gradient : Vector<I>{};
                        store(value, to, lanes);
                    }
                }
        });
    });
}

template <class I>
void average_pool(Workspace& workspace, CpuIn<I> x, const Window& window, CpuOut<I> y) {
    const Index channels = y.shape.channels, k = window.kernel, s = window.stride;
    const float share = 1.0F / static_cast<float>(k * k);
    for_rows(workspace, y.shape, [&](Index frame, Index row) {
        for (Index column = 0; column < y.shape.width; ++column) {
            float* to = y.at(frame, row, column);
            std::fill_n(to, channels, 0.0F);
            for (Index tap = 0; tap < k * k; ++tap)
                for_vectors<I>(channels, [share](auto& out, const auto& a, const auto& b) { out = a + share * b; }, to,
                               to, x.at(frame, row * s + tap / k, column * s + tap % k));
        }
    });
}

template <class I>
void average_pool_backward(Workspace& workspace, CpuIn<I> dy, const Window& window, CpuOut<I> dx) {
    const Index channels = dy.shape.channels, k = window.kernel, s = window.stride;
    const float share = 1.0F / static_cast<float>(k * k);
    for_windows<I>(workspace, dy.shape, window, dx, [&](Index frame, Index row) {
        for (Index column = 0; column < dy.shape.width; ++column) {
            for (Index tap = 0; tap < k * k; ++tap) {
                float* to = dx.at(frame, row * s + tap / k, column * s + tap % k);
                for_vectors<I>(channels, [share](auto& out, const auto& a, const auto& b) { out = a + share * b; }, to,
                               to, dy.at(frame, row, column));
            }
        }
    });
}

}  // namespace mtdn::detail::cpu
