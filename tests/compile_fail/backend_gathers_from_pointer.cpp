// expect: (satisfaction of .gathers_frames<|does not satisfy .gathers_frames.)
#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // Indices are a span.
    void gather_frames(In x, const Index* indices, Out y);
#endif
};
static_assert(mtdn::Backend<Device>);
