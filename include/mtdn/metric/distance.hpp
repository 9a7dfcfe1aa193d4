#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <mtdn/core/arrays.hpp>

namespace mtdn {

/// Squared Euclidean distance, in pixels², of each pixel's centre to the nearest pixel of a set; exact.
///
/// Infinite everywhere if the set is empty. Takes time proportional to the number of pixels.
///
/// @param set 1 in the set's pixels, else anything other
/// @source Felzenszwalb and Huttenlocher 2012, "Distance transforms of sampled functions"
inline Array<double, 2> squared_distance(const Mask& set) {
    const Index height = extent(set, 0), width = extent(set, 1);
    constexpr double infinity = std::numeric_limits<double>::infinity();
    auto distance = make_array<double>(height, width);
    for (Index i = 0; i < height * width; ++i) distance.data()[i] = set.data()[i] == 1 ? 0.0 : infinity;

    // Lower envelope of the parabolas f(q) + (p − q)² along one line, every `step`-th element of `values`.
    std::vector<double> line, bounds;
    std::vector<Index> centres;
    const auto transform_line = [&](double* values, Index length, Index step) {
        line.clear();
        centres.clear();
        bounds.clear();
        for (Index q = 0; q < length; ++q) {
            const double f = values[q * step];
            line.push_back(f);
            if (f == infinity) continue;
            double from = -infinity;  // where q's parabola comes below that of the last centre
            while (!centres.empty()) {
                const Index last = centres.back();
                from = (f + static_cast<double>(q * q) - line[static_cast<std::size_t>(last)] -
                        static_cast<double>(last * last)) /
                       static_cast<double>(2 * (q - last));
                if (from > bounds.back()) break;
                centres.pop_back();
                bounds.pop_back();
                from = -infinity;
            }
            centres.push_back(q);
            bounds.push_back(from);
        }
        if (centres.empty()) return;
        for (std::size_t p = 0, k = 0; p < line.size(); ++p) {
            while (k + 1 < bounds.size() && bounds[k + 1] < static_cast<double>(p)) ++k;
            const auto apart = static_cast<double>(static_cast<Index>(p) - centres[k]);
            values[static_cast<Index>(p) * step] = line[static_cast<std::size_t>(centres[k])] + apart * apart;
        }
    };
    for (Index x = 0; x < width; ++x) transform_line(distance.data() + x, height, width);
    for (Index y = 0; y < height; ++y) transform_line(distance.data() + y * width, width, 1);
    return distance;
}

}  // namespace mtdn
