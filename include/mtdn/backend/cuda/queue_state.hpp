#pragma once

#include <memory>
#include <utility>

#include <mtdn/backend/cuda/arena_pool.hpp>
#include <mtdn/backend/cuda/label_checks.hpp>

namespace mtdn::detail::cuda {

/// What the queues of all devices have: memory, the labels' checks, and what belongs to a recording.
class QueueState {
public:
    QueueState(std::shared_ptr<MemoryPool> memory, bool records) : memory_(std::move(memory)), records_(records) {}
    QueueState(const QueueState&) = delete;
    QueueState& operator=(const QueueState&) = delete;

    /// The recording's own while there is one.
    MemoryPool& memory() { return arena_ ? *arena_ : *memory_; }
    LabelChecks& label_checks() { return checks_; }
    bool records() const { return records_; }
    Index meetings() const { return meetings_; }

protected:
    /// Requests of numbers that can be read.
    static constexpr Index late_numbers = 8;

    ~QueueState() = default;

    bool recording() const { return arena_ != nullptr; }
    /// The host is about to copy, or to wait.
    void meet() {
        require<BackendError>(!recording(), "work that is recorded may not copy to or from the host, nor wait for it");
        ++meetings_;
    }
    /// Recordings share an arena, for one plays at a time; the last of them ends it.
    void begin_arena() {
        require<BackendError>(!recording(), "a recording within a recording");
        arena_ = shared_arena_.lock();
        if (!arena_) shared_arena_ = arena_ = std::make_shared<ArenaPool>(*memory_);
    }
    std::shared_ptr<ArenaPool> end_arena() { return std::exchange(arena_, nullptr); }

    Index next_request() {
        require<BackendError>(!recording(), "read_later: what is recorded is read when it has been played");
        return requests_++;
    }
    /// Place of a request among those that can be read.
    Index place_of(Index request) const {
        require<BackendError>(request < requests_ && request >= requests_ - late_numbers, "late_number: request ",
                              request, ", the last ", late_numbers, " of ", requests_, " can be read");
        return request % late_numbers;
    }

private:
    std::shared_ptr<MemoryPool> memory_;
    LabelChecks checks_;
    std::shared_ptr<ArenaPool> arena_;
    std::weak_ptr<ArenaPool> shared_arena_;
    Index meetings_ = 0, requests_ = 0;
    bool records_;
};

}  // namespace mtdn::detail::cuda
