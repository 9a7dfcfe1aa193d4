#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <mtdn/core/shape.hpp>
#include <mtdn/view/picture.hpp>

namespace mtdn {

namespace detail {

/// Letters of 5 × 7 pixels for the characters from space to ~: 35 bits each, row after row, the first bit the highest.
inline constexpr std::array<std::uint64_t, 95> glyphs{
    0x000000000, 0x108421004, 0x294A00000, 0x295F57D4A, 0x11F4717C4, 0x632222263, 0x32544564D, 0x108800000, 0x088842082,
    0x208210888, 0x009575480, 0x0084F9080, 0x000003088, 0x0000F8000, 0x00000018C, 0x002222200, 0x3A33AE62E, 0x11842108E,
    0x3A211111F, 0x7C441062E, 0x08CA97C42, 0x7E1E0862E, 0x1910F462E, 0x7C2222108, 0x3A317462E, 0x3A317844C, 0x018C03180,
    0x018C03088, 0x088882082, 0x001F07C00, 0x208208888, 0x3A2111004, 0x3A216D6AE, 0x3A318FE31, 0x7A31F463E, 0x3A308422E,
    0x72518C65C, 0x7E10F421F, 0x7E10F4210, 0x3A30BC62F, 0x4631FC631, 0x38842108E, 0x1C4210A4C, 0x4654C5251, 0x42108421F,
    0x4775AC631, 0x4639ACE31, 0x3A318C62E, 0x7A31F4210, 0x3A318D64D, 0x7A31F5251, 0x3E107043E, 0x7C8421084, 0x46318C62E,
    0x46318C544, 0x4631AD6AA, 0x462A22A31, 0x463151084, 0x7C222221F, 0x39084210E, 0x020820820, 0x38421084E, 0x115100000,
    0x00000001F, 0x208200000, 0x000E0BE2F, 0x4216CC63E, 0x000E8422E, 0x042D9C62F, 0x000E8FE0E, 0x1928E2108, 0x000D9BC2E,
    0x4216CC631, 0x100C2108E, 0x080610A4C, 0x4212A6292, 0x30842108E, 0x001AAD631, 0x0016CC631, 0x000E8C62E, 0x001E8FA10,
    0x000D9BC21, 0x0016CC210, 0x000E8383E, 0x211C42126, 0x00118C66D, 0x00118C544, 0x00118D6AA, 0x001151151, 0x00118BC2E,
    0x001F1111F, 0x088441082, 0x108421084, 0x208411088, 0x0008A8800,
};

/// Shown for a character that is not among them.
inline constexpr std::uint64_t unknown_glyph = 0x7E31'8C63F;  // an empty box

}  // namespace detail

/// Height of a line of text in pixels at scale 1.
inline constexpr Index text_height = 7;

/// Calls `visit` with every character's glyph. A character of several bytes (UTF-8) is one box.
template <class Visit>
void for_each_glyph(std::string_view text, Visit visit) {
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if ((code & 0xC0) == 0x80) continue;
        visit(code >= 32 && code < 127 ? detail::glyphs[code - 32u] : detail::unknown_glyph);
    }
}

/// Width of a text in pixels: 6 a character, less the gap after the last.
inline Index text_width(std::string_view text, Index scale = 1) {
    Index count = 0;
    for_each_glyph(text, [&](std::uint64_t) { ++count; });
    return count == 0 ? 0 : (6 * count - 1) * scale;
}

/// Draws a line of text, its upper left corner at (top, left); what lies outside the picture is left out.
inline void draw_text(Picture& picture, Index top, Index left, std::string_view text, Colour colour = black,
                      Index scale = 1) {
    for_each_glyph(text, [&](std::uint64_t glyph) {
        for (Index bit = 0; bit < 35; ++bit)
            if (glyph >> (34 - bit) & 1)
                fill(picture, top + bit / 5 * scale, left + bit % 5 * scale, scale, scale, colour);
        left += 6 * scale;
    });
}

}  // namespace mtdn
