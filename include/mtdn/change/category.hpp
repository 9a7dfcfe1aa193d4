#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <mtdn/core/shape.hpp>

namespace mtdn {

/// What becomes of a feature in one pixel from the query frame to its partner.
///
/// The index is in(partner)·1 + in(query)·2.
///
/// @source paper §2.1.2
enum class Category : std::uint8_t {
    no_change = 0,     ///< in neither frame
    appearing = 1,     ///< in the partner only
    disappearing = 2,  ///< in the query only
    overlapping = 3,   ///< in both frames
};

/// Number of categories.
inline constexpr Index category_count = 4;

/// The category of a pixel that is, or is not, in the feature in the query frame and in its partner.
constexpr Category categorise(bool query, bool partner) {
    return static_cast<Category>((partner ? 1 : 0) + (query ? 2 : 0));
}

/// Whether the feature covers the pixel in the query frame.
constexpr bool in_query(Category category) { return (static_cast<std::uint8_t>(category) & 2) != 0; }

/// Whether the feature covers the pixel in the partner.
constexpr bool in_partner(Category category) { return (static_cast<std::uint8_t>(category) & 1) != 0; }

/// The category when query and partner change places: appearing and disappearing are exchanged.
constexpr Category swapped(Category category) { return categorise(in_partner(category), in_query(category)); }

/// The category's name: "no change", "appearing", "disappearing" or "overlapping".
constexpr std::string_view name(Category category) {
    constexpr std::array<std::string_view, 4> names{"no change", "appearing", "disappearing", "overlapping"};
    return names[static_cast<std::uint8_t>(category) & 3];
}

namespace detail {

/// Deriving and recovering undo each other, and swapping exchanges the frames, in all four cases.
constexpr bool category_algebra_holds() {
    for (const bool query : {false, true})
        for (const bool partner : {false, true}) {
            const Category category = categorise(query, partner);
            if (in_query(category) != query || in_partner(category) != partner) return false;
            if (categorise(in_query(category), in_partner(category)) != category) return false;
            if (swapped(category) != categorise(partner, query) || swapped(swapped(category)) != category) return false;
        }
    return true;
}

static_assert(category_algebra_holds());
static_assert(categorise(false, false) == Category::no_change && categorise(false, true) == Category::appearing &&
              categorise(true, false) == Category::disappearing && categorise(true, true) == Category::overlapping);

}  // namespace detail
}  // namespace mtdn
