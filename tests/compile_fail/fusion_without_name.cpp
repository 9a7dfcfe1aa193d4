// expect: states_its_name
#include <mtdn/backend/reference.hpp>
#include <mtdn/siamese/feature_fusion.hpp>

struct Partner {
#ifndef MTDN_SHOULD_FAIL
    std::string name() const { return "partner"; }
#endif
    mtdn::Index channels(mtdn::Index features) const { return features; }
    template <mtdn::Backend B>
    mtdn::Variable<B> operator()(const mtdn::Variable<B>&, const mtdn::Variable<B>& partner) const {
        return partner;
    }
};
static_assert(mtdn::FeatureFusion<Partner, mtdn::Reference<double>>);
