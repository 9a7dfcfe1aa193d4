#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>

namespace mtdn {

/// Counts, offsets and sizes. Signed, so that differences are what they look like.
using Index = std::ptrdiff_t;

/// Label of a pixel that counts neither in a loss nor in a score.
inline constexpr std::uint8_t ignore_label = 255;

/// Size of a channels-last tensor (NHWC): frames, height, width, channels.
///
/// Weights use the same type: (k, k, in, out) for a convolution. A vector of C values is (1, 1, 1, C).
struct Shape {
    Index frames = 0;
    Index height = 0;
    Index width = 0;
    Index channels = 0;

    /// Pixels of all frames.
    constexpr Index pixels() const { return frames * height * width; }
    /// Elements.
    constexpr Index size() const { return pixels() * channels; }
    /// The same pixels with another number of channels.
    constexpr Shape with_channels(Index count) const { return {frames, height, width, count}; }
    /// The same size with another number of frames.
    constexpr Shape with_frames(Index count) const { return {count, height, width, channels}; }

    friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

/// Shape of a vector of `count` values.
constexpr Shape vector_shape(Index count) { return {1, 1, 1, count}; }

/// Written as `(2, 64, 64, 32)`.
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
    return out << '(' << shape.frames << ", " << shape.height << ", " << shape.width << ", " << shape.channels << ')';
}

}  // namespace mtdn
