#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// A fixed set of threads that run the pieces of one loop at a time.
///
/// The caller works too, so a pool of one thread starts none. How a loop is cut into pieces is the caller's
/// business and must not depend on `size()`: then results are the same for every number of threads.
/// Calls from several threads take turns; a piece must not call `run` on the same pool.
class ThreadPool {
public:
    /// @param threads number of threads, the caller among them; 0 means one for each processor
    explicit ThreadPool(int threads = 0) {
        require<OptionError>(threads >= 0, "ThreadPool: threads must not be negative, got ", threads);
        if (threads == 0) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
        // With more threads than processors, who waits awake keeps another from working.
        spins_ = threads <= static_cast<int>(std::thread::hardware_concurrency()) ? 2000 : 0;
        try {
            for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
        } catch (...) {
            finish();
            throw;
        }
    }

    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    ~ThreadPool() { finish(); }

    /// Number of threads, the caller among them.
    int size() const { return static_cast<int>(workers_.size()) + 1; }

    /// Whether a loop is being run on several threads.
    bool running() const { return running_.load(std::memory_order_relaxed); }
    /// Number of the calling thread: 1 to size() − 1 for those of the pool, 0 for others.
    int current() const {
        const auto self = std::this_thread::get_id();
        for (std::size_t i = 0; i < workers_.size(); ++i)
            if (workers_[i].get_id() == self) return static_cast<int>(i) + 1;
        return 0;
    }

    /// Calls `piece(i)` once for every i in [0, count), in any order, and returns when all are done.
    /// The first exception that a piece throws is thrown here; pieces not yet begun are then skipped.
    template <class Piece>
    void run(Index count, Piece&& piece) {
        using Callable = std::remove_reference_t<Piece>;
        run_erased(count, const_cast<void*>(static_cast<const void*>(std::addressof(piece))),
                   [](void* callable, Index i) { (*static_cast<Callable*>(callable))(i); });
    }

private:
    struct Job {
        void* callable = nullptr;
        void (*call)(void*, Index) = nullptr;
        Index count = 0;
    };

    // For one thread too, or every loop's body would be compiled twice.
    [[gnu::noinline]] void run_erased(Index count, void* callable, void (*call)(void*, Index)) {
        if (count <= 1 || workers_.empty()) {
            for (Index i = 0; i < count; ++i) call(callable, i);
            return;
        }
        const std::lock_guard turn(turn_);
        running_.store(true, std::memory_order_relaxed);
        job_ = {callable, call, count};
        next_.store(0, std::memory_order_relaxed);
        error_ = nullptr;
        busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
        bool asleep = false;
        {
            const std::lock_guard lock(mutex_);
            generation_.fetch_add(1, std::memory_order_release);
            asleep = sleepers_ > 0;
        }
        if (asleep) wake_.notify_all();
        take_pieces(job_);
        if (!spin([this] { return busy_.load(std::memory_order_acquire) == 0; })) {
            std::unique_lock lock(mutex_);
            done_.wait(lock, [this] { return busy_.load(std::memory_order_acquire) == 0; });
        }
        running_.store(false, std::memory_order_relaxed);
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    }

    void finish() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (auto& worker : workers_) worker.join();
    }

    void work() {
        for (std::uint64_t seen = 0;;) {
            const auto called = [&] { return generation_.load(std::memory_order_acquire) != seen; };
            if (!spin(called)) {
                std::unique_lock lock(mutex_);
                ++sleepers_;
                wake_.wait(lock, [&] { return stopping_ || called(); });
                --sleepers_;
                if (!called()) return;
            }
            ++seen;
            take_pieces(job_);
            if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                const std::lock_guard lock(mutex_);
                done_.notify_one();
            }
        }
    }

    // Loops follow one another within microseconds, less than it takes to fall asleep and wake up.
    template <class Condition>
    bool spin(Condition&& condition) const {
        for (int i = 0; i < spins_; ++i) {
            if (condition()) return true;
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#endif
        }
        return condition();
    }

    void take_pieces(const Job& job) {
        for (Index i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < job.count;) {
            try {
                job.call(job.callable, i);
            } catch (...) {
                next_.store(job.count, std::memory_order_relaxed);
                const std::lock_guard lock(mutex_);
                if (!error_) error_ = std::current_exception();
            }
        }
    }

    std::mutex turn_;   // one loop at a time
    std::mutex mutex_;  // held to fall asleep, to wake others, and to write error_
    std::condition_variable wake_;
    std::condition_variable done_;
    Job job_;
    int sleepers_ = 0;
    bool stopping_ = false;
    int spins_ = 0;
    std::exception_ptr error_;
    alignas(64) std::atomic<std::uint64_t> generation_{0};
    std::atomic<int> busy_{0};
    std::atomic<bool> running_{false};
    alignas(64) std::atomic<Index> next_{0};
    std::vector<std::thread> workers_;
};

}  // namespace mtdn
