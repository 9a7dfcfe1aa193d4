// expect: names_each_slots_weights
#include <mtdn/backend/reference.hpp>
#include <mtdn/siamese/feature_fusion.hpp>

struct Twice : mtdn::Concatenate {
#ifdef MTDN_SHOULD_FAIL
    // Both slots are asked for at once.
    mtdn::FusedSlot slots(mtdn::Index) const { return {}; }
#endif
};
static_assert(mtdn::LinearFeatureFusion<Twice, mtdn::Reference<double>>);
