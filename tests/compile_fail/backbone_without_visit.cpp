// expect: names_its_parts
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/nn/convolution.hpp>

using B = mtdn::Reference<double>;

struct Net {
    mtdn::Conv2d<B> mix;
    mtdn::Variable<B> encode(const mtdn::Variable<B>& frames, mtdn::Pass<B>&) const { return frames; }
    mtdn::Variable<B> decode(const mtdn::Variable<B>& level, mtdn::Pass<B>& pass) const { return mix(level, pass); }
    int feature_channels() const { return 2; }
    int size_multiple() const { return 1; }
#ifndef MTDN_SHOULD_FAIL
    static void visit(auto& self, auto&& visitor) { visitor("mix", self.mix); }
#endif
};
static_assert(mtdn::EncoderDecoder<Net, B>);
