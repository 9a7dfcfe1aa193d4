// expect: (satisfaction of .updates_parameters<|does not satisfy .updates_parameters.)
#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // The sum of squares comes to the host.
    void sum_of_squares(In x, Out sum);
#endif
};
static_assert(mtdn::Backend<Device>);
