#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/data/resize.hpp>

namespace mtdn {

namespace detail {

/// One line of the magnified, cropped and blurred frame as weights on the turned frame's line.
struct LineMap {
    Resampling weights;
    std::vector<Index> nearest;  // for masks
    std::vector<double> gauss;

    void set(Index length, double scale, double crop, double sigma) {
        const auto n = static_cast<double>(length);
        const double offset = crop * (scale - 1) * n;
        const auto centre = [&](Index i) { return (static_cast<double>(i) + 0.5 + offset) / scale - 0.5; };
        const auto radius = sigma > 0 ? static_cast<Index>(std::ceil(3 * sigma)) : 0;
        // Room for a blur of 2 px and less, so that other draws need no more.
        weights.weights.reserve(static_cast<std::size_t>(16 * length));
        gauss.reserve(16);
        gauss.clear();
        weights.first.clear();
        nearest.clear();
        weights.first.reserve(static_cast<std::size_t>(length));
        nearest.reserve(static_cast<std::size_t>(length));
        double sum = 0;
        for (Index k = -radius; k <= radius; ++k) {
            const auto x = static_cast<double>(k);
            gauss.push_back(radius == 0 ? 1 : std::exp(-x * x / (2 * sigma * sigma)));
            sum += gauss.back();
        }
        weights.taps = std::min(length, 2 * radius + 4);
        weights.weights.assign(static_cast<std::size_t>(length * weights.taps), 0.0F);
        for (Index i = 0; i < length; ++i) {
            const Index low = std::max<Index>(0, i - radius);
            const auto wanted = static_cast<Index>(std::floor(centre(low))) - 1;
            const Index first = std::clamp<Index>(wanted, 0, length - weights.taps);
            weights.first.push_back(first);
            float* row = weights.weights.data() + i * weights.taps;
            for (Index k = -radius; k <= radius; ++k) {
                const double at = centre(std::clamp<Index>(i + k, 0, length - 1));
                const auto base = static_cast<Index>(std::floor(at));
                for (Index j = base - 1; j <= base + 2; ++j) {
                    const Index tap = std::clamp<Index>(j, 0, length - 1) - first;
                    const double weight = bicubic_weight(at - static_cast<double>(j));
                    row[std::clamp<Index>(tap, 0, weights.taps - 1)] +=
                        static_cast<float>(gauss[static_cast<std::size_t>(k + radius)] / sum * weight);
                }
            }
            nearest.push_back(std::clamp<Index>(static_cast<Index>(std::floor(centre(i) + 0.5)), 0, length - 1));
        }
    }
};

}  // namespace detail

/// Memory of `transform`, to be used again.
struct FrameScratch {
    detail::LineMap rows, columns;
    std::vector<float> line, half;
};

/// A frame and its masks to read, row by row; a null mask is a task that is not labelled.
struct FrameSource {
    const float* frame = nullptr;
    InlineVector<const std::uint8_t*, 8> masks{};
    Index height = 0;
    Index width = 0;
};

/// A canvas and its masks to write; every value is overwritten.
struct FrameTarget {
    float* frame = nullptr;
    InlineVector<std::uint8_t*, 8> masks{};
    Index height = 0;
    Index width = 0;
    FrameScratch* scratch = nullptr;  // for `transform`; it makes its own where there is none
};

/// How pixels move: flips, then turns, then magnification with a crop to the old size, then a blur.
struct Geometry {
    bool horizontal_flip = false;  ///< left and right exchanged
    bool vertical_flip = false;    ///< top and bottom exchanged
    int quarter_turns = 0;         ///< 0 to 3, counter-clockwise; an odd number becomes 2 if the frame is not square
    double scale = 1;              ///< magnification
    double crop_y = 0;             ///< where the crop lies between top (0) and bottom (1)
    double crop_x = 0;             ///< where the crop lies between left (0) and right (1)
    double blur = 0;               ///< standard deviation of the Gaussian in px
};

/// How grey values change: brightness x·b, contrast m + (x − m)·c about the frame's mean m, clamped after each.
struct Photometry {
    double brightness = 1;
    double contrast = 1;
    bool contrast_first = false;
};

/// All that is drawn of an augmentation by `transform`, `adjust` and `pad`, in this order.
struct DrawnTransform {
    Geometry geometry{};
    Photometry photometry{};
};

/// @throws ShapeError unless the target holds the source
inline void check_fits(const FrameSource& source, const FrameTarget& target) {
    require<ShapeError>(source.height > 0 && source.width > 0 && target.height >= source.height &&
                            target.width >= source.width && source.masks.size() == target.masks.size(),
                        "augment: a frame of ", source.height, " × ", source.width, " with ", source.masks.size(),
                        " masks does not go onto a canvas of ", target.height, " × ", target.width, " with ",
                        target.masks.size());
}

/// Fills the canvas beyond the frame: the frame's edge repeated, masks `ignore_label`.
inline void pad(const FrameSource& source, const FrameTarget& target) {
    const Index right = target.width - source.width;
    for (Index y = 0; y < target.height; ++y) {
        float* row = target.frame + y * target.width;
        if (y >= source.height)
            std::copy_n(row - target.width, target.width, row);
        else
            std::fill_n(row + source.width, right, row[source.width - 1]);
        for (std::uint8_t* mask : target.masks) {
            std::uint8_t* labels = mask + y * target.width;
            if (y >= source.height)
                std::fill_n(labels, target.width, ignore_label);
            else
                std::fill_n(labels + source.width, right, ignore_label);
        }
    }
}

namespace detail {

/// How to walk over a frame as over the flipped and turned one: where it begins, and the steps to the next row and
/// pixel.
struct FrameWalk {
    Index origin, down, across;

    FrameWalk(const Geometry& geometry, Index height, Index width)
        : origin((geometry.vertical_flip ? (height - 1) * width : 0) + (geometry.horizontal_flip ? width - 1 : 0)),
          down(geometry.vertical_flip ? -width : width), across(geometry.horizontal_flip ? -1 : 1) {
        int turns = geometry.quarter_turns & 3;
        if (height != width && turns % 2 == 1) turns = 2;
        for (int turn = 0; turn < turns; ++turn) {
            const Index columns = turn % 2 == 0 ? width : height;
            origin += (columns - 1) * across;
            const Index old_down = down;
            down = -across;
            across = old_down;
        }
    }
};

}  // namespace detail

/// Moves the frame's pixels onto the canvas's upper left corner, bicubic; masks follow, nearest.
inline void transform(const FrameSource& source, const FrameTarget& target, const Geometry& geometry) {
    check_fits(source, target);
    const Index height = source.height, width = source.width;
    const auto [origin, down, across] = detail::FrameWalk(geometry, height, width);
    FrameScratch own;
    auto& [rows, columns, line, half] = target.scratch ? *target.scratch : own;
    rows.set(height, geometry.scale, geometry.crop_y, geometry.blur);
    columns.set(width, geometry.scale, geometry.crop_x, geometry.blur);

    // Columns first, for those rows alone that the crop reads.
    const Resampling &by_row = rows.weights, &by_column = columns.weights;
    const Index first_row = by_row.first.front(), row_count = by_row.first.back() + by_row.taps - first_row;
    line.resize(static_cast<std::size_t>(width));
    half.reserve(static_cast<std::size_t>(height * width));
    half.resize(static_cast<std::size_t>(row_count * width));
    for (Index r = 0; r < row_count; ++r) {
        const float* from = source.frame + origin + (first_row + r) * down;
        for (Index x = 0; x < width; ++x) line[static_cast<std::size_t>(x)] = from[x * across];
        float* out = half.data() + r * width;
        for (Index x = 0; x < width; ++x) {
            const float* weight = by_column.weights.data() + x * by_column.taps;
            const float* values = line.data() + by_column.first[static_cast<std::size_t>(x)];
            float sum = 0;
            for (Index k = 0; k < by_column.taps; ++k) sum += weight[k] * values[k];
            out[x] = sum;
        }
    }
    for (Index y = 0; y < height; ++y) {
        float* out = target.frame + y * target.width;
        std::fill_n(out, width, 0.0F);
        const float* base = half.data() + (by_row.first[static_cast<std::size_t>(y)] - first_row) * width;
        for (Index k = 0; k < by_row.taps; ++k) {
            const float weight = by_row.weights[static_cast<std::size_t>(y * by_row.taps + k)];
            if (weight == 0) continue;
            for (Index x = 0; x < width; ++x) out[x] += weight * base[k * width + x];
        }
        for (Index x = 0; x < width; ++x) out[x] = std::clamp(out[x], 0.0F, 1.0F);
        for (std::size_t m = 0; m < source.masks.size(); ++m) {
            std::uint8_t* labels = target.masks[m] + y * target.width;
            if (!source.masks[m]) {
                std::fill_n(labels, width, ignore_label);
                continue;
            }
            const std::uint8_t* from = source.masks[m] + origin + rows.nearest[static_cast<std::size_t>(y)] * down;
            for (Index x = 0; x < width; ++x) labels[x] = from[columns.nearest[static_cast<std::size_t>(x)] * across];
        }
    }
}

/// Changes the grey values of the frame on the canvas.
inline void adjust(const FrameSource& source, const FrameTarget& target, const Photometry& photometry) {
    const auto each = [&](auto change) {
        for (Index y = 0; y < source.height; ++y)
            for (Index x = 0; x < source.width; ++x) {
                float& value = target.frame[y * target.width + x];
                value = change(value);
            }
    };
    const auto brighten = [&] {
        const auto factor = static_cast<float>(photometry.brightness);
        if (factor == 1) return;
        each([factor](float x) { return std::clamp(x * factor, 0.0F, 1.0F); });
    };
    const auto stretch = [&] {
        const auto factor = static_cast<float>(photometry.contrast);
        if (factor == 1) return;
        // By rows, so that other devices sum in the same order.
        double sum = 0;
        for (Index y = 0; y < source.height; ++y) {
            double row = 0;
            for (Index x = 0; x < source.width; ++x) row += static_cast<double>(target.frame[y * target.width + x]);
            sum += row;
        }
        const auto mean = static_cast<float>(sum / static_cast<double>(source.height * source.width));
        each([factor, mean](float x) { return std::clamp(mean + (x - mean) * factor, 0.0F, 1.0F); });
    };
    if (photometry.contrast_first) stretch();
    brighten();
    if (!photometry.contrast_first) stretch();
}

}  // namespace mtdn
