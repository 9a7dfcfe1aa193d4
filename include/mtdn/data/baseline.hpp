#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include <mtdn/core/arrays.hpp>

namespace mtdn {

/// Otsu's threshold of grey values in [0, 1], to 1/256: what is below it is dark.
///
/// @source Otsu 1979
inline float otsu_threshold(const Image& frame) {
    std::array<double, 256> histogram{};
    for (const float* at = frame.data(); at != frame.data() + frame.size(); ++at)
        ++histogram[static_cast<std::size_t>(std::clamp(*at, 0.0F, 1.0F) * 255 + 0.5F)];
    double total = 0, moment = 0, below = 0, below_moment = 0, best = -1;
    for (std::size_t i = 0; i < 256; ++i) {
        total += histogram[i];
        moment += histogram[i] * static_cast<double>(i);
    }
    float threshold = 0;
    for (std::size_t i = 0; i + 1 < 256; ++i) {
        below += histogram[i];
        below_moment += histogram[i] * static_cast<double>(i);
        if (below == 0 || below == total) continue;
        const double apart = below_moment / below - (moment - below_moment) / (total - below);
        const double between = below * (total - below) * apart * apart;
        if (between <= best) continue;
        best = between;
        threshold = (static_cast<float>(i) + 0.5F) / 255;
    }
    return threshold;
}

/// The frame averaged over (2·radius + 1)² pixels, edges repeated.
inline Image box_mean(const Image& frame, Index radius) {
    const Index height = extent(frame, 0), width = extent(frame, 1);
    Image rows = frame, result = frame;
    const auto pass = [&](const Image& from, Image& to, Index dy, Index dx) {
        for (Index y = 0; y < height; ++y)
            for (Index x = 0; x < width; ++x) {
                float sum = 0;
                for (Index k = -radius; k <= radius; ++k)
                    sum += from.data()[std::clamp<Index>(y + k * dy, 0, height - 1) * width +
                                       std::clamp<Index>(x + k * dx, 0, width - 1)];
                to.data()[y * width + x] = sum / static_cast<float>(2 * radius + 1);
            }
    };
    pass(frame, rows, 0, 1);
    pass(rows, result, 1, 0);
    return result;
}

/// What is darker than Otsu's threshold, after a 5 × 5 mean against the noise: a baseline for A1.
inline Mask otsu_mask(const Image& frame) {
    const Image smooth = box_mean(frame, 2);
    const float threshold = otsu_threshold(smooth);
    Mask mask = make_array<std::uint8_t>(extent(frame, 0), extent(frame, 1));
    std::transform(smooth.data(), smooth.data() + smooth.size(), mask.data(),
                   [threshold](float x) -> std::uint8_t { return x < threshold ? 1 : 0; });
    return mask;
}

/// What the dark walls enclose, not reachable from the border over bright pixels (4-neighbours): a baseline for A2.
inline Mask filled_interior(const Image& frame) {
    const Mask dark = otsu_mask(frame);
    const Index height = extent(frame, 0), width = extent(frame, 1);
    Mask interior = make_array<std::uint8_t>(height, width);
    std::transform(dark.data(), dark.data() + dark.size(), interior.data(),
                   [](std::uint8_t x) -> std::uint8_t { return x == 0 ? 1 : 0; });
    std::vector<Index> reached;
    const auto visit = [&](Index y, Index x) {
        if (y < 0 || x < 0 || y >= height || x >= width || interior.data()[y * width + x] == 0) return;
        interior.data()[y * width + x] = 0;
        reached.push_back(y * width + x);
    };
    for (Index y = 0; y < height; ++y) visit(y, 0), visit(y, width - 1);
    for (Index x = 0; x < width; ++x) visit(0, x), visit(height - 1, x);
    while (!reached.empty()) {
        const Index at = reached.back(), y = at / width, x = at % width;
        reached.pop_back();
        visit(y - 1, x), visit(y + 1, x), visit(y, x - 1), visit(y, x + 1);
    }
    return interior;
}

}  // namespace mtdn
