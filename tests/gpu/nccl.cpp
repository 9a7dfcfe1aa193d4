// The laws of a communicator on one GPU, whose rank is alone; skipped where there is none.

#include <iostream>

#include <mtdn/core/testing/check_communicator.hpp>
#include <mtdn/nccl.hpp>

int main() {
    int gpus = 0;
    if (cudaGetDeviceCount(&gpus) != cudaSuccess || gpus == 0) {
        std::cout << "skipped: no GPU was found\n";
        return 0;
    }
    mtdn::Alone meeting;
    mtdn::NcclCommunicator rank(meeting);
    for (const std::size_t length : {0, 1, 5001})
        if (const auto wrong = mtdn::testing::check_communicator(rank, length); !wrong.empty()) {
            std::cerr << length << " numbers: " << wrong << '\n';
            return 1;
        }
    std::cout << "one rank by NCCL obeys the laws\n";
}
