// expect: states_its_fused_channels
#include <mtdn/backend/reference.hpp>
#include <mtdn/siamese/feature_fusion.hpp>

struct Partner {
    std::string name() const { return "partner"; }
#ifndef MTDN_SHOULD_FAIL
    mtdn::Index channels(mtdn::Index features) const { return features; }
#endif
    template <mtdn::Backend B>
    mtdn::Variable<B> operator()(const mtdn::Variable<B>&, const mtdn::Variable<B>& partner) const {
        return partner;
    }
};
static_assert(mtdn::FeatureFusion<Partner, mtdn::Reference<double>>);
