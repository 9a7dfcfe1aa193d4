#pragma once

#include <cstdint>

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// How a frame that is kept on a device comes onto a canvas: flipped, turned, magnified and blurred, its grey values
/// changed.
///
/// One frame of a batch, as kernels read it. Its lines' weights are tables of 32-bit words: for a line of L pixels L
/// first elements, L nearest ones, and L × taps weights in single precision.
struct FrameMove {
    Index origin = 0;             ///< element of the store where the flipped and turned frame begins
    Index down = 0, across = 0;   ///< elements from there to the next row and to the next pixel
    std::int32_t height = 0, width = 0;
    std::int32_t rows = 0, columns = 0;  ///< where the lines' tables begin, words from the list's beginning
    std::int32_t row_taps = 0, column_taps = 0;
    float brightness = 1, contrast = 1;
    std::int32_t contrast_first = 0;
    std::int32_t unused = 0;
};

/// What is labelled: a pair of the list's frames, by the categories of change; or one frame, by its mask, where there
/// is no partner; or nothing, where there is no query.
struct FrameItem {
    std::int32_t query = -1, partner = -1;
};

/// Brings frames from a store onto canvases. A list is bytes: `FrameMove`s, one a frame, then `FrameItem`s, then
/// tables.
///
/// `b.place_frames(store, list, y)`: grey values in [0, 1] → frames of y as networks take them, (x − ½)/½ in every
///   channel; beyond a frame its edge is repeated.
/// `b.place_labels(store, list, frames, labels)`: masks → labels of the items behind `frames` moves; 255 where a mask
///   is, and beyond a frame.
template <class B>
concept places_frames = requires(B& b, detail::In<B> store, detail::InLabels<B> bytes, detail::Out<B> y, Index frames,
                                 detail::OutLabels<B> labels) {
    { b.place_frames(store, bytes, y) } -> std::same_as<void>;
    { b.place_labels(bytes, bytes, frames, labels) } -> std::same_as<void>;
};

}  // namespace mtdn
