// mpirun -n RANKS laws: exits with 1 where the laws of a communicator do not hold.

#include <iostream>

#include <mtdn/core/testing/check_communicator.hpp>
#include <mtdn/mpi.hpp>

int main() {
    const mtdn::MpiSession session;
    mtdn::MpiCommunicator ranks;
    int status = 0;
    MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
    MPI_Comm_get_errhandler(MPI_COMM_WORLD, &handler);
    if (handler != MPI_ERRORS_ARE_FATAL) {
        std::cerr << "rank " << ranks.rank() << ": the world's handler of errors has been changed\n";
        status = 1;
    }
    MPI_Errhandler_free(&handler);
    for (const std::size_t length : {0, 1, 1000, 5001}) {
        const auto wrong = mtdn::testing::check_communicator(ranks, length);
        if (wrong.empty()) continue;
        std::cerr << "rank " << ranks.rank() << ", " << length << " numbers: " << wrong << '\n';
        status = 1;
    }
    if (ranks.local_rank() != ranks.rank() || ranks.local_size() != ranks.size()) status = 1;
    return status;
}
