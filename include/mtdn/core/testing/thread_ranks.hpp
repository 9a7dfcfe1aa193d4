#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <mtdn/core/communicator.hpp>
#include <mtdn/core/error.hpp>

namespace mtdn::testing {

/// One of several ranks that are threads of one process: data-parallel training without MPI, for tests.
class ThreadCommunicator {
public:
    /// What the ranks share.
    struct Meeting {
        explicit Meeting(int of) : size(of), floats(static_cast<std::size_t>(of)), doubles(floats.size()) {}
        const int size;
        std::vector<std::span<float>> floats;  // that the ranks exchange
        std::vector<std::span<double>> doubles;
        std::mutex mutex;
        std::condition_variable all_here;
        int waiting = 0, ended = -1;  // ended: a rank that will come no more
        long round = 0;
    };

    ThreadCommunicator(std::shared_ptr<Meeting> meeting, int rank) : meeting_(std::move(meeting)), rank_(rank) {}

    int rank() const { return rank_; }
    int size() const { return meeting_->size; }
    void all_reduce(std::span<float> values) { sum(meeting_->floats, values); }
    void all_reduce(std::span<double> values) { sum(meeting_->doubles, values); }
    void broadcast(std::span<float> values) { copy(meeting_->floats, values); }
    void broadcast(std::span<double> values) { copy(meeting_->doubles, values); }

    /// @throws Error if a rank has ended by an exception
    void barrier() {
        std::unique_lock lock(meeting_->mutex);
        const long round = meeting_->round;
        if (++meeting_->waiting == meeting_->size) {
            meeting_->waiting = 0;
            ++meeting_->round;
            meeting_->all_here.notify_all();
        }
        meeting_->all_here.wait(lock, [&] { return meeting_->round != round || meeting_->ended >= 0; });
        require<Error>(meeting_->round != round, "ThreadCommunicator: rank ", rank_, " of ", meeting_->size,
                       " waits for rank ", meeting_->ended, ", which has ended");
    }

private:
    template <class T>
    void exchange(std::vector<std::span<T>>& all, std::span<T> values) {
        all[static_cast<std::size_t>(rank_)] = values;
        barrier();
        for (const auto& of_rank : all)
            require<Error>(of_rank.size() == values.size(), "ThreadCommunicator: rank ", rank_, " exchanges ",
                           values.size(), " values, another one ", of_rank.size());
    }

    template <class T>
    void sum(std::vector<std::span<T>>& all, std::span<T> values) {
        exchange(all, values);
        std::vector<T> sums(all.front().begin(), all.front().end());
        for (std::size_t rank = 1; rank < all.size(); ++rank)
            for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += all[rank][i];
        barrier();
        std::copy(sums.begin(), sums.end(), values.begin());
    }

    template <class T>
    void copy(std::vector<std::span<T>>& all, std::span<T> values) {
        exchange(all, values);
        if (rank_ > 0) std::copy(all.front().begin(), all.front().end(), values.begin());
        barrier();
    }

    std::shared_ptr<Meeting> meeting_;
    int rank_;
};
static_assert(Communicator<ThreadCommunicator>);

/// Calls `work(communicator)` on `size` threads, one a rank, and returns when all are done.
///
/// The exception of the rank that failed first is thrown here; the others stop at their next exchange.
template <class Work>
void run_ranks(int size, Work&& work) {
    const auto meeting = std::make_shared<ThreadCommunicator::Meeting>(size);
    std::exception_ptr first;
    std::vector<std::thread> ranks;
    for (int rank = 0; rank < size; ++rank)
        ranks.emplace_back([&, rank] {
            try {
                work(ThreadCommunicator(meeting, rank));
            } catch (...) {
                const std::lock_guard lock(meeting->mutex);
                if (meeting->ended < 0) first = std::current_exception();
                if (meeting->ended < 0) meeting->ended = rank;
                meeting->all_here.notify_all();
            }
        });
    for (auto& rank : ranks) rank.join();
    if (first) std::rethrow_exception(first);
}

}  // namespace mtdn::testing
