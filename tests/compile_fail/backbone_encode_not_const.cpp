// expect: encodes_frames_without_changing_itself
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/nn/convolution.hpp>

using B = mtdn::Reference<double>;

struct Net {
    mtdn::Conv2d<B> mix;
#ifdef MTDN_SHOULD_FAIL
    mtdn::Variable<B> encode(const mtdn::Variable<B>& frames, mtdn::Pass<B>&) { return frames; }
#else
    mtdn::Variable<B> encode(const mtdn::Variable<B>& frames, mtdn::Pass<B>&) const { return frames; }
#endif
    mtdn::Variable<B> decode(const mtdn::Variable<B>& level, mtdn::Pass<B>& pass) const { return mix(level, pass); }
    int feature_channels() const { return 2; }
    int size_multiple() const { return 1; }
    static void visit(auto& self, auto&& visitor) { visitor("mix", self.mix); }
};
static_assert(mtdn::EncoderDecoder<Net, B>);
