#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <mtdn/backend/cuda/operations.hpp>
#include <mtdn/backend/cuda/testing/warp.hpp>

namespace mtdn {

namespace testing {

/// Options of an emulated device.
struct EmulatorOptions {
    int order = 0;  ///< in which a block's threads and a kernel's blocks take turns; results must not depend on it
    Precision precision = Precision::single;
    bool simple = false;
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

    explicit Queue(const testing::EmulatorOptions& options)
        : order_(options.order), precision_(options.simple ? Precision::single : options.precision) {}

    MemoryPool& memory() { return *memory_; }
    std::string describe() const { return "CUDA kernels emulated on the host"; }
    Precision precision() const { return precision_; }
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
    Precision precision_;
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
class EmulatedBlock {
public:
    EmulatedBlock(Index block, int thread, Shared& shared, Fibers& fibers)
        : block_(block), thread_(thread), shared_(shared), fibers_(fibers) {}
    EmulatedBlock(const EmulatedBlock&) = delete;
    EmulatedBlock& operator=(const EmulatedBlock&) = delete;

    Index number() const { return block_; }
    int thread() const { return thread_; }
    Shared& shared() { return shared_; }
    void sync() { fibers_.sync(); }
    void lower(Index* place, Index value) { *place = least(*place, value); }

    Word bf16(float low, float high) {
        return Word{BFloat16::nearest(low).bits} | Word{BFloat16::nearest(high).bits} << 16;
    }
    Word tf32(float value) { return nearest_tf32(value); }

    void copy(void* to, const void* from, int bytes) {
        require_shared(to);
        require<BackendError>(reinterpret_cast<std::uintptr_t>(from) % 16 == 0 && bytes >= 0 && bytes <= 16,
                              "a copy of ", bytes, " bytes from an address that is no multiple of 16");
        std::memset(to, 0xff, 16);
        copies_.push_back({to, from, static_cast<std::size_t>(bytes)});
    }
    void wait_for_copies() {
        for (const Copy& copy : copies_) {
            std::memset(copy.to, 0, 16);
            if (copy.bytes > 0) std::memcpy(copy.to, copy.from, copy.bytes);
        }
        copies_.clear();
    }

    void load_rows(const void* row, Word (&words)[4]) { load(row, words, &Lanes::load_rows); }
    void load_columns(const void* row, Word (&words)[4]) { load(row, words, &Lanes::load_columns); }
    void multiply_bf16(float (&sum)[4], const Word (&a)[4], Word low, Word high) {
        multiply(sum, a, low, high, &Lanes::multiply_bf16);
    }
    void multiply_tf32(float (&sum)[4], const Word (&a)[4], Word low, Word high) {
        multiply(sum, a, low, high, &Lanes::multiply_tf32);
    }

    /// At the end of the body.
    void finish() const {
        require<BackendError>(copies_.empty(), "a thread ends before its copies into shared memory do");
    }

private:
    struct Copy {
        void* to;
        const void* from;
        std::size_t bytes;
    };

    void require_shared(const void* place) const {
        const std::uintptr_t offset =
            reinterpret_cast<std::uintptr_t>(place) - reinterpret_cast<std::uintptr_t>(&shared_);
        require<BackendError>(offset < sizeof(Shared) && offset % 16 == 0,
                              "16 bytes that are not shared memory's, or not at a multiple of 16");
    }
    void load(const void* row, Word (&words)[4], void (*together)(const Lanes&)) {
        require_shared(row);
        fibers_.meet({.row = row, .words = words}, together);
    }
    void multiply(float (&sum)[4], const Word (&a)[4], Word low, Word high, void (*together)(const Lanes&)) {
        fibers_.meet({.sum = sum, .a = a, .b = {low, high}}, together);
    }

    Index block_;
    int thread_;
    Shared& shared_;
    Fibers& fibers_;
    std::vector<Copy> copies_;
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
            EmulatedBlock<Shared> own(block, thread, *shared, queue.fibers());
            body(own);
            own.finish();
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
