#pragma once

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/masks.hpp>
#include <mtdn/view/palette.hpp>
#include <mtdn/view/picture.hpp>

namespace mtdn {

/// Where a predicted mask is wrong: false positives dark brown, false negatives light tan.
///
/// @throws ShapeError if the masks differ in size; DataError for values other than 0, 1 and the ignore label
/// @source paper Fig. 6 and 7
inline Picture confusion_map(const Mask& truth, const Mask& prediction, const Palette& palette = {}) {
    detail::require_same_size(truth, prediction, "confusion_map", "truth", "prediction");
    detail::require_codes(truth, 1, "confusion_map", "truth");
    detail::require_codes(prediction, 1, "confusion_map", "prediction");
    Picture picture = blank_picture(extent(truth, 0), extent(truth, 1), palette.ignored);
    const Index width = extent(truth, 1);
    for (Index i = 0; i < static_cast<Index>(truth.size()); ++i) {
        const auto t = truth.data()[i], p = prediction.data()[i];
        if (t == ignore_label || p == ignore_label) continue;
        const Colour wrong = p ? palette.false_positive : palette.false_negative;
        const Colour right = p ? palette.true_positive : palette.true_negative;
        set_pixel(picture, i / width, i % width, t == p ? right : wrong);
    }
    return picture;
}

}  // namespace mtdn
