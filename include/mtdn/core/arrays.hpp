#pragma once

// The one place that includes xtensor, whose headers moved in 0.26.
#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#endif

#include <cstdint>
#include <map>
#include <string>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// Host array of N dimensions, row-major, contiguous.
template <class T, std::size_t N>
using Array = xt::xtensor<T, N, xt::layout_type::row_major>;

/// One grey frame, (height, width), values in [0, 1].
using Image = Array<float, 2>;
/// Frames, (frames, height, width, channels), values in [0, 1].
using Images = Array<float, 4>;
/// One mask, (height, width): 1 where the feature is, 0 elsewhere.
using Mask = Array<std::uint8_t, 2>;
/// Masks, (frames, height, width): 1 where the feature is, 0 elsewhere.
using Masks = Array<std::uint8_t, 3>;
/// Masks of several tasks by the task's name, all of one size.
using TaskMasks = std::map<std::string, Masks>;
/// Labels, (frames, height, width): class indices, or `ignore_label`.
using Labels = Array<std::uint8_t, 3>;

/// An uninitialised array of the given size: `make_array<float>(n, h, w)`.
template <class T, class... Sizes>
Array<T, sizeof...(Sizes)> make_array(Sizes... sizes) {
    return Array<T, sizeof...(Sizes)>::from_shape({static_cast<std::size_t>(sizes)...});
}

/// An array of the given size filled with one value: `full_array<float>(0, n, h, w)`.
template <class T, class... Sizes>
Array<T, sizeof...(Sizes)> full_array(T value, Sizes... sizes) {
    auto array = make_array<T>(sizes...);
    array.fill(value);
    return array;
}

/// Length of one dimension, signed.
template <class A>
Index extent(const A& array, std::size_t dimension) {
    return static_cast<Index>(array.shape()[dimension]);
}

/// Shape of an array of 4 dimensions (frames, height, width, channels), or of 3 (frames, height, width; one channel).
template <class A>
Shape shape_of(const A& array) {
    const auto dimensions = array.dimension();
    require<ShapeError>(dimensions == 3 || dimensions == 4, "shape_of: expected 3 or 4 dimensions, got ", dimensions);
    return {extent(array, 0), extent(array, 1), extent(array, 2), dimensions == 4 ? extent(array, 3) : 1};
}

/// The i-th (height, width[, channels]) slab of an array, without a copy: a contiguous span of its elements.
template <class A>
auto frame_data(A& array, Index frame) {
    Index size = 1;
    for (std::size_t d = 1; d < array.dimension(); ++d) size *= extent(array, d);
    return array.data() + frame * size;
}

}  // namespace mtdn
