#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>

namespace mtdn {

/// Volume of a hollow cylinder by its two projected areas and its length; 0 where there is no length.
///
/// @source paper §1, Fig. 1b: A1 = 2RL and A2 = 2rL, so π(R² − r²)L = π(A1² − A2²)/(4L)
inline double hollow_cylinder_volume(double outer_area, double core_area, double length) {
    return length > 0 ? std::numbers::pi * (outer_area * outer_area - core_area * core_area) / (4 * length) : 0;
}

/// A feature's area in pixels, and how far pixels counted by their centres are from the true area.
struct CountedArea {
    double area = 0;
    double error = 0;  ///< standard deviation, px
};

/// Counts a mask's feature pixels.
///
/// The count of lattice points in a region whose outline has the length P and no preferred direction deviates from its
/// area by √(P Σ_{k≠0} |k|⁻³ / (4π³)) = √(0.0728 P) at a random place. P is π/4 of the pixels' edges between feature
/// and background (Cauchy, Crofton).
///
/// @source Matérn 1989, "Precision of area estimation: a numerical study"
inline CountedArea count_area(const std::uint8_t* mask, Index height, Index width) {
    Index feature = 0, edges = 0;
    const auto at = [&](Index y, Index x) { return y < height && x < width && mask[y * width + x] == 1; };
    for (Index y = -1; y < height; ++y)
        for (Index x = -1; x < width; ++x) {
            const bool here = y >= 0 && x >= 0 && at(y, x);
            feature += here;
            if (x >= 0) edges += here != at(y + 1, x);
            if (y >= 0) edges += here != at(y, x + 1);
        }
    return {static_cast<double>(feature), std::sqrt(0.0728 * std::numbers::pi / 4 * static_cast<double>(edges))};
}

/// A direction in the image, of length 1.
struct Axis {
    double x = 1, y = 0;
};

namespace detail {

struct Moments {
    double count = 0, x = 0, y = 0;  // pixels and their centroid
    double long_variance = 0, short_variance = 0;
    Axis axis{};  // of the long one
};

inline Moments moments(const std::uint8_t* mask, Index height, Index width) {
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
    for (Index row = 0; row < height; ++row)
        for (Index column = 0; column < width; ++column) {
            if (mask[row * width + column] != 1) continue;
            const auto x = static_cast<double>(column), y = static_cast<double>(row);
            ++n, sx += x, sy += y, sxx += x * x, sxy += x * y, syy += y * y;
        }
    if (n == 0) return {};
    Moments m{n, sx / n, sy / n, 0, 0, {}};
    const double xx = sxx / n - m.x * m.x, xy = sxy / n - m.x * m.y, yy = syy / n - m.y * m.y;
    const double half = (xx + yy) / 2, gap = std::hypot((xx - yy) / 2, xy);
    m.long_variance = half + gap + 1.0 / 12;  // a pixel is a square, not a point
    m.short_variance = half - gap + 1.0 / 12;
    const double angle = std::atan2(2 * xy, xx - yy) / 2;
    m.axis = {std::cos(angle), std::sin(angle)};
    return m;
}

/// Extent of a mask along an axis: between the places where the width across reaches half of the usual width, which is
/// that at which half of the area lies. Thin stray pixels beyond the ends do not count, gaps between them do.
inline double extent_along(const std::uint8_t* mask, Index height, Index width, const Moments& m, Axis axis) {
    const double reach = std::hypot(static_cast<double>(height), static_cast<double>(width)) + 2;
    std::vector<double> across(static_cast<std::size_t>(2 * reach) + 2, 0);  // one value a px along the axis
    for (Index row = 0; row < height; ++row)
        for (Index column = 0; column < width; ++column) {
            if (mask[row * width + column] != 1) continue;
            const double u = axis.x * (static_cast<double>(column) - m.x) + axis.y * (static_cast<double>(row) - m.y);
            const double at = u + reach, low = std::floor(at);
            across[static_cast<std::size_t>(low)] += 1 - (at - low);
            across[static_cast<std::size_t>(low) + 1] += at - low;
        }
    auto sorted = across;
    std::sort(sorted.begin(), sorted.end());
    double below = 0, level = 0;
    for (const double value : sorted)
        if (below += value; 2 * below >= m.count) {
            level = value / 2;
            break;
        }
    const auto crossing = [level](double outside, double inside) { return (level - outside) / (inside - outside); };
    std::size_t first = 1, last = across.size() - 2;
    while (across[first] < level) ++first;
    while (across[last] < level) --last;
    return static_cast<double>(last - first) + 2 - crossing(across[first - 1], across[first]) -
           crossing(across[last + 1], across[last]);
}

}  // namespace detail

/// Length of a filament in each frame in pixels: the extent of its mask along the mask's principal axis; 0 where the
/// mask is empty.
///
/// Seen from the frame in which the filament is longest, forwards and back, its axis does not turn by more than 45°
/// between frames: a stub that is wider than long has the other principal axis, and one whose sides differ by less than
/// a factor of 1.5, so that they tell no direction, has the axis of the frame before.
inline std::vector<double> lengths_along_axis(const Masks& masks) {
    constexpr double telling = 1.5;
    const Index frames = extent(masks, 0), height = extent(masks, 1), width = extent(masks, 2);
    std::vector<detail::Moments> all;
    for (Index i = 0; i < frames; ++i) all.push_back(detail::moments(frame_data(masks, i), height, width));
    const Index longest =
        std::max_element(all.begin(), all.end(),
                         [](const auto& a, const auto& b) { return a.long_variance < b.long_variance; }) -
        all.begin();
    std::vector<double> lengths(all.size(), 0);
    Axis axis;
    const auto measure = [&](Index i) {
        const auto& m = all[static_cast<std::size_t>(i)];
        if (m.count == 0) return;
        if (m.long_variance > telling * telling * m.short_variance) {
            const double along = std::abs(axis.x * m.axis.x + axis.y * m.axis.y);
            axis = i == longest || along > std::sqrt(0.5) ? m.axis : Axis{-m.axis.y, m.axis.x};
        } else if (i == longest) {
            axis = m.axis;
        }
        lengths[static_cast<std::size_t>(i)] = detail::extent_along(frame_data(masks, i), height, width, m, axis);
    };
    for (Index i = longest; i < frames; ++i) measure(i);
    for (Index i = longest; i >= 0 && i < frames; --i) measure(i);
    return lengths;
}

/// Pixels of the core outside the filament, in each frame.
///
/// @throws ShapeError
inline std::vector<Index> stray_core_pixels(const Masks& outer, const Masks& core) {
    detail::require_same_size(outer, core, "stray_core_pixels", "filament's masks", "core's");
    std::vector<Index> counts(extent(outer, 0), 0);
    const std::size_t pixels = counts.empty() ? 0 : outer.size() / counts.size();
    for (std::size_t i = 0; i < outer.size(); ++i) counts[i / pixels] += core.data()[i] == 1 && outer.data()[i] != 1;
    return counts;
}

/// The core's masks less what lies outside the filament.
///
/// @throws ShapeError
inline Masks core_inside(const Masks& outer, const Masks& core) {
    detail::require_same_size(outer, core, "core_inside", "filament's masks", "core's");
    Masks inside = core;
    for (std::size_t i = 0; i < outer.size(); ++i)
        if (outer.data()[i] != 1) inside.data()[i] = 0;
    return inside;
}

}  // namespace mtdn
