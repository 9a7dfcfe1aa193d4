#pragma once

#include <mtdn/backend/reference.hpp>
#include <mtdn/nn/convolution.hpp>
#include <mtdn/siamese/feature_fusion.hpp>
#include <mtdn/siamese/head.hpp>

namespace mtdn::testing {

/// The smallest feature fusion: the partner's map alone.
//[fusion
struct FeatureFusionArchetype {
    std::string name() const { return "partner"; }
    Index channels(Index features) const { return features; }
    template <Backend B>
    Variable<B> operator()(const Variable<B>&, const Variable<B>& partner) const {
        return partner;
    }
};
//]
static_assert(FeatureFusion<FeatureFusionArchetype, Reference<double>>);

/// The smallest head: one convolution 1×1 to the four categories.
//[head
template <Backend B>
struct HeadArchetype {
    Conv2d<B> classify;

    HeadArchetype(B& backend, Index fused, Random& random)
        : classify(backend, {.in = fused, .out = 4, .kernel = 1}, random) {}

    Variable<B> operator()(const Variable<B>& fused, Pass<B>& pass) const { return classify(fused, pass); }
    static void visit(auto& self, auto&& visitor) { visitor("classify", self.classify); }
};
//]
static_assert(Head<HeadArchetype<Reference<double>>, Reference<double>>);

}  // namespace mtdn::testing
