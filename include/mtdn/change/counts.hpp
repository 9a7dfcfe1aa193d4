#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <mtdn/change/labels.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>

namespace mtdn {

/// How many pixels have each of C classes.
template <std::size_t C>
struct ClassCounts {
    std::array<std::int64_t, C> of{};

    constexpr std::int64_t& operator[](std::size_t c) { return of[c]; }
    constexpr std::int64_t operator[](std::size_t c) const { return of[c]; }
    constexpr std::int64_t total() const { return std::accumulate(of.begin(), of.end(), std::int64_t{0}); }

    constexpr ClassCounts& operator+=(const ClassCounts& other) {
        for (std::size_t c = 0; c < C; ++c) of[c] += other.of[c];
        return *this;
    }
    friend constexpr bool operator==(const ClassCounts&, const ClassCounts&) = default;
};

namespace detail {

/// Counts over all pairs of one kind, one pass over the masks: no pair is formed.
inline ClassCounts<4> complete_class_counts(AllPairsKind kind, const Masks& masks) {
    const Index frames = extent(masks, 0), pixels = extent(masks, 1) * extent(masks, 2);
    std::vector<std::int32_t> present(static_cast<std::size_t>(pixels)), absent(present.size());
    std::int64_t appearing = 0, disappearing = 0;  // pairs with the earlier frame as query
    for (Index f = 0; f < frames; ++f) {
        const std::uint8_t* mask = frame_data(masks, f);
        for (std::size_t i = 0; i < present.size(); ++i) {
            const std::int32_t is = mask[i] == 1, is_not = mask[i] == 0;
            appearing += is * absent[i];
            disappearing += is_not * present[i];
            present[i] += is;
            absent[i] += is_not;
        }
    }
    std::int64_t both = 0, neither = 0, once = 0, never = 0;  // pairs of different frames, s < t; self-pairs
    for (std::size_t i = 0; i < present.size(); ++i) {
        both += std::int64_t{present[i]} * (present[i] - 1) / 2;
        neither += std::int64_t{absent[i]} * (absent[i] - 1) / 2;
        once += present[i];
        never += absent[i];
    }
    if (kind.ordered) {
        both *= 2;
        neither *= 2;
        appearing = disappearing = appearing + disappearing;
    }
    if (kind.with_self) {
        both += once;
        neither += never;
    }
    return {{neither, appearing, disappearing, both}};
}

template <PairPolicy P>
ClassCounts<4> listed_class_counts(const P& policy, const Masks& masks) {
    const Index frames = extent(masks, 0), pixels = extent(masks, 1) * extent(masks, 2);
    std::vector<std::uint8_t> labels(static_cast<std::size_t>(pixels));
    std::array<std::int64_t, 256> tally{};
    for (Index i = 0; i < policy.count(frames); ++i) {
        const Pair pair = policy.pair(frames, i);
        label_pixels(frame_data(masks, pair.query), frame_data(masks, pair.partner), labels.data(), pixels);
        for (const std::uint8_t label : labels) ++tally[label];
    }
    return {{tally[0], tally[1], tally[2], tally[3]}};
}

}  // namespace detail

/// How often each category occurs over the policy's pairs of one sequence, exactly; ignored pixels are left out.
///
/// One pass over the frames where the policy takes all pairs of a kind, else one over the pairs.
///
/// @throws DataError, naming the pixel, if a mask's value is not 0, 1 or `ignore_label`
/// @source paper §2.3
template <PairPolicy P>
ClassCounts<4> class_counts(const P& policy, const Masks& masks) {
    detail::require_codes(masks, 1, "class_counts", "mask");
    if constexpr (CompletePairPolicy<P>) {
        return detail::complete_class_counts(policy.kind(), masks);
    } else if constexpr (std::same_as<P, AnyPairPolicy>) {
        if (const auto kind = policy.kind()) return detail::complete_class_counts(*kind, masks);
    }
    return detail::listed_class_counts(policy, masks);
}

/// The same for every task.
template <PairPolicy P>
std::map<std::string, ClassCounts<4>> class_counts(const P& policy, const TaskMasks& masks) {
    std::map<std::string, ClassCounts<4>> counts;
    for (const auto& [task, of_task] : masks) counts[task] = class_counts(policy, of_task);
    return counts;
}

/// How many pixels of single frames are background and how many are feature; ignored ones are left out.
///
/// @throws DataError, naming the pixel, if a mask's value is not 0, 1 or `ignore_label`
inline ClassCounts<2> frame_class_counts(const Masks& masks) {
    detail::require_codes(masks, 1, "frame_class_counts", "mask");
    ClassCounts<2> counts;
    for (std::size_t i = 0; i < masks.size(); ++i)
        if (masks.data()[i] != ignore_label) ++counts[masks.data()[i]];
    return counts;
}

/// Weights of the classes in a loss: (total / count)^β; a class that never occurs gets the largest of the others'.
///
/// @throws OptionError if β is negative or not finite, DataError if nothing was counted
/// @source paper §2.3
template <std::size_t C>
[[gnu::cold]] std::vector<double> class_weights(const ClassCounts<C>& counts, double beta = 1) {
    require<OptionError>(std::isfinite(beta) && beta >= 0, "class_weights: beta must be 0 or more, got ", beta);
    const std::int64_t total = counts.total();
    require<DataError>(total > 0, "class_weights: no pixel was counted; are all of them ignored?");
    std::vector<double> weights(C, 0);
    for (std::size_t c = 0; c < C; ++c)
        if (counts[c] > 0) weights[c] = std::pow(static_cast<double>(total) / static_cast<double>(counts[c]), beta);
    const double largest = *std::max_element(weights.begin(), weights.end());
    for (std::size_t c = 0; c < C; ++c)
        if (counts[c] == 0) weights[c] = largest;
    return weights;
}

}  // namespace mtdn
