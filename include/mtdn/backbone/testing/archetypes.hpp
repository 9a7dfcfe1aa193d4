#pragma once

#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/nn/convolution.hpp>

namespace mtdn::testing {

/// The smallest backbone: one convolution 1×1 to two channels, its own only level.
//[backbone
template <Backend B>
struct BackboneArchetype {
    Conv2d<B> mix;

    BackboneArchetype(B& backend, Index channels, Random& random)
        : mix(backend, {.in = channels, .out = 2, .kernel = 1}, random) {}

    Variable<B> encode(const Variable<B>& frames, Pass<B>&) const { return frames; }
    Variable<B> decode(const Variable<B>& level, Pass<B>& pass) const { return mix(level, pass); }
    Index feature_channels() const { return 2; }
    Index size_multiple() const { return 1; }
    static void visit(auto& self, auto&& visitor) { visitor("mix", self.mix); }
};
//]
static_assert(EncoderDecoder<BackboneArchetype<Reference<double>>, Reference<double>>);

}  // namespace mtdn::testing
