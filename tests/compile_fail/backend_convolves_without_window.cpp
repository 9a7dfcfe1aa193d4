// expect: (satisfaction of .convolves<|does not satisfy .convolves.)
#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // The window is missing.
    void convolve_backward_data(In dy, In w, Out dx);
#endif
};
static_assert(mtdn::Backend<Device>);
