#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <mtdn/backend/cuda/operations.hpp>
#include <mtdn/backend/cuda/queue_state.hpp>
#include <mtdn/backend/cuda/testing/warp.hpp>

namespace mtdn {

namespace testing {

/// Options of an emulated device.
struct EmulatorOptions {
    int order = 0;  ///< in which a block's threads and a kernel's blocks take turns; results must not depend on it
    Precision precision = Precision::single;
    bool simple = false;
    bool graphs = true;
    std::map<std::string, Index>* blocks = nullptr;  ///< counts every kernel's blocks as it runs, by its type's name
};

/// The host, running kernels thread by thread: slow, and exact about who waits for whom.
///
/// It refuses a barrier that only some threads of a block reach and shared memory outside of an array, and fills shared
/// memory with NaN before each block. A missing barrier shows as results that differ between orders. Between operations
/// its memory may not be touched: host code that takes it for its own ends by a segmentation fault. A recording is the
/// kernels with their arguments; before it plays, its memory is filled with NaN.
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
class Queue<testing::Emulator> : public QueueState {
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
        : Queue(options, std::make_shared<EmulatedMemory>()) {}

    std::string describe() const { return "CUDA kernels emulated on the host"; }
    Precision precision() const { return precision_; }
    void wait() {
        meet();
        const Running running(*this);
        require_right_labels(*wrong_label());
    }

    void copy_in(const void* from, void* to, const Rows& rows) {
        meet();
        const Running running(*this);
        for (std::size_t i = 0; i < rows.count; ++i)
            std::memcpy(static_cast<char*>(to) + i * rows.step, static_cast<const char*>(from) + i * rows.bytes,
                        rows.bytes);
    }
    void copy_out(const void* from, void* to, const Rows& rows) {
        wait();
        const Running running(*this);
        for (std::size_t i = 0; i < rows.count; ++i)
            std::memcpy(static_cast<char*>(to) + i * rows.bytes, static_cast<const char*>(from) + i * rows.step,
                        rows.bytes);
    }

    Index* wrong_label() const { return static_cast<Index*>(wrong_label_.data()); }
    Index read_later(const float* x) {
        const Running running(*this);
        const Index request = next_request();
        late_[place_of(request)] = {*x, *wrong_label()};
        return request;
    }
    double late_number(Index request) {
        const Running running(*this);
        const Late& late = late_[place_of(request)];
        require_right_labels(late.wrong_label);
        return static_cast<double>(late.number);
    }

    using Kernel = std::function<void(Queue&)>;
    /// Takes a kernel's launch, if they are recorded.
    template <class Launch>
    bool takes(const Launch& launch) {
        if (recording()) kernels_.push_back(launch);
        return recording();
    }
    void begin_recording() { begin_arena(); }
    void abandon_recording() {
        kernels_.clear();
        end_arena();
    }
    std::shared_ptr<const void> end_recording() {
        return std::make_shared<Recorded>(Recorded{end_arena(), std::exchange(kernels_, {})});
    }
    void replay(const std::shared_ptr<const void>& recording) {
        const auto& recorded = *static_cast<const Recorded*>(recording.get());
        {
            const Running running(*this);
            recorded.arena->each_chunk([](void* data, std::size_t bytes) { std::memset(data, 0xff, bytes); });
        }
        for (const Kernel& kernel : recorded.kernels) kernel(*this);
    }
    void count(const char* kernel, Index blocks) {
        if (blocks_) (*blocks_)[kernel] += blocks;
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
    struct Late {
        float number = 0;
        Index wrong_label = LabelChecks::none;
    };
    struct Recorded {
        std::shared_ptr<ArenaPool> arena;
        std::vector<Kernel> kernels;
    };

    Queue(const testing::EmulatorOptions& options, const std::shared_ptr<EmulatedMemory>& memory)
        : QueueState(memory, options.graphs), order_(options.order),
          precision_(options.simple ? Precision::single : options.precision), blocks_(options.blocks), memory_(memory),
          wrong_label_(memory->obtain(sizeof(Index))) {
        const Running running(*this);
        *wrong_label() = LabelChecks::none;
    }
    // While the memory is open.
    void require_right_labels(Index word) {
        if (word == LabelChecks::none) return;
        *wrong_label() = LabelChecks::none;
        label_checks().refuse(word);
    }

    int order_;
    Precision precision_;
    std::map<std::string, Index>* blocks_;
    std::shared_ptr<EmulatedMemory> memory_;
    BlockHandle wrong_label_;
    Late late_[late_numbers];
    std::vector<Kernel> kernels_;  // of a recording that is being made
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
    if (queue.takes([=](Queue<testing::Emulator>& again) { launch(again, blocks, body); })) return;
    queue.count(typeid(Body).name(), blocks);
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
