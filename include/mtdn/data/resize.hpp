#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/data/sequence.hpp>

namespace mtdn {

/// Height and width in pixels.
struct FrameSize {
    Index height = 0;
    Index width = 0;
    friend bool operator==(const FrameSize&, const FrameSize&) = default;
};

/// The size whose longer side is `longer` and whose sides keep their ratio, rounded, at least 1.
inline FrameSize fitted(FrameSize size, Index longer) {
    require<OptionError>(longer > 0, "fitted: the longer side must be positive, got ", longer);
    const auto scale = static_cast<double>(longer) / static_cast<double>(std::max(size.height, size.width));
    const auto scaled = [&](Index side) { return std::max<Index>(1, std::lround(static_cast<double>(side) * scale)); };
    return {scaled(size.height), scaled(size.width)};
}

/// Cubic convolution with a = −½, which reproduces quadratics (Pillow's choice; PyTorch takes −¾).
///
/// @source Keys 1981, Eq. 15
inline double bicubic_weight(double x) {
    x = std::abs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
    return 0;
}

/// What each sample of a line takes from another line: a banded matrix, one band a row.
struct Resampling {
    std::vector<Index> first;    ///< first source element of each target element
    std::vector<float> weights;  ///< `taps` a target element
    Index taps = 0;

    Index size() const { return static_cast<Index>(first.size()); }

    /// Area average where the line gets shorter, bicubic where it gets longer, the identity where neither.
    static Resampling area_or_bicubic(Index source, Index target) {
        if (target >= source) return interpolating(source, target, 4, [](double x) { return bicubic_weight(x); });
        const auto ratio = static_cast<double>(source) / static_cast<double>(target);
        return build(
            source, target, static_cast<Index>(std::ceil(ratio)) + 1,
            [&](Index i, Index j) {
                const double low = static_cast<double>(i) * ratio;
                const auto at = static_cast<double>(j);
                return std::max(0.0, std::min(low + ratio, at + 1) - std::max(low, at)) / ratio;
            },
            [&](Index i) { return static_cast<Index>(static_cast<double>(i) * ratio); });
    }

    /// Linear between pixel centres (PyTorch's `align_corners=False`).
    static Resampling linear(Index source, Index target) {
        return interpolating(source, target, 2, [](double x) { return std::max(0.0, 1 - std::abs(x)); });
    }

private:
    template <class Kernel>
    static Resampling interpolating(Index source, Index target, Index taps, Kernel kernel) {
        const auto ratio = static_cast<double>(source) / static_cast<double>(target);
        const auto centre = [&](Index i) { return (static_cast<double>(i) + 0.5) * ratio - 0.5; };
        return build(
            source, target, taps, [&](Index i, Index j) { return kernel(centre(i) - static_cast<double>(j)); },
            [&](Index i) { return static_cast<Index>(std::floor(centre(i))) - taps / 2 + 1; });
    }

    /// Weights of source elements beyond an end are given to the end (edge replication).
    template <class Weight, class First>
    static Resampling build(Index source, Index target, Index taps, Weight weight, First first_of) {
        Resampling result;
        result.taps = std::min(taps, source);
        result.weights.assign(static_cast<std::size_t>(target * result.taps), 0.0F);
        for (Index i = 0; i < target; ++i) {
            const Index wanted = first_of(i), first = std::clamp<Index>(wanted, 0, source - result.taps);
            result.first.push_back(first);
            for (Index j = wanted; j < wanted + taps; ++j) {
                const Index at = std::clamp<Index>(std::clamp<Index>(j, 0, source - 1) - first, 0, result.taps - 1);
                result.weights[static_cast<std::size_t>(i * result.taps + at)] += static_cast<float>(weight(i, j));
            }
        }
        return result;
    }
};

namespace detail {

/// Resamples one (height, width, channels) slab; `down` and `across` say how.
inline void resample(const float* source, Index width, Index channels, const Resampling& down, const Resampling& across,
                     float* target, std::vector<float>& row) {
    row.assign(static_cast<std::size_t>(width * channels), 0.0F);
    for (Index y = 0; y < down.size(); ++y) {
        std::fill(row.begin(), row.end(), 0.0F);
        for (Index k = 0; k < down.taps; ++k) {
            const float weight = down.weights[static_cast<std::size_t>(y * down.taps + k)];
            const float* line = source + (down.first[static_cast<std::size_t>(y)] + k) * width * channels;
            for (Index i = 0; i < width * channels; ++i) row[static_cast<std::size_t>(i)] += weight * line[i];
        }
        for (Index x = 0; x < across.size(); ++x)
            for (Index c = 0; c < channels; ++c) {
                float sum = 0;
                const Index first = across.first[static_cast<std::size_t>(x)];
                for (Index k = 0; k < across.taps; ++k)
                    sum += across.weights[static_cast<std::size_t>(x * across.taps + k)] *
                           row[static_cast<std::size_t>((first + k) * channels + c)];
                *target++ = sum;
            }
    }
}

inline Images resample(const Images& images, const Resampling& down, const Resampling& across) {
    const Shape shape = shape_of(images);
    auto result = make_array<float>(shape.frames, down.size(), across.size(), shape.channels);
    std::vector<float> row;
    for (Index n = 0; n < shape.frames; ++n)
        resample(frame_data(images, n), shape.width, shape.channels, down, across, frame_data(result, n), row);
    return result;
}

inline void check_size(const char* who, FrameSize size) {
    require<OptionError>(size.height > 0 && size.width > 0, who, ": expected a positive size, got ", size.height, " × ",
                         size.width);
}

}  // namespace detail

/// Frames of another size: area average where a side shrinks, bicubic where it grows, clamped to [0, 1].
///
/// @shape (N, H, W, C) → (N, size.height, size.width, C)
inline Images resize_frames(const Images& frames, FrameSize size) {
    detail::check_size("resize_frames", size);
    auto result = detail::resample(frames, Resampling::area_or_bicubic(extent(frames, 1), size.height),
                                   Resampling::area_or_bicubic(extent(frames, 2), size.width));
    std::for_each(result.data(), result.data() + result.size(), [](float& x) { x = std::clamp(x, 0.0F, 1.0F); });
    return result;
}

/// Logits of another size, bilinear between pixel centres.
///
/// @shape (N, H, W, C) → (N, size.height, size.width, C)
inline Images resize_logits(const Images& logits, FrameSize size) {
    detail::check_size("resize_logits", size);
    return detail::resample(logits, Resampling::linear(extent(logits, 1), size.height),
                            Resampling::linear(extent(logits, 2), size.width));
}

/// Masks of another size by majority of the area; a tie is background.
///
/// @shape (N, H, W) → (N, size.height, size.width)
inline Masks resize_masks(const Masks& masks, FrameSize size) {
    detail::check_size("resize_masks", size);
    const Index n = extent(masks, 0), height = extent(masks, 1), width = extent(masks, 2);
    auto result = make_array<std::uint8_t>(n, size.height, size.width);
    // In units of 1/(source · target) every overlap is an integer, so that a tie is a tie.
    const auto overlap = [](Index i, Index source, Index j, Index target) {
        return std::max<Index>(0, std::min((i + 1) * source, (j + 1) * target) - std::max(i * source, j * target));
    };
    for (Index f = 0; f < n; ++f) {
        const std::uint8_t* source = frame_data(masks, f);
        std::uint8_t* target = frame_data(result, f);
        for (Index y = 0; y < size.height; ++y)
            for (Index x = 0; x < size.width; ++x) {
                Index feature = 0;
                for (Index v = y * height / size.height; v * size.height < (y + 1) * height; ++v)
                    for (Index u = x * width / size.width; u * size.width < (x + 1) * width; ++u)
                        if (source[v * width + u] != 0)
                            feature += overlap(y, height, v, size.height) * overlap(x, width, u, size.width);
                *target++ = 2 * feature > height * width ? 1 : 0;
            }
    }
    return result;
}

/// The sequence with its longer side brought to `longer`; the same if it has that size.
inline Sequence resized(const Sequence& sequence, Index longer) {
    const FrameSize size = fitted({sequence.height(), sequence.width()}, longer);
    Sequence result = sequence;
    if (size == FrameSize{sequence.height(), sequence.width()}) return result;
    result.frames = resize_frames(sequence.frames, size);
    for (auto& entry : result.masks) entry.second = resize_masks(entry.second, size);
    return result;
}

/// The dataset with every sequence's longer side brought to `longer`; a pixel's size in nm goes if sides differed.
inline Dataset resized(const Dataset& dataset, Index longer) {
    auto description = dataset.description();
    std::vector<Sequence> sequences;
    const Index first = dataset.sequences().empty()
                            ? longer
                            : std::max(dataset.sequences()[0].height(), dataset.sequences()[0].width());
    for (const auto& sequence : dataset.sequences()) {
        if (std::max(sequence.height(), sequence.width()) != first) description.pixel_size_nm = 0;
        sequences.push_back(resized(sequence, longer));
    }
    description.pixel_size_nm *= static_cast<double>(first) / static_cast<double>(longer);
    return Dataset(std::move(description), std::move(sequences));
}

}  // namespace mtdn
