// expect: (satisfaction of .classifies_pixels<|does not satisfy .classifies_pixels.)
#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // Labels are bytes.
    void focal_loss(In logits, In labels, In weights, const FocalOptions&, Out loss, Out divisor);
#endif
};
static_assert(mtdn::Backend<Device>);
