#pragma once

#include <cstdint>

#include <mtdn/core/error.hpp>

namespace mtdn {

/// Which values a mask file uses for the feature and for everything else, on the scale of 8 bits.
struct MaskPolarity {
    std::uint8_t feature = 255;   ///< value of a pixel where the feature is
    std::uint8_t background = 0;  ///< value of every other pixel

    friend constexpr bool operator==(const MaskPolarity&, const MaskPolarity&) = default;
};

/// Throws unless the two values differ.
///
/// @throws OptionError
constexpr void require_valid(MaskPolarity polarity) {
    require<OptionError>(polarity.feature != polarity.background,
                         "MaskPolarity: feature and background must differ, both are ", int{polarity.feature});
}

}  // namespace mtdn
