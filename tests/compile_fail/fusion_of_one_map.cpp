// expect: fuses_two_feature_maps
#include <mtdn/backend/reference.hpp>
#include <mtdn/siamese/feature_fusion.hpp>

struct Partner {
    std::string name() const { return "partner"; }
    mtdn::Index channels(mtdn::Index features) const { return features; }
    template <mtdn::Backend B>
#ifdef MTDN_SHOULD_FAIL
    mtdn::Variable<B> operator()(const mtdn::Variable<B>& map) const {
        return map;
    }
#else
    mtdn::Variable<B> operator()(const mtdn::Variable<B>&, const mtdn::Variable<B>& partner) const {
        return partner;
    }
#endif
};
static_assert(mtdn::FeatureFusion<Partner, mtdn::Reference<double>>);
