#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// A picture to look at, (height, width, 3), RGB.
using Picture = Array<std::uint8_t, 3>;

/// One RGB colour.
struct Colour {
    std::uint8_t red = 0, green = 0, blue = 0;

    friend constexpr bool operator==(const Colour&, const Colour&) = default;
};

inline constexpr Colour white{255, 255, 255};
inline constexpr Colour black{0, 0, 0};

/// A picture of one colour.
inline Picture blank_picture(Index height, Index width, Colour colour = white) {
    auto picture = make_array<std::uint8_t>(height, width, 3);
    for (Index i = 0; i < height * width; ++i) {
        picture.data()[3 * i] = colour.red;
        picture.data()[3 * i + 1] = colour.green;
        picture.data()[3 * i + 2] = colour.blue;
    }
    return picture;
}

/// The colour of a pixel inside the picture.
inline Colour pixel(const Picture& picture, Index row, Index column) {
    const auto* p = picture.data() + (row * extent(picture, 1) + column) * 3;
    return {p[0], p[1], p[2]};
}

/// Sets a pixel; one outside the picture is left out.
inline void set_pixel(Picture& picture, Index row, Index column, Colour colour) {
    if (row < 0 || column < 0 || row >= extent(picture, 0) || column >= extent(picture, 1)) return;
    auto* p = picture.data() + (row * extent(picture, 1) + column) * 3;
    p[0] = colour.red, p[1] = colour.green, p[2] = colour.blue;
}

/// Fills a rectangle, cut at the picture's border.
inline void fill(Picture& picture, Index top, Index left, Index height, Index width, Colour colour) {
    for (Index y = top; y < top + height; ++y)
        for (Index x = left; x < left + width; ++x) set_pixel(picture, y, x, colour);
}

/// The colour that lies `opacity` of the way from `below` to `above`, rounded.
inline Colour blend(Colour below, Colour above, double opacity) {
    const auto mix = [opacity](std::uint8_t a, std::uint8_t b) {
        return static_cast<std::uint8_t>(std::lround(a + opacity * (b - a)));
    };
    return {mix(below.red, above.red), mix(below.green, above.green), mix(below.blue, above.blue)};
}

/// A grey frame with values in [0, 1] as a picture; values outside are clamped.
inline Picture grey_picture(const Image& frame) {
    auto picture = make_array<std::uint8_t>(extent(frame, 0), extent(frame, 1), 3);
    for (std::size_t i = 0; i < frame.size(); ++i) {
        const float value = frame.data()[i];
        const auto byte = static_cast<std::uint8_t>(value > 0 ? std::lround(std::fmin(value, 1.0f) * 255) : 0);
        std::fill_n(picture.data() + 3 * i, 3, byte);
    }
    return picture;
}

/// The first channel of one of several frames.
///
/// @throws OptionError if there is no such frame
inline Image first_channel(const Images& frames, Index frame) {
    require<OptionError>(frame >= 0 && frame < extent(frames, 0), "first_channel: there are ", extent(frames, 0),
                         " frames, got frame ", frame);
    auto image = make_array<float>(extent(frames, 1), extent(frames, 2));
    const Index channels = extent(frames, 3);
    for (Index i = 0; i < static_cast<Index>(image.size()); ++i)
        image.data()[i] = frame_data(frames, frame)[i * channels];
    return image;
}

/// Copies `part` into the picture, its corner at (top, left), cut at the picture's border.
inline void paste(Picture& picture, const Picture& part, Index top, Index left) {
    for (Index y = 0; y < extent(part, 0); ++y)
        for (Index x = 0; x < extent(part, 1); ++x) set_pixel(picture, top + y, left + x, pixel(part, y, x));
}

/// The picture with every pixel repeated `factor` times both ways.
inline Picture enlarged(const Picture& picture, Index factor) {
    require<OptionError>(factor >= 1, "enlarged: factor must be at least 1, got ", factor);
    auto large = make_array<std::uint8_t>(extent(picture, 0) * factor, extent(picture, 1) * factor, 3);
    for (Index y = 0; y < extent(large, 0); ++y)
        for (Index x = 0; x < extent(large, 1); ++x) set_pixel(large, y, x, pixel(picture, y / factor, x / factor));
    return large;
}

}  // namespace mtdn
