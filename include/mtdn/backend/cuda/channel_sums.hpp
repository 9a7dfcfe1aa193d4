#pragma once

#include <mtdn/backend/cuda/block.hpp>

namespace mtdn::detail::cuda {

/// How sums over the pixels of each group are cut, for every channel: by the shape alone.
struct SumsPlan {
    static constexpr int threads = 256;

    Index groups, pixels, channels;  // pixels of one group
    int lanes;                       // neighbouring channels that a block sums, a power of two of at most 32
    Index rows;                      // threads that share a channel
    Index tiles;                     // blocks side by side, for all channels
    Index pieces, piece;             // of a group's pixels, and the pixels of one

    constexpr Index blocks() const { return groups * pieces * tiles; }
};

constexpr SumsPlan sums_plan(Index groups, Index group_pixels, Index channels) {
    int lanes = 1;
    while (lanes < 32 && lanes < channels) lanes *= 2;
    const Index rows = SumsPlan::threads / lanes;
    // 32 pixels a thread pay for its block; more than 256 pieces would make joining them slow.
    const Index pieces = most(1, least(256, ceil_div(group_pixels, 32 * rows)));
    const Index piece = most(1, ceil_div(group_pixels, pieces));
    const Index used = most(1, ceil_div(group_pixels, piece));
    return {groups, group_pixels, channels, lanes, rows, ceil_div(channels, lanes), used, piece};
}

inline namespace MTDN_KERNELS {

/// Memory of the backend for the time of one operation; what is queued after it may have it again.
template <class T>
class Scratch {
public:
    template <class D>
    Scratch(Queue<D>& queue, Index count)
        : block_(queue.memory().obtain(static_cast<std::size_t>(count) * sizeof(T))) {}
    T* data() const { return static_cast<T*>(block_.data()); }

private:
    BlockHandle block_;
};

/// Sums of F::quantities numbers that f(pixel, channel, numbers) gives, for each piece of each group.
///
/// A thread takes every `rows`-th pixel of its piece: runs of 32 in single precision, runs in double. Threads are
/// joined in a tree, pieces in order.
template <class F>
struct ChannelSums {
    static constexpr int threads = SumsPlan::threads;
    static constexpr int quantities = F::quantities;
    struct Shared {
        SharedArray<SharedArray<double, threads>, quantities> sum;
    };

    F f;
    SumsPlan plan;
    double* slabs;  // (pieces, quantities, groups, channels)

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        Shared& shared = block.shared();
        const int thread = block.thread();
        const Split tile = split(block.number(), plan.tiles), part = split(tile.quotient, plan.pieces);
        const Index group = part.quotient, piece = part.rest;
        const Index channel = tile.rest * plan.lanes + thread % plan.lanes;
        const Index end = (piece + 1) * plan.piece < plan.pixels ? (piece + 1) * plan.piece : plan.pixels;

        double total[quantities] = {};
        if (channel < plan.channels)
            for (Index p = piece * plan.piece + thread / plan.lanes; p < end;) {
                float run[quantities] = {}, numbers[quantities];
                for (int k = 0; k < 32 && p < end; ++k, p += plan.rows) {
                    f(group * plan.pixels + p, channel, numbers);
                    for (int q = 0; q < quantities; ++q) run[q] += numbers[q];
                }
                for (int q = 0; q < quantities; ++q) total[q] += run[q];
            }
        for (int q = 0; q < quantities; ++q) shared.sum[q][thread] = total[q];
        for (int half = threads / 2; half >= plan.lanes; half /= 2) {
            block.sync();
            if (thread < half)
                for (int q = 0; q < quantities; ++q) shared.sum[q][thread] += shared.sum[q][thread + half];
        }
        if (thread < plan.lanes && channel < plan.channels)
            for (int q = 0; q < quantities; ++q)
                slabs[((piece * quantities + q) * plan.groups + group) * plan.channels + channel] =
                    shared.sum[q][thread];
    }
};

/// Sums pieces in order; the sums may be the first one.
struct JoinPieces {
    const double* slabs;
    Index pieces, size;
    double* sums;
    MTDN_DEVICE void operator()(Index i) const {
        double sum = slabs[i];
        for (Index k = 1; k < pieces; ++k) sum += slabs[k * size + i];
        sums[i] = sum;
    }
};

/// Sums over the pixels of each group, (quantities, groups, channels), also written to `sums` if that is given.
template <class D, class F>
Scratch<double> channel_sums(Queue<D>& queue, Index groups, Index group_pixels, Index channels, const F& f,
                             double* sums = nullptr) {
    const SumsPlan plan = sums_plan(groups, group_pixels, channels);
    const Index size = F::quantities * groups * channels;
    Scratch<double> slabs(queue, plan.pieces * size);
    launch(queue, plan.blocks(), ChannelSums<F>{f, plan, slabs.data()});
    if (plan.pieces > 1 || sums)
        for_each(queue, size, JoinPieces{slabs.data(), plan.pieces, size, sums ? sums : slabs.data()});
    return slabs;
}

struct Value {
    static constexpr int quantities = 1;
    Pixels<const float> x;
    MTDN_DEVICE void operator()(Index p, Index c, float (&numbers)[1]) const { numbers[0] = x.at(p, c); }
};

/// Totals (groups, channels), of `count` values each, as means.
struct Mean {
    const double* totals;
    Index channels;
    double count;
    MTDN_DEVICE float operator()(Index g, Index c) const {
        return static_cast<float>(totals[g * channels + c] / count);
    }
};

struct AddTotals {
    Pixels<float> y;
    const double* totals;
    MTDN_DEVICE float operator()(Index, Index c) const { return y.at(0, c) + static_cast<float>(totals[c]); }
};

/// Adds to y (1, 1, 1, C) the sum of x over all its pixels.
template <class D>
void add_channel_sums(Queue<D>& queue, View<CudaFor<D>, const float> x, View<CudaFor<D>, float> y) {
    const auto totals = channel_sums(queue, 1, x.shape.pixels(), x.shape.channels, Value{x});
    for_each_element(queue, y, AddTotals{y, totals.data()});
}

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
