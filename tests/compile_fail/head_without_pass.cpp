// expect: maps_fused_features_to_logits
#include <mtdn/backend/reference.hpp>
#include <mtdn/siamese/head.hpp>

using B = mtdn::Reference<double>;

struct Classify {
    mtdn::Conv2d<B> conv;
#ifdef MTDN_SHOULD_FAIL
    mtdn::Variable<B> operator()(const mtdn::Variable<B>& fused) const { return fused; }
#else
    mtdn::Variable<B> operator()(const mtdn::Variable<B>& fused, mtdn::Pass<B>& pass) const {
        return conv(fused, pass);
    }
#endif
    static void visit(auto& self, auto&& visitor) { visitor("conv", self.conv); }
};
static_assert(mtdn::Head<Classify, B>);
