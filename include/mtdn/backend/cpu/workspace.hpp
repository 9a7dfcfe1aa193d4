#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include <mtdn/backend/memory.hpp>
#include <mtdn/backend/options.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>
#include <mtdn/core/threads.hpp>

namespace mtdn::detail::cpu {

constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

/// Half-open range of indices.
struct Range {
    Index first = 0;
    Index last = 0;
    Index size() const { return last - first; }
};

/// Part `i` of `count` nearly equal ones of [0, total).
constexpr Range part_of(Index total, Index count, Index i) { return {total * i / count, total * (i + 1) / count}; }

/// Uninitialised floats from the pool, given back at the end of the scope.
class Scratch {
public:
    Scratch(MemoryPool& pool, std::size_t bytes) : block_(pool.obtain(bytes)) {}
    float* data() const { return static_cast<float*>(block_.data()); }

private:
    BlockHandle block_;
};

/// Threads and memory of one CPU backend.
struct Workspace {
    ThreadPool threads;
    std::shared_ptr<HostMemoryPool> memory = std::make_shared<HostMemoryPool>();
    std::vector<std::shared_ptr<HostMemoryPool>> thread_memory;  // each thread's own, for scratch within loops
    ConvolutionAlgorithm convolution;
    Precision precision;

    Workspace(int count, ConvolutionAlgorithm algorithm, Precision products)
        : threads(count), convolution(products == Precision::single ? algorithm : ConvolutionAlgorithm::direct),
          precision(products) {
        require<OptionError>(products == Precision::single || products == Precision::bfloat16,
                             "Cpu: TF32 is for GPUs; single precision or bfloat16");
        require<OptionError>(convolution == algorithm || algorithm == ConvolutionAlgorithm::automatic,
                             "Cpu: convolutions in bfloat16 are direct, not by Winograd's transform");
        for (int i = 0; i < threads.size(); ++i) thread_memory.push_back(std::make_shared<HostMemoryPool>());
    }

    /// Within a loop, what one thread lacks all threads get: it depends on chance which of them will need it when.
    Scratch scratch(Index floats) {
        const std::size_t bytes = static_cast<std::size_t>(std::max<Index>(floats, 1)) * sizeof(float);
        if (!threads.running()) return Scratch(*memory, bytes);
        auto& own = *thread_memory[static_cast<std::size_t>(threads.current())];
        if (!own.has_idle(bytes))
            for (auto& pool : thread_memory) pool->provide(bytes);
        return Scratch(own, bytes);
    }

    /// Cuts [0, count) of items that cost about `cost` elements each into pieces of some 32 768 elements and calls
    /// `body(Range)` for each, on all threads. Small work stays on the caller's thread.
    template <class Body>
    void for_pieces(Index count, Index cost, Body&& body) {
        for_pieces_of(count, items_a_piece(cost), body);
    }
    static Index items_a_piece(Index cost) { return std::max<Index>(1, 32768 / std::max<Index>(cost, 1)); }

    /// The same in pieces of `items` items.
    template <class Body>
    void for_pieces_of(Index count, Index items, Body&& body) {
        threads.run(ceil_div(count, items),
                    [&](Index i) { body(Range{i * items, std::min(count, (i + 1) * items)}); });
    }
};

/// Sum of `count` arrays of `size` values, `step` apart from `data` on, into the first one: in a fixed tree.
template <class I, class T>
void join(T* data, Index count, Index step, Index size) {
    for (Index gap = 1; gap < count; gap *= 2)
        for (Index i = 0; i + gap < count; i += 2 * gap) {
            T* to = data + i * step;
            const T* from = data + (i + gap) * step;
            for (Index j = 0; j < size; ++j) to[j] += from[j];
        }
}

}  // namespace mtdn::detail::cpu
