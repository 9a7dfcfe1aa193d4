#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <mtdn/change/accumulator.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/data/sequence.hpp>
#include <mtdn/experiment/comparison.hpp>
#include <mtdn/metric/confusion.hpp>

namespace mtdn {

/// A frame's mask of one task as one partner alone makes it.
struct PartnerMask {
    Index query = 0, partner = 0;
    double seconds = 0;         ///< from the query's time to the partner's
    std::int64_t area = 0;      ///< pixels of feature
    std::int64_t majority = 0;  ///< pixels of feature in the majority of all partners' masks
    std::int64_t changed = 0;   ///< pixels that differ from that majority
    BinaryConfusion score{};    ///< against the truth; empty where there is none
};

/// One sequence's masks of one task, query after query.
using PartnerMasks = std::vector<PartnerMask>;

namespace detail {

/// Feature where more than half of `count` masks, one behind the other, say so: as an ensemble decides.
[[gnu::cold]] inline std::vector<std::uint8_t> majority_of(const std::vector<std::uint8_t>& masks, Index count) {
    const std::size_t pixels = masks.size() / static_cast<std::size_t>(count);
    std::vector<Index> votes(pixels);
    for (std::size_t i = 0; i < masks.size(); ++i) votes[i % pixels] += masks[i];
    std::vector<std::uint8_t> majority(pixels);
    std::transform(votes.begin(), votes.end(), majority.begin(), [&](Index n) { return std::uint8_t{2 * n > count}; });
    return majority;
}

}  // namespace detail

/// Every frame's masks, by task, as each frame of its sequence alone makes them, itself included; the frame that is
/// segmented is the query. Costs as much as an ensemble.
///
/// @throws ShapeError if the frames are too small for the backbone
template <class Model>
std::map<std::string, PartnerMasks> partner_masks(const Model& model, const Sequence& sequence) {
    const Index count = sequence.size(), pixels = sequence.height() * sequence.width();
    SequenceComparison<Model> comparison(model, sequence.frames, 0, count * count);
    std::map<std::string, PartnerMasks> result;
    // A query's masks by all partners, a list for each task.
    std::vector<std::vector<std::uint8_t>> masks(model.tasks().size());
    for (auto& of_task : masks) of_task.resize(static_cast<std::size_t>(count * pixels));
    for (Index query = 0; query < count; ++query) {
        std::vector<Pair> pairs;
        for (Index partner = 0; partner < count; ++partner) pairs.push_back({query, partner});
        comparison.categories(pairs, [&](Index partner, Index task, const std::uint8_t* codes) {
            std::transform(codes, codes + pixels, masks[static_cast<std::size_t>(task)].data() + partner * pixels,
                           [](std::uint8_t code) { return shows_feature(code, Slot::query); });
        });
        for (std::size_t task = 0; task < masks.size(); ++task) {
            const auto majority = detail::majority_of(masks[task], count);
            const auto truth = sequence.masks.find(model.tasks()[task]);
            for (Index partner = 0; partner < count; ++partner) {
                const std::uint8_t* mask = masks[task].data() + partner * pixels;
                const auto agreed = confusion(mask, majority.data(), pixels);
                PartnerMask one{.query = query, .partner = partner};
                one.seconds = sequence.seconds[static_cast<std::size_t>(partner)] -
                              sequence.seconds[static_cast<std::size_t>(query)];
                one.area = agreed.true_positive + agreed.false_positive;
                one.majority = agreed.true_positive + agreed.false_negative;
                one.changed = agreed.false_positive + agreed.false_negative;
                if (truth != sequence.masks.end())
                    one.score = confusion(mask, frame_data(truth->second, query), pixels);
                result[model.tasks()[task]].push_back(one);
            }
        }
    }
    return result;
}

/// How much masks depend on the partner. NaN where there is no feature, or no truth.
struct PartnerSensitivity {
    double changed = 0;    ///< pixels that differ from the majority of all partners, for each of the majority's feature
    double area = 0;       ///< standard deviation of a frame's area over its partners, for each pixel of its mean area
    double f1 = 0;         ///< macro F1 of all masks by all partners
    double f1_spread = 0;  ///< standard deviation of a frame's macro F1 over its partners, mean over frames
};

/// The same of partners about as far away in time, without what is of all of a frame's partners.
struct PartnersAtDistance {
    double seconds = 0;  ///< from the query to the partner, the middle of a range; negative: earlier partners
    double changed = 0;  ///< as in `PartnerSensitivity`
    double f1 = 0;       ///< as in `PartnerSensitivity`
};

namespace detail {

/// Sums of masks.
struct PartnerSums {
    std::int64_t majority = 0, changed = 0;
    BinaryConfusion score{};

    void add(const PartnerMask& mask) {
        majority += mask.majority;
        changed += mask.changed;
        score += mask.score;
    }
    double changed_share() const {
        return majority > 0 ? static_cast<double>(changed) / static_cast<double>(majority)
                            : std::numeric_limits<double>::quiet_NaN();
    }
    double f1() const { return score.total() > 0 ? macro_f1(score) : std::numeric_limits<double>::quiet_NaN(); }
};

struct MeanAndDeviation {
    double mean = 0, deviation = 0;
};

template <class Value>
MeanAndDeviation mean_and_deviation(std::span<const PartnerMask> masks, Value value) {
    const auto count = static_cast<double>(masks.size());
    double mean = 0, squares = 0;
    for (const auto& mask : masks) mean += value(mask) / count;
    for (const auto& mask : masks) squares += (value(mask) - mean) * (value(mask) - mean) / count;
    return {mean, std::sqrt(squares)};
}

}  // namespace detail

/// Sums up the masks of some sequences.
[[gnu::cold]] inline PartnerSensitivity partner_sensitivity(std::span<const PartnerMasks> sequences) {
    detail::PartnerSums sums;
    double area = 0, area_deviation = 0, f1_deviation = 0, frames = 0;
    for (const auto& masks : sequences)
        for (auto first = masks.begin(); first != masks.end();) {
            const auto last =
                std::find_if(first, masks.end(), [&](const PartnerMask& mask) { return mask.query != first->query; });
            const std::span<const PartnerMask> of_frame(first, last);
            for (const auto& mask : of_frame) sums.add(mask);
            const auto areas = detail::mean_and_deviation(
                of_frame, [](const PartnerMask& mask) { return static_cast<double>(mask.area); });
            area += areas.mean;
            area_deviation += areas.deviation;
            f1_deviation +=
                detail::mean_and_deviation(of_frame, [](const PartnerMask& mask) { return macro_f1(mask.score); })
                    .deviation;
            ++frames;
            first = last;
        }
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {sums.changed_share(), area > 0 ? area_deviation / area : nan, sums.f1(),
            sums.score.total() > 0 ? f1_deviation / frames : nan};
}

/// The masks of some sequences by their partners' distance in time, in ranges of equal length: `ranges` on either side
/// of one around 0, earliest partners first; ranges without any partner are left out.
///
/// @throws OptionError unless `ranges` is positive
[[gnu::cold]] inline std::vector<PartnersAtDistance> partners_by_distance(std::span<const PartnerMasks> sequences,
                                                                          Index ranges = 8) {
    require<OptionError>(ranges > 0, "partners_by_distance: ranges must be positive, got ", ranges);
    double farthest = 0;
    for (const auto& masks : sequences)
        for (const auto& mask : masks) farthest = std::max(farthest, std::abs(mask.seconds));
    const double length = farthest > 0 ? farthest / static_cast<double>(ranges) : 1;
    std::map<Index, detail::PartnerSums> sums;
    for (const auto& masks : sequences)
        for (const auto& mask : masks) sums[static_cast<Index>(std::lround(mask.seconds / length))].add(mask);
    std::vector<PartnersAtDistance> result;
    for (const auto& [range, sum] : sums)
        result.push_back({static_cast<double>(range) * length, sum.changed_share(), sum.f1()});
    return result;
}

}  // namespace mtdn
