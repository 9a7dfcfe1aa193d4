#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

#include <mtdn/backend/memory.hpp>
#include <mtdn/backend/options.hpp>
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
    Scratch(MemoryPool& pool, Index floats, int spares)
        : block_(pool.obtain(static_cast<std::size_t>(std::max<Index>(floats, 1)) * sizeof(float), spares)) {}
    float* data() const { return static_cast<float*>(block_.data()); }

private:
    BlockHandle block_;
};

/// Threads and memory of one CPU backend.
struct Workspace {
    ThreadPool threads;
    std::shared_ptr<HostMemoryPool> memory = std::make_shared<HostMemoryPool>();

    ConvolutionAlgorithm convolution;

    Workspace(int count, ConvolutionAlgorithm algorithm) : threads(count), convolution(algorithm) {}

    /// Within a loop the other threads will soon want as much.
    Scratch scratch(Index floats) { return Scratch(*memory, floats, threads.running() ? threads.size() - 1 : 0); }

    /// Cuts [0, count) of items that cost about `cost` elements each into pieces of some 32 768 elements and calls
    /// `body(Range)` for each, on all threads. Small work stays on the caller's thread.
    template <class Body>
    void for_pieces(Index count, Index cost, Body&& body) {
        const Index items = std::max<Index>(1, 32768 / std::max<Index>(cost, 1));
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
