// expect: (satisfaction of .normalises<|does not satisfy .normalises.)
#include <utility>

#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // Results are written, not returned.
    std::pair<float, float> batch_statistics(In x);
#endif
};
static_assert(mtdn::Backend<Device>);
