// expect: (satisfaction of .works_on_elements<|does not satisfy .works_on_elements.)
#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // An operation is missing.
    void fill() = delete;
#endif
};
static_assert(mtdn::Backend<Device>);
