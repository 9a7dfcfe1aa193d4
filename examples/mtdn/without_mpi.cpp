// In place of ranks_mpi.cpp, where the program is built without MPI.
#include "ranks.hpp"

#include <cstdlib>
#include <string>

#include <mtdn/core/error.hpp>

Ranks join_ranks() {
    const char* count = std::getenv("OMPI_COMM_WORLD_SIZE");
    mtdn::require<mtdn::OptionError>(!count || std::string(count) == "1",
                                     "this program is built without MPI, and would train ", count ? count : "",
                                     " times over; install libopenmpi-dev and build it anew");
    return {};
}
