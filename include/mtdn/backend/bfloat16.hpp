#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define MTDN_HOST_DEVICE __host__ __device__
#else
#define MTDN_HOST_DEVICE
#endif

namespace mtdn {

/// A number in 16 bits: the upper half of one in single precision, with 8 significant bits and the same range.
struct BFloat16 {
    std::uint16_t bits = 0;

    /// The nearest to `value`, of two equally near ones the even one; not a number stays so.
    MTDN_HOST_DEVICE static constexpr BFloat16 nearest(float value) {
        const auto all = __builtin_bit_cast(std::uint32_t, value);
        const std::uint32_t up = all + 0x7FFF + (all >> 16 & 1), quiet = all | 0x40'0000;
        return {static_cast<std::uint16_t>((value == value ? up : quiet) >> 16)};
    }
    MTDN_HOST_DEVICE constexpr float value() const {
        return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
    }
};

}  // namespace mtdn
