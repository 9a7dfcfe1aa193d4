#pragma once

#include <string>
#include <vector>

#include <mtdn/change/fusion.hpp>
#include <mtdn/change/pairs.hpp>

namespace mtdn::testing {

/// The smallest pair policy: each frame with its successor.
//[pair_policy
struct PairPolicyArchetype {
    Index count(Index frames) const { return frames > 0 ? frames - 1 : 0; }
    Pair pair(Index, Index i) const { return {i, i + 1}; }
    std::string name() const { return "neighbours"; }
};
//]
static_assert(PairPolicy<PairPolicyArchetype> && !CompletePairPolicy<PairPolicyArchetype>);

/// The smallest prediction fusion: each frame against itself.
//[prediction_fusion
struct PredictionFusionArchetype {
    std::vector<Comparison> partners(Index query, Index) const { return {{{query, query}, Slot::query}}; }
    PredictionAccumulator accumulator(Index height, Index width) const { return {height, width}; }
    std::string name() const { return "itself"; }
};
//]
static_assert(PredictionFusion<PredictionFusionArchetype>);

}  // namespace mtdn::testing
