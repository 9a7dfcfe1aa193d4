#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include <mtdn/change/accumulator.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/experiment/segment_options.hpp>

namespace mtdn {

/// A way of seeing a frame: mirrored, then its rows and columns exchanged.
struct Flip {
    bool vertical = false;    ///< the last row comes first
    bool horizontal = false;  ///< the last column comes first
    bool transposed = false;

    friend constexpr bool operator==(const Flip&, const Flip&) = default;
};

/// The first 1, 4 (mirrored each way) or 8 (and turned) ways of seeing a frame, the frame as it is first.
///
/// @throws OptionError for any other number
[[gnu::cold]] inline std::vector<Flip> flips(Index count) {
    require<OptionError>(count == 1 || count == 4 || count == 8, "flips: expected 1, 4 or 8, got ", count);
    std::vector<Flip> all;
    for (Index i = 0; i < count; ++i) all.push_back({(i & 1) != 0, (i & 2) != 0, (i & 4) != 0});
    return all;
}

namespace detail {

/// Calls `move(seen, place)` for each pixel of a frame: where it is seen, and its own place, counted row by row.
template <class Move>
void for_each_flipped(const Flip& flip, Index height, Index width, Move&& move) {
    for (Index y = 0; y < height; ++y)
        for (Index x = 0; x < width; ++x) {
            const Index row = flip.vertical ? height - 1 - y : y, column = flip.horizontal ? width - 1 - x : x;
            move(flip.transposed ? column * height + row : row * width + column, y * width + x);
        }
}

}  // namespace detail

/// Frames, seen in this way.
///
/// @shape (N, H, W, C) → the same, or (N, W, H, C) if transposed
inline Images flipped(const Images& frames, const Flip& flip) {
    const Index count = extent(frames, 0), height = extent(frames, 1), width = extent(frames, 2);
    const Index channels = extent(frames, 3);
    auto result = flip.transposed ? make_array<float>(count, width, height, channels)
                                  : make_array<float>(count, height, width, channels);
    for (Index i = 0; i < count; ++i) {
        const float* from = frame_data(frames, i);
        float* to = frame_data(result, i);
        detail::for_each_flipped(flip, height, width, [&](Index seen, Index place) {
            for (Index c = 0; c < channels; ++c) to[seen * channels + c] = from[place * channels + c];
        });
    }
    return result;
}

/// Segments a sequence in `options.flips` ways of seeing it, one after the other, and averages the probabilities; of
/// one way, what `segment` gives.
///
/// @param segment segments frames; of several ways, by probabilities, which it gives as `share`
/// @throws OptionError if the number of flips is none of 1, 4 and 8
[[gnu::cold]] inline Segmentation segment_flipped(
    const Images& frames, const SegmentOptions& options,
    const std::function<Segmentation(const Images&, const SegmentOptions&)>& segment) {
    const auto ways = flips(options.flips);
    if (ways.size() == 1) return segment(frames, options);
    const auto count = static_cast<Index>(ways.size());
    const Index height = extent(frames, 1), width = extent(frames, 2);
    Segmentation result;
    for (Index way = 0; way < count; ++way) {
        const Flip& flip = ways[static_cast<std::size_t>(way)];
        SegmentOptions of_way = options;
        if (options.progress)
            of_way.progress = [&](Index done, Index total) { options.progress(way * total + done, count * total); };
        const Segmentation one = segment(flipped(frames, flip), of_way);
        result.passes += one.passes;
        for (const auto& [task, share] : one.share) {
            auto& sum = result.share[task];
            if (way == 0) sum = full_array<float>(0, extent(frames, 0), height, width);
            for (Index i = 0; i < extent(frames, 0); ++i) {
                const float* from = frame_data(share, i);
                float* to = frame_data(sum, i);
                detail::for_each_flipped(flip, height, width,
                                         [&](Index seen, Index place) { to[place] += from[seen]; });
            }
        }
        for (const auto& [name, areas] : one.areas) {
            auto& mean = result.areas[name];
            mean.resize(areas.size());
            for (std::size_t i = 0; i < areas.size(); ++i) {
                mean[i].resize(areas[i].size());
                for (std::size_t n = 0; n < areas[i].size(); ++n)
                    mean[i][n] += areas[i][n] / static_cast<double>(count);
            }
        }
    }
    for (auto& [task, share] : result.share) {
        auto& mask = result.masks[task] = make_array<std::uint8_t>(extent(frames, 0), height, width);
        auto& uncertainty = result.uncertainty[task] = make_array<float>(extent(frames, 0), height, width);
        for (std::size_t i = 0; i < share.size(); ++i) {
            const float mean = share.data()[i] /= static_cast<float>(count);  // exact: a power of two
            mask.data()[i] = mean > 0.5F;
            uncertainty.data()[i] = static_cast<float>(binary_entropy(std::min(1.0, static_cast<double>(mean))));
        }
    }
    return result;
}

}  // namespace mtdn
