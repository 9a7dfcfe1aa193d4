// expect: names_its_parts
#include <mtdn/backend/reference.hpp>
#include <mtdn/siamese/head.hpp>

using B = mtdn::Reference<double>;

struct Classify {
    mtdn::Conv2d<B> conv;
    mtdn::Variable<B> operator()(const mtdn::Variable<B>& fused, mtdn::Pass<B>& pass) const {
        return conv(fused, pass);
    }
#ifndef MTDN_SHOULD_FAIL
    static void visit(auto& self, auto&& visitor) { visitor("conv", self.conv); }
#endif
};
static_assert(mtdn::Head<Classify, B>);
