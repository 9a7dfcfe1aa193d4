#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/change/fusion.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/core/error.hpp>

namespace mtdn::testing {

/// What of the laws of `PairPolicy` the policy breaks on sequences of 0 to `longest` frames; empty if nothing.
template <PairPolicy P>
std::vector<std::string> check_pair_policy(const P& policy, Index longest = 12) {
    std::vector<std::string> failures;
    const std::string name = policy.name();
    for (Index frames = 0; frames <= longest; ++frames) {
        const Index count = policy.count(frames);
        if (count < 0) failures.push_back(concatenate(name, ": count(", frames, ") is ", count, ", below 0"));
        std::set<std::pair<Index, Index>> seen;
        for (Index i = 0; i < count; ++i) {
            const Pair pair = policy.pair(frames, i);
            const auto text = [&] {
                return concatenate(name, ": pair(", frames, ", ", i, ") = (", pair.query, ", ", pair.partner, ")");
            };
            if (pair != policy.pair(frames, i)) failures.push_back(text() + " is another when asked again");
            if (pair.query < 0 || pair.query >= frames || pair.partner < 0 || pair.partner >= frames)
                failures.push_back(text() + " names a frame outside the sequence");
            if (!seen.emplace(pair.query, pair.partner).second) failures.push_back(text() + " came before");
        }
    }
    return failures;
}

/// What of the laws of `PredictionFusion` the fusion breaks on sequences of 1 to `longest` frames; empty if nothing.
template <PredictionFusion F>
std::vector<std::string> check_prediction_fusion(const F& fusion, Index longest = 12) {
    std::vector<std::string> failures;
    const std::string name = fusion.name();
    for (Index frames = 1; frames <= longest; ++frames)
        for (Index query = 0; query < frames; ++query) {
            const std::string text = concatenate(name, ": partners(", query, ", ", frames, ")");
            const std::vector<Comparison> comparisons = fusion.partners(query, frames);
            if (comparisons.empty()) failures.push_back(text + " is empty");
            if (comparisons != fusion.partners(query, frames))
                failures.push_back(text + " is another when asked again");
            for (const Comparison& comparison : comparisons) {
                const auto [first, second] = comparison.pair;
                if ((comparison.slot == Slot::query ? first : second) != query)
                    failures.push_back(text + " has a pair without the frame in the slot named");
                if (first < 0 || first >= frames || second < 0 || second >= frames)
                    failures.push_back(text + " names a frame outside the sequence");
            }
        }
    const PredictionAccumulator accumulator = fusion.accumulator(2, 3);
    if (accumulator.height() != 2 || accumulator.width() != 3 || accumulator.count() != 0)
        failures.push_back(name + ": accumulator(2, 3) is not an empty one of 2 rows and 3 columns");
    return failures;
}

}  // namespace mtdn::testing
