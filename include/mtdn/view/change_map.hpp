#pragma once

#include <cstdint>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/masks.hpp>
#include <mtdn/view/palette.hpp>
#include <mtdn/view/picture.hpp>

namespace mtdn {

/// The categories of one pair as a picture: appearing red, disappearing green, overlapping grey, no change white.
///
/// @shape  (height, width) of categories 0…3 or the ignore label
/// @throws DataError for any other value, with its pixel
/// @source paper Fig. 4
inline Picture change_map(const Array<std::uint8_t, 2>& categories, const Palette& palette = {}) {
    detail::require_codes(categories, 3, "change_map", "map");
    Picture picture = blank_picture(extent(categories, 0), extent(categories, 1), palette.ignored);
    for (Index y = 0; y < extent(categories, 0); ++y) {
        for (Index x = 0; x < extent(categories, 1); ++x) {
            const auto category = categories(static_cast<std::size_t>(y), static_cast<std::size_t>(x));
            if (category != ignore_label) set_pixel(picture, y, x, palette.categories[category]);
        }
    }
    return picture;
}

}  // namespace mtdn
