// expect: states_its_coarser_channels
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/nn/convolution.hpp>

using B = mtdn::Reference<double>;

struct Net {
    mtdn::Conv2d<B> mix;
    mtdn::Variable<B> encode(const mtdn::Variable<B>& frames, mtdn::Pass<B>&) const { return frames; }
    mtdn::Variable<B> decode(const mtdn::Variable<B>& level, mtdn::Pass<B>& pass,
                             mtdn::CoarserMaps<B>* = nullptr) const {
        return mix(level, pass);
    }
    int feature_channels() const { return 2; }
    int size_multiple() const { return 1; }
#ifndef MTDN_SHOULD_FAIL
    std::vector<mtdn::Index> coarser_channels() const { return {}; }
#endif
    static void visit(auto& self, auto&& visitor) { visitor("mix", self.mix); }
};
static_assert(mtdn::PyramidDecoder<Net, B>);
