#pragma once

#include <mtdn/backend/cuda/block.hpp>

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

/// What a target row (or column) takes: two source rows, and the weight of each.
struct Taps {
    Index position[2];
    float weight[2];

    /// All that the target takes of source row `row`.
    MTDN_DEVICE float of(Index row) const {
        return (position[0] == row ? weight[0] : 0.0F) + (position[1] == row ? weight[1] : 0.0F);
    }
};

struct Nearest {
    MTDN_DEVICE static Taps taps(Index target, Index from, Index to) {
        const Index position = target * from / to;
        return {{position, position}, {1.0F, 0.0F}};
    }
};

struct Bilinear {
    MTDN_DEVICE static Taps taps(Index target, Index from, Index to) {
        // The centre, (target + 1/2) from/to − 1/2, in parts of 2 to: exact, however large the picture.
        const Index centre = (2 * target + 1) * from - to, whole = 2 * to;
        if (centre < 0) return {{0, 0}, {1.0F, 0.0F}};
        const Index first = centre / whole;
        const float part = static_cast<float>(centre % whole) / static_cast<float>(whole);
        return {{first, first + 1 < from ? first + 1 : from - 1}, {1.0F - part, part}};
    }
};

template <class Side>
struct Resize {
    Pixels<const float> x;
    Extent from, to;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const auto at = to.place(p);
        const Taps rows = Side::taps(at.row, from.height, to.height);
        const Taps columns = Side::taps(at.column, from.width, to.width);
        float sum = 0;
        for (int a = 0; a < 2; ++a)
            for (int b = 0; b < 2; ++b) {
                const float weight = rows.weight[a] * columns.weight[b];
                // What does not count may be infinite.
                if (weight != 0) sum += weight * x.at(from.pixel(at.frame, rows.position[a], columns.position[b]), c);
            }
        return sum;
    }
};

/// Sums what every target takes of a source pixel, over the targets that may take any.
template <class Side>
struct ResizeBackward {
    Pixels<const float> dy;
    Extent from, to;  // dx is `from`, dy is `to`

    struct Run {
        Index first, last;  // last excluded
    };
    // A target takes of rows less than 1 from its centre, which lies within 1 of target · from / to.
    MTDN_DEVICE static Run targets(Index row, Index from, Index to) {
        const Index first = (row - 2) * to / from, last = (row + 3) * to / from + 1;
        return {first < 0 ? 0 : first, last < to ? last : to};
    }
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const auto at = from.place(p);
        const Run rows = targets(at.row, from.height, to.height), columns = targets(at.column, from.width, to.width);
        float sum = 0;
        for (Index i = rows.first; i < rows.last; ++i) {
            const float row_weight = Side::taps(i, from.height, to.height).of(at.row);
            if (row_weight == 0) continue;
            for (Index j = columns.first; j < columns.last; ++j) {
                const float weight = row_weight * Side::taps(j, from.width, to.width).of(at.column);
                if (weight != 0) sum += weight * dy.at(to.pixel(at.frame, i, j), c);
            }
        }
        return sum;
    }
};

struct PadEdge {
    Pixels<const float> x;
    Extent from, to;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const auto at = to.place(p);
        const Index row = at.row < from.height ? at.row : from.height - 1;
        const Index column = at.column < from.width ? at.column : from.width - 1;
        return x.at(from.pixel(at.frame, row, column), c);
    }
};

/// The top left of x, and zero where x ends.
struct Crop {
    Pixels<const float> x;
    Extent from, to;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const auto at = to.place(p);
        if (at.row >= from.height || at.column >= from.width) return 0;
        return x.at(from.pixel(at.frame, at.row, at.column), c);
    }
};

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
void CudaFor<D>::resize_nearest(In x, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Resize<detail::cuda::Nearest>{x, x.shape, y.shape});
}
template <class D>
void CudaFor<D>::resize_nearest_backward(In dy, Out dx) {
    detail::cuda::for_each_element(*queue_, dx,
                                   detail::cuda::ResizeBackward<detail::cuda::Nearest>{dy, dx.shape, dy.shape});
}
template <class D>
void CudaFor<D>::resize_bilinear(In x, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Resize<detail::cuda::Bilinear>{x, x.shape, y.shape});
}
template <class D>
void CudaFor<D>::resize_bilinear_backward(In dy, Out dx) {
    detail::cuda::for_each_element(*queue_, dx,
                                   detail::cuda::ResizeBackward<detail::cuda::Bilinear>{dy, dx.shape, dy.shape});
}
template <class D>
void CudaFor<D>::pad_edge(In x, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::PadEdge{x, x.shape, y.shape});
}
template <class D>
void CudaFor<D>::crop(In x, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Crop{x, x.shape, y.shape});
}
template <class D>
void CudaFor<D>::crop_backward(In dy, Out dx) {
    crop(dy, dx);
}

}  // namespace mtdn
