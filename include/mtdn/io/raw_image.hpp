#pragma once

#include <cstdint>
#include <vector>

#include <mtdn/core/shape.hpp>

namespace mtdn {

/// A picture as a file holds it: palettes and depths below 8 bits expanded, nothing else changed.
struct RawImage {
    Index height = 0;                   ///< rows
    Index width = 0;                    ///< columns
    Index channels = 0;                 ///< 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha
    int bits = 8;                       ///< 8 or 16: values reach 255 or 65535
    std::vector<std::uint16_t> values;  ///< (height, width, channels)

    /// The channels of one pixel.
    const std::uint16_t* pixel(Index row, Index column) const {
        return values.data() + (row * width + column) * channels;
    }
};

}  // namespace mtdn
