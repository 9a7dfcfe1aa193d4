#pragma once

#include <utility>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/nn/conv_block.hpp>

namespace mtdn::testing {

/// A user's backbone, at its shortest.
template <mtdn::Backend B>
struct TinyNet {
    using Levels = std::pair<mtdn::Variable<B>, mtdn::Variable<B>>;
    mtdn::ConvBlock<B> down, up;
    mtdn::Conv2d<B> out;

    TinyNet(B& backend, int channels, mtdn::Random& random)
        : down(backend, channels, 8, random),
          up(backend, 16, 16, random),
          out(backend, {.in = 16, .out = 16, .kernel = 1}, random) {}

    Levels encode(const mtdn::Variable<B>& x, mtdn::Pass<B>& pass) const {
        auto full = down(x, pass);
        return {full, mtdn::max_pool2(full)};
    }
    mtdn::Variable<B> decode(const Levels& levels, mtdn::Pass<B>& pass) const {
        const auto& [full, half] = levels;
        return out(up(mtdn::concat(mtdn::upsample2(half), full), pass), pass);
    }
    int feature_channels() const { return 16; }
    int size_multiple() const { return 2; }
    static void visit(auto& self, auto&& visitor) {
        visitor("down", self.down);
        visitor("up", self.up);
        visitor("out", self.out);
    }
};

}  // namespace mtdn::testing
