// expect: sums_over_ranks
#include <mtdn/core/communicator.hpp>

struct Twins {
    int rank() { return 0; }
    int size() { return 1; }
    void all_reduce(std::span<float>) {}
#ifndef MTDN_SHOULD_FAIL
    void all_reduce(std::span<double>) {}
#endif
    void broadcast(std::span<float>) {}
    void broadcast(std::span<double>) {}
    void barrier() {}
};
static_assert(mtdn::Communicator<Twins>);
