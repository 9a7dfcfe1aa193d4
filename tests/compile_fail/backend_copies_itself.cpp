// expect: !( )?\(?(std::)?movable<.*evaluated to .?false
#include <mtdn/backend/testing/archetypes.hpp>

struct Device : mtdn::testing::BackendOperations<Device> {
#ifdef MTDN_SHOULD_FAIL
    // A backend is one device; a copy would be a second one that shares its memory.
    Device() = default;
    Device(const Device&) : BackendOperations() {}
    Device& operator=(const Device&) { return *this; }
#endif
};
static_assert(mtdn::Backend<Device>);
