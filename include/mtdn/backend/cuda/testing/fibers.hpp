#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>

namespace mtdn::detail::cuda {

/// The threads of one block, each on a stack of its own, which they keep from block to block.
///
/// @tparam Lanes  what the threads of a warp give to what they do together: 32 `lanes`
template <class Lanes>
class FibersOf {
public:
    using Lane = typename Lanes::Lane;

    /// Runs `body(thread)` for all threads, thread order[0] first. `sync` returns once all have called it.
    template <class Body>
    void run(const std::vector<int>& order, const Body& body) {
        const std::size_t count = order.size();
        while (fibers_.size() < count) fibers_.push_back(begin());
        call_ = [](const void* that, int thread) { (*static_cast<const Body*>(that))(thread); };
        body_ = &body;
        warps_.assign((count + 31) / 32, Warp{});
        for (std::size_t i = 0; i < count; ++i) {
            fibers_[i]->thread = order[i];
            fibers_[i]->state = State::ready;
            warps_[static_cast<std::size_t>(order[i] / 32)].fibers.push_back(fibers_[i].get());
        }
        do advance(count);
        while (open_barrier(count));
    }

    /// Lets the others go on until they are here too.
    void sync() {
        current_->state = State::at_barrier;
        pause();
    }

    /// Lets the other lanes of the warp go on until they are here too; then `together` is called once.
    void meet(const Lane& lane, void (*together)(const Lanes&)) {
        Warp& warp = warps_[static_cast<std::size_t>(current_->thread / 32)];
        require<BackendError>(warp.here.empty() || warp.together == together,
                              "lanes of a warp do different things where they have to do the same");
        warp.together = together;
        warp.lanes.lanes[current_->thread % 32] = lane;
        warp.here.push_back(current_);
        if (warp.here.size() < 32) {
            current_->state = State::meeting;
            pause();
        } else {
            together(warp.lanes);
            for (Fiber* fiber : warp.here) fiber->state = State::ready;
            warp.here.clear();
        }
    }

private:
    static constexpr std::size_t stack_bytes = 1 << 17;

    enum class State { ready, meeting, at_barrier, finished };
    struct Fiber {
        ucontext_t context{};
        void* place[5] = {};  // where it goes on, once it has begun
        std::unique_ptr<std::byte[]> stack{new std::byte[stack_bytes]};
        int thread = 0;
        State state = State::ready;
        bool begun = false;
    };
    struct Warp {
        std::vector<Fiber*> fibers;  // as they take turns
        std::vector<Fiber*> here;    // and wait for the others
        Lanes lanes{};
        void (*together)(const Lanes&) = nullptr;
    };

    /// Lets every thread go on as far as it can before the next one does, with the rest of its warp where they meet: so
    /// a barrier that is missing is missed.
    void advance(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            if (fibers_[i]->state != State::ready) continue;
            resume(*fibers_[i]);
            if (fibers_[i]->state != State::meeting) continue;
            const Warp& warp = warps_[static_cast<std::size_t>(fibers_[i]->thread / 32)];
            for (bool moved = true; moved;) {
                moved = false;
                for (Fiber* fiber : warp.fibers)
                    if (fiber->state == State::ready) {
                        resume(*fiber);
                        moved = true;
                    }
            }
        }
    }

    /// Lets all go on if all wait at the barrier; false if all are finished.
    bool open_barrier(std::size_t count) {
        std::size_t finished = 0, at_barrier = 0;
        for (std::size_t i = 0; i < count; ++i) {
            finished += fibers_[i]->state == State::finished ? 1U : 0U;
            at_barrier += fibers_[i]->state == State::at_barrier ? 1U : 0U;
        }
        for (const Warp& warp : warps_)
            if (!warp.here.empty()) {
                error_ = std::make_exception_ptr(BackendError(
                    concatenate("what a warp does together, ", warp.here.size(), " of its 32 lanes reach")));
                abandon();
            }
        if (at_barrier > 0 && finished > 0) {
            error_ = std::make_exception_ptr(
                BackendError(concatenate("a barrier that ", at_barrier, " of ", count, " threads reach")));
            abandon();
        }
        for (std::size_t i = 0; i < count && at_barrier > 0; ++i) fibers_[i]->state = State::ready;
        return at_barrier > 0;
    }

    [[noreturn]] void abandon() {
        fibers_.clear();  // some are still in the body
        std::rethrow_exception(std::exchange(error_, nullptr));
    }

    void resume(Fiber& fiber) {
        current_ = &fiber;
        enter();
        if (error_) abandon();
    }
    // swapcontext asks the system each time. The compiler's own jumps are for functions that have not returned, which
    // those of a stack that nobody touches have not; nor may their last call take the place of their frame, as one that
    // could return might.
    [[gnu::noinline]] void enter() {
        if (__builtin_setjmp(scheduler_) == 0) {
            if (current_->begun) __builtin_longjmp(current_->place, 1);
            current_->begun = true;
            ::setcontext(&current_->context);
            std::abort();  // it came back
        }
    }
    [[gnu::noinline]] void pause() {
        if (__builtin_setjmp(current_->place) == 0) return_to_scheduler();
    }
    // Nobody may jump to a place of the same function.
    [[noreturn, gnu::noinline]] void return_to_scheduler() { __builtin_longjmp(scheduler_, 1); }

    std::unique_ptr<Fiber> begin() {
        auto fiber = std::make_unique<Fiber>();
        ::getcontext(&fiber->context);
        fiber->context.uc_stack.ss_sp = fiber->stack.get();
        fiber->context.uc_stack.ss_size = stack_bytes;
        // A context takes ints alone.
        const auto self = reinterpret_cast<std::uintptr_t>(this);
        ::makecontext(&fiber->context, reinterpret_cast<void (*)()>(&work), 2, static_cast<int>(self >> 32),
                      static_cast<int>(self & 0xffffffff));
        return fiber;
    }

    static void work(int high, int low) {
        const auto address = (static_cast<std::uintptr_t>(static_cast<unsigned>(high)) << 32) |
                             static_cast<unsigned>(low);
        auto& self = *reinterpret_cast<FibersOf*>(address);
        for (;;) {
            try {
                self.call_(self.body_, self.current_->thread);
            } catch (...) {
                self.error_ = std::current_exception();
            }
            self.current_->state = State::finished;
            self.pause();
        }
    }

    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Warp> warps_;
    Fiber* current_ = nullptr;
    void* scheduler_[5] = {};
    void (*call_)(const void*, int) = nullptr;
    const void* body_ = nullptr;
    std::exception_ptr error_;
};

}  // namespace mtdn::detail::cuda
