#pragma once

#include <functional>

#include <mtdn/core/communicator.hpp>

/// The processes that train together.
struct Ranks {
    std::function<void(int status)> end{};  ///< ends them all, as one has failed; empty where there is no `mpirun`
    mtdn::AnyCommunicator all{};
    int local_rank = 0, local_size = 1;     ///< the same on this machine
};

/// Those that one `mpirun` has started, or this one alone.
///
/// @throws Error if MPI fails; OptionError if the program is built without it and there are others
Ranks join_ranks();
