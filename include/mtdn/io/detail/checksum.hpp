#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mtdn::detail {

/// Cyclic redundancy check of 32 bits, bits reflected, begun and ended with all bits inverted.
///
/// @tparam polynomial reflected: 0xEDB88320 for PNG (its specification, annex D), 0x82F63B78 for CRC-32C (RFC 3720,
/// B.4)
template <std::uint32_t polynomial>
std::uint32_t crc(std::string_view bytes) {
    static constexpr auto table = [] {
        std::array<std::uint32_t, 256> entries{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            entries[i] = i;
            for (int bit = 0; bit < 8; ++bit) entries[i] = (entries[i] >> 1) ^ (entries[i] & 1 ? polynomial : 0);
        }
        return entries;
    }();
    std::uint32_t value = ~std::uint32_t{0};
    for (const char c : bytes) value = table[(value ^ static_cast<unsigned char>(c)) & 255] ^ (value >> 8);
    return ~value;
}

}  // namespace mtdn::detail
