#pragma once

#include <bit>
#include <cstdint>

namespace mtdn {

/// The value of 16 bits in IEEE 754 half precision; exact.
constexpr float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
    const std::uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
    // Subnormals are multiples of 2^-24.
    if (exponent == 0) {
        const float value = static_cast<float>(fraction) * 0x1p-24f;
        return sign ? -value : value;
    }
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

/// The nearest half-precision number, ties to even; too large becomes infinity, NaN stays NaN.
constexpr std::uint16_t float_to_half(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
    const std::uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return sign | 0x7E00;
    if (magnitude >= 0x47800000) return sign | 0x7C00;  // 2^16 and above, infinity
    if (magnitude < 0x38800000) {
        // Below 2^-14: added to ½, the sum's last bit is worth 2^-24, so the addition does the rounding.
        const float sum = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - 0x3F000000u));
    }
    const std::uint32_t rounded = magnitude - (112u << 23) + 0xFFF + (magnitude >> 13 & 1);
    return static_cast<std::uint16_t>(sign | rounded >> 13);
}

/// The value of 16 bits in bfloat16; exact.
constexpr float bfloat16_to_float(std::uint16_t value) { return std::bit_cast<float>(std::uint32_t{value} << 16); }

}  // namespace mtdn
