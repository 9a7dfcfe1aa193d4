#pragma once

#include <sys/mman.h>
#include <ucontext.h>

#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <mtdn/backend/cuda/operations.hpp>

namespace mtdn {

namespace testing {

/// Options of an emulated device.
struct EmulatorOptions {
    int order = 0;  ///< in which a block's threads and a kernel's blocks take turns; results must not depend on it
};

/// The host, running kernels thread by thread: slow, and exact about who waits for whom.
///
/// It refuses a barrier that only some threads of a block reach and shared memory outside of an array, and fills shared
/// memory with NaN before each block. A missing barrier shows as results that differ between orders. Between operations
/// its memory may not be touched: host code that takes it for its own ends by a segmentation fault.
struct Emulator {
    using Options = EmulatorOptions;
};

}  // namespace testing

namespace detail::cuda {

/// The threads of one block, each on a stack of its own, which they keep from block to block.
class Fibers {
public:
    /// Runs `body(thread)` for all threads, thread order[0] first. `sync` returns once all have called it.
    template <class Body>
    void run(const std::vector<int>& order, const Body& body) {
        const std::size_t count = order.size();
        while (fibers_.size() < count) fibers_.push_back(begin());
        call_ = [](const void* that, int thread) { (*static_cast<const Body*>(that))(thread); };
        body_ = &body;
        for (std::size_t i = 0; i < count; ++i) fibers_[i]->thread = order[i];
        for (std::size_t left = count; left > 0;) {
            std::size_t finished = 0;
            for (std::size_t i = 0; i < count && !error_; ++i) {
                current_ = fibers_[i].get();
                current_->finished = false;
                ::swapcontext(&scheduler_, &current_->context);
                finished += current_->finished ? 1 : 0;
            }
            if (!error_ && finished != 0 && finished != left)
                error_ = std::make_exception_ptr(BackendError(
                    concatenate("a barrier that ", left - finished, " of ", left, " threads reach")));
            if (error_) {
                fibers_.clear();  // some are still in the body
                std::rethrow_exception(std::exchange(error_, nullptr));
            }
            left -= finished;
        }
    }

    /// Lets the others go on until they are here too.
    void sync() { ::swapcontext(&current_->context, &scheduler_); }

private:
    static constexpr std::size_t stack_bytes = 1 << 17;

    struct Fiber {
        ucontext_t context{};
        std::unique_ptr<std::byte[]> stack{new std::byte[stack_bytes]};
        int thread = 0;
        bool finished = false;
    };

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
        auto& self = *reinterpret_cast<Fibers*>(address);
        for (;;) {
            try {
                self.call_(self.body_, self.current_->thread);
            } catch (...) {
                self.error_ = std::current_exception();
            }
            self.current_->finished = true;
            self.sync();
        }
    }

    std::vector<std::unique_ptr<Fiber>> fibers_;
    Fiber* current_ = nullptr;
    ucontext_t scheduler_{};
    void (*call_)(const void*, int) = nullptr;
    const void* body_ = nullptr;
    std::exception_ptr error_;
};

/// Memory that may be touched only while it is open.
class EmulatedMemory final : public MemoryPool {
public:
    EmulatedMemory() {
        void* all = ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        require<BackendError>(all != MAP_FAILED, "Emulator: no room for its memory");
        base_ = static_cast<char*>(all);
    }
    ~EmulatedMemory() override { ::munmap(base_, room); }

    void set_open(bool open) { ::mprotect(base_, used_, open ? PROT_READ | PROT_WRITE : PROT_NONE); }

private:
    static constexpr std::size_t room = std::size_t{1} << 36;  // addresses; pages come when they are touched

    void* allocate(std::size_t bytes) override {
        require<BackendError>(bytes <= room - used_, "Emulator: out of memory");
        return base_ + std::exchange(used_, used_ + (bytes + 4095) / 4096 * 4096);
    }
    void deallocate(void*) noexcept override {}

    char* base_ = nullptr;
    std::size_t used_ = 0;
};

template <>
class Queue<testing::Emulator> {
public:
    /// Opens the memory for as long as it lives.
    class Running {
    public:
        explicit Running(Queue& queue) : memory_(*queue.memory_) { memory_.set_open(true); }
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;
        ~Running() { memory_.set_open(false); }

    private:
        EmulatedMemory& memory_;
    };

    explicit Queue(const testing::EmulatorOptions& options) : order_(options.order) {}

    MemoryPool& memory() { return *memory_; }
    std::string describe() const { return "CUDA kernels emulated on the host"; }
    void wait() {}

    void copy_in(const void* from, void* to, const Rows& rows) {
        const Running running(*this);
        for (std::size_t i = 0; i < rows.count; ++i)
            std::memcpy(static_cast<char*>(to) + i * rows.step, static_cast<const char*>(from) + i * rows.bytes,
                        rows.bytes);
    }
    void copy_out(const void* from, void* to, const Rows& rows) {
        const Running running(*this);
        for (std::size_t i = 0; i < rows.count; ++i)
            std::memcpy(static_cast<char*>(to) + i * rows.bytes, static_cast<const char*>(from) + i * rows.step,
                        rows.bytes);
    }

    Fibers& fibers() { return fibers_; }
    /// The i-th of `count` threads or blocks to take its turn: as they come, backwards, or in steps.
    Index turn(Index i, Index count) const {
        if (order_ == 0) return i;
        if (order_ == 1) return count - 1 - i;
        Index step = 2 * order_ + 1;
        while (std::gcd(step, count) != 1) step += 2;
        return i * step % count;
    }

private:
    int order_;
    std::shared_ptr<EmulatedMemory> memory_ = std::make_shared<EmulatedMemory>();
    Fibers fibers_;
};

template <class Body>
struct SharedOf {
    struct Type {};
};
template <class Body>
    requires requires { typename Body::Shared; }
struct SharedOf<Body> {
    using Type = typename Body::Shared;
};

/// What a kernel's body sees of its block on the host.
template <class Shared>
struct EmulatedBlock {
    Index block;
    int own_thread;
    Shared& memory;
    Fibers& fibers;

    Index number() const { return block; }
    int thread() const { return own_thread; }
    Shared& shared() { return memory; }
    void sync() { fibers.sync(); }
    void lower(Index* place, Index value) { *place = least(*place, value); }
};

template <class Body>
void launch(Queue<testing::Emulator>& queue, Index blocks, const Body& body) {
    using Shared = typename SharedOf<Body>::Type;
    std::vector<int> order;
    for (int i = 0; i < Body::threads; ++i) order.push_back(static_cast<int>(queue.turn(i, Body::threads)));
    auto shared = std::make_unique<Shared>();
    const Queue<testing::Emulator>::Running running(queue);
    for (Index i = 0; i < blocks; ++i) {
        const Index block = queue.turn(i, blocks);
        const auto run = [&](int thread) {
            EmulatedBlock<Shared> own{block, thread, *shared, queue.fibers()};
            body(own);
        };
        if constexpr (requires { typename Body::Shared; }) {
            std::memset(static_cast<void*>(shared.get()), 0xff, sizeof(Shared));
            queue.fibers().run(order, run);
        } else {
            for (const int thread : order) run(thread);
        }
    }
}

}  // namespace detail::cuda
}  // namespace mtdn
