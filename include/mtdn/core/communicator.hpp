#pragma once

#include <concepts>
#include <span>

namespace mtdn {

/// Processes that train one model together.
///
/// `all_reduce` replaces every rank's values by their sum, added in the order of the ranks, so that it is the same
/// bits everywhere and every time. `broadcast` gives every rank the values of rank 0. `barrier` returns when every
/// rank has called it.
template <class C>
concept Communicator = requires(C& communicator, std::span<float> floats, std::span<double> doubles) {
    { communicator.rank() } -> std::same_as<int>;
    { communicator.size() } -> std::same_as<int>;
    { communicator.all_reduce(floats) } -> std::same_as<void>;
    { communicator.all_reduce(doubles) } -> std::same_as<void>;
    { communicator.broadcast(floats) } -> std::same_as<void>;
    { communicator.broadcast(doubles) } -> std::same_as<void>;
    { communicator.barrier() } -> std::same_as<void>;
};

/// One process on its own: every exchange leaves the values as they are.
struct Alone {
    int rank() const { return 0; }
    int size() const { return 1; }
    void all_reduce(std::span<float>) const {}
    void all_reduce(std::span<double>) const {}
    void broadcast(std::span<float>) const {}
    void broadcast(std::span<double>) const {}
    void barrier() const {}
};
static_assert(Communicator<Alone>);

}  // namespace mtdn
