#pragma once

#include <mtdn/backend/cuda/channel_sums.hpp>
#include <mtdn/backend/cuda/late_gradients.hpp>
#include <mtdn/backend/cuda/operand.hpp>

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

/// Windows without padding, and the output rows (columns alike) whose window holds an input row.
struct PoolingWindow {
    Extent input, output;
    Index kernel, stride;

    struct Run {
        Index first, last;  // last excluded
    };
    MTDN_DEVICE static Run outputs(Index row, Index kernel, Index stride, Index count) {
        const Index first = row < kernel ? 0 : (row - kernel) / stride + 1, last = row / stride + 1;
        return {first, last < count ? last : count};
    }
    MTDN_DEVICE Run rows(Index row) const { return outputs(row, kernel, stride, output.height); }
    MTDN_DEVICE Run columns(Index column) const { return outputs(column, kernel, stride, output.width); }
};

/// The first largest value of a window, and where it lies.
template <class Source>
struct Largest {
    Source x;
    PoolingWindow window;

    struct Result {
        float value;
        int tap;  // of the window
    };
    MTDN_DEVICE Result at(Index frame, Index i, Index j, Index c) const {
        const auto kernel = static_cast<int>(window.kernel);
        const Index first = window.input.pixel(frame, i * window.stride, j * window.stride);
        Result best{0, -1};
        MTDN_ROLL
        for (int tap = 0; tap < kernel * kernel; ++tap) {
            const float value = x.at(frame, first + tap / kernel * window.input.width + tap % kernel, c);
            if (best.tap < 0 || value > best.value) best = {value, tap};
        }
        return best;
    }
};

struct MaxPool {
    Largest<Parts> largest;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const auto at = largest.window.output.place(p);
        return largest.at(at.frame, at.row, at.column, c).value;
    }
};

template <class Source>
struct MaxPoolBackward {
    Largest<Source> largest;
    Pixels<const float> dy;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const PoolingWindow& window = largest.window;
        const auto at = window.input.place(p);
        const auto rows = window.rows(at.row), columns = window.columns(at.column);
        float sum = 0;
        for (Index i = rows.first; i < rows.last; ++i)
            for (Index j = columns.first; j < columns.last; ++j) {
                const Index tap = (at.row - i * window.stride) * window.kernel + at.column - j * window.stride;
                if (largest.at(at.frame, i, j, c).tap == tap) sum += dy.at(window.output.pixel(at.frame, i, j), c);
            }
        return sum;
    }
};

/// Writes a pixel's gradient, with what came to it before, for sums over the pixels.
struct PooledGradientToSum {
    static constexpr int quantities = 2;
    NormOfGradients norm;
    PoolingWindow window;
    Pixels<const float> dy, before;  // before may be null
    Pixels<float> dx;
    MTDN_DEVICE void operator()(Index p, Index c, float (&numbers)[2]) const {
        const NormOfChannel of = norm.at(p, c);  // read once, for all windows
        const float own = MaxPoolBackward<NormOfChannel>{{of, window}, dy}(p, c);
        const float all = before.data ? before.at(p, c) + own : own;
        dx.at(p, c) = all;
        of.add(p, c, all, numbers);
    }
};

struct AveragePool {
    Pixels<const float> x;
    PoolingWindow window;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const auto at = window.output.place(p);
        float sum = 0;
        for (Index a = 0; a < window.kernel; ++a)
            for (Index b = 0; b < window.kernel; ++b)
                sum += x.at(window.input.pixel(at.frame, at.row * window.stride + a, at.column * window.stride + b), c);
        return sum / static_cast<float>(window.kernel * window.kernel);
    }
};

struct AveragePoolBackward {
    Pixels<const float> dy;
    PoolingWindow window;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const auto at = window.input.place(p);
        const auto rows = window.rows(at.row), columns = window.columns(at.column);
        float sum = 0;
        for (Index i = rows.first; i < rows.last; ++i)
            for (Index j = columns.first; j < columns.last; ++j) sum += dy.at(window.output.pixel(at.frame, i, j), c);
        return sum / static_cast<float>(window.kernel * window.kernel);
    }
};

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
void CudaFor<D>::max_pool(const Operand<CudaFor>& x, const Window& window, Out y) {
    using namespace detail::cuda;
    if (x.parts().size() > Parts::capacity) return max_pool(whole(x), window, y);
    for_each_element(*queue_, y, MaxPool{{Parts(x), {x.shape(), y.shape, window.kernel, window.stride}}});
}
template <class D>
void CudaFor<D>::max_pool_backward(const Operand<CudaFor>& x, In dy, const Window& window, Out dx) {
    using namespace detail::cuda;
    if (x.parts().size() > Parts::capacity) return max_pool_backward(whole(x), dy, window, dx);
    for_each_element(*queue_, dx,
                     MaxPoolBackward<Parts>{{Parts(x), {x.shape(), dy.shape, window.kernel, window.stride}}, dy});
}
template <class D>
void CudaFor<D>::max_pool_backward(In dy, const Window& window, In before, Out dx, const GradientSums<CudaFor>& norm) {
    using namespace detail::cuda;
    const NormOfGradients of(norm);
    const PoolingWindow windows{dx.shape, dy.shape, window.kernel, window.stride};
    channel_sums(*queue_, norm.mean.shape.frames, of.group_pixels, dx.shape.channels,
                 PooledGradientToSum{of, windows, dy, before, dx}, norm.sums.data);
}
template <class D>
void CudaFor<D>::average_pool(In x, const Window& window, Out y) {
    using namespace detail::cuda;
    for_each_element(*queue_, y, AveragePool{x, {x.shape, y.shape, window.kernel, window.stride}});
}
template <class D>
void CudaFor<D>::average_pool_backward(In dy, const Window& window, Out dx) {
    using namespace detail::cuda;
    for_each_element(*queue_, dx, AveragePoolBackward{dy, {dx.shape, dy.shape, window.kernel, window.stride}});
}

}  // namespace mtdn
