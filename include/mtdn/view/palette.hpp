#pragma once

#include <array>
#include <string_view>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/view/picture.hpp>

namespace mtdn {

/// The colours of all pictures; the default is the paper's.
///
/// @source paper Fig. 4, 6, 7
struct Palette {
    /// Tasks in order; more tasks begin again at the first.
    std::vector<Colour> tasks{{210, 105, 30}, {244, 164, 94}, {70, 130, 180},
                              {60, 179, 113}, {186, 85, 211}, {218, 165, 32}};
    /// Categories by index: no change, appearing, disappearing, overlapping.
    std::array<Colour, 4> categories{{{255, 255, 255}, {220, 40, 40}, {40, 160, 60}, {150, 150, 150}}};
    Colour false_positive{101, 67, 33};    ///< predicted, not true
    Colour false_negative{210, 180, 140};  ///< true, not predicted
    Colour true_positive{225, 225, 225};   ///< both
    Colour true_negative{255, 255, 255};   ///< neither
    Colour ignored{200, 200, 255};         ///< pixels with the ignore label
    /// Lines of a plot in order; more lines begin again at the first.
    std::vector<Colour> lines{{40, 160, 60},  {231, 84, 128}, {0, 114, 178}, {230, 159, 0},
                              {86, 180, 233}, {110, 80, 50},  {0, 0, 0}};

    Colour task(Index i) const { return tasks[static_cast<std::size_t>(i) % tasks.size()]; }
    Colour line(Index i) const { return lines[static_cast<std::size_t>(i) % lines.size()]; }
};

/// Colours that differ for every kind of colour vision.
///
/// @source Okabe and Ito 2008, "Color universal design"
inline Palette colour_blind_safe_palette() {
    const Colour orange{230, 159, 0}, sky{86, 180, 233}, green{0, 158, 115}, yellow{240, 228, 66}, blue{0, 114, 178},
        vermilion{213, 94, 0}, purple{204, 121, 167};
    Palette palette;
    palette.tasks = {vermilion, yellow, blue, green, purple, sky};
    palette.categories = {{white, vermilion, blue, {150, 150, 150}}};
    palette.false_positive = blue;
    palette.false_negative = orange;
    palette.lines = {green, purple, blue, orange, sky, vermilion, black};
    return palette;
}

/// The names of palettes: "paper", the default, and "okabe-ito", the colour-blind-safe one.
inline constexpr std::array<std::string_view, 2> palette_names{"paper", "okabe-ito"};

/// The palette of that name.
///
/// @throws OptionError for a name that is not among `palette_names`
inline Palette palette_named(std::string_view name) {
    require<OptionError>(name == palette_names[0] || name == palette_names[1], "palette_named: expected ",
                         palette_names[0], " or ", palette_names[1], ", got \"", name, "\"");
    return name == palette_names[0] ? Palette{} : colour_blind_safe_palette();
}

}  // namespace mtdn
