// expect: (satisfaction of .owns_memory_and_moves_values<|does not satisfy .owns_memory_and_moves_values.)
#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // Values are floating point.
    using Scalar = int;
#endif
};
static_assert(mtdn::Backend<Device>);
