// expect: (satisfaction of .pools_and_resizes<|does not satisfy .pools_and_resizes.)
#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // A window is one type, not loose integers.
    void max_pool(In x, int kernel, int stride, Out y);
#endif
};
static_assert(mtdn::Backend<Device>);
