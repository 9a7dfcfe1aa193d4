#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <mtdn/core/communicator.hpp>

namespace mtdn::testing {

/// Checks the laws of a communicator, on every rank at once; returns what is wrong here, empty if nothing is.
///
/// @param length  numbers that are exchanged; short and long spans may go by different ways
template <Communicator C>
std::string check_communicator(C& communicator, std::size_t length) {
    const int rank = communicator.rank(), size = communicator.size();
    if (rank < 0 || rank >= size) return "rank " + std::to_string(rank) + " of " + std::to_string(size);
    std::string wrong;
    const auto check = [&]<class T>(T) {
        // Thirds are rounded, so that another order of the ranks is another sum.
        const auto value = [](int r, std::size_t i) {
            return static_cast<T>(r + 1) / static_cast<T>(3) + static_cast<T>(i % 7) * static_cast<T>(r * r);
        };
        std::vector<T> mine(length), sums(length), first(length);
        for (std::size_t i = 0; i < length; ++i) {
            mine[i] = value(rank, i);
            sums[i] = first[i] = value(0, i);
            for (int r = 1; r < size; ++r) sums[i] += value(r, i);
        }
        auto values = mine;
        communicator.all_reduce(std::span<T>(values));
        if (values != sums) wrong = "all_reduce is not the sum in the order of the ranks";
        if constexpr (OverlappingCommunicator<C>) {
            // Two sums under way, an exchange between them.
            auto some = mine, others = sums;
            communicator.start_all_reduce(std::span<T>(some));
            communicator.barrier();
            communicator.start_all_reduce(std::span<T>(others).first(length / 2));
            communicator.finish();
            if (some != sums) wrong = "start_all_reduce is not the sum in the order of the ranks";
            for (std::size_t i = 0; i < length; ++i) {
                T sum = sums[i];
                for (int r = 1; r < size && i < length / 2; ++r) sum += sums[i];
                if (others[i] != sum) wrong = "of two sums under way the second is wrong";
            }
        }
        communicator.broadcast(std::span<T>(mine));
        if (mine != first) wrong = "broadcast does not give the values of rank 0";
        communicator.barrier();
    };
    check(0.0F);
    check(0.0);
    return wrong;
}

}  // namespace mtdn::testing
