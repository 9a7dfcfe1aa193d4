#pragma once

#include <mtdn/backend/cuda/tensor_cores.hpp>

// Gradients of the weights of convolutions of stride 1, by tensor cores.

namespace mtdn::detail::cuda {

/// How a weight gradient is cut: into tiles of channels, and the sum over pixels into pieces. By the shape alone.
struct GradientPlan {
    static constexpr int rows = 8, columns = 16, channels = 32;  // of a tile
    static constexpr Index long_sum = 4096;                      // pixels that one piece may have, of whole tiles
    static constexpr Index enough_blocks = 512;                  // that keep any GPU busy

    int in_tiles, out_tiles;
    int row_tiles, column_tiles;
    int tiles;          // of pixels, over all frames
    int pieces, piece;  // of tiles, and the tiles of one

    constexpr GradientPlan(const Shape& dy, Index in)
        : in_tiles(static_cast<int>(ceil_div(in, channels))),
          out_tiles(static_cast<int>(ceil_div(dy.channels, channels))),
          row_tiles(static_cast<int>(ceil_div(dy.height, rows))),
          column_tiles(static_cast<int>(ceil_div(dy.width, columns))),
          tiles(static_cast<int>(dy.frames) * row_tiles * column_tiles) {
        require_countable(dy);
        const Index busy = ceil_div(enough_blocks, Index{in_tiles} * out_tiles), some = 4;
        const Index wanted = most(least(busy, ceil_div(tiles, some)), ceil_div(tiles, long_sum / (rows * columns)));
        piece = static_cast<int>(most(ceil_div(tiles, most(wanted, 1)), 1));
        pieces = static_cast<int>(ceil_div(tiles, piece));
    }
    constexpr Index blocks() const { return Index{pieces} * in_tiles * out_tiles; }
};

inline namespace MTDN_KERNELS {

/// Σ over the pixels p of a piece of x(p + tap, i) · dy(p, o), for every tap and channels i, o; zero outside of x.
///
/// A block computes it for 32 channels i and 32 channels o; each of its eight warps for 16 of either and half of each
/// tile's rows. Going down the rows, a warp keeps those of dy that the taps see from one row of x: what it loads of x
/// is multiplied for all of them. Tiles come, and are converted, as those of a `TiledConvolution`.
template <class Cores, int Kernel, class Gradients = Parts>
struct TiledWeightGradient {
    static constexpr int threads = 256, resident = Cores::resident, taps = Kernel * Kernel, depth = Cores::depth;
    static constexpr int rows = GradientPlan::rows, columns = GradientPlan::columns, channels = GradientPlan::channels;
    static constexpr int halo_columns = columns + Kernel - 1;
    static constexpr int own_rows = rows / 2, own_channels = 16;  // of a warp
    static constexpr int own_tiles = own_channels / depth;

    struct Shared {
        struct Operands {
            SharedArray<Region<Cores, rows + Kernel - 1, halo_columns>, channels / depth> x;
            SharedArray<Region<Cores, rows, columns, Gradients>, channels / depth> dy;
        };
        union {
            Operands operands;
            SharedArray<float, taps * 8 * threads / 2> sums;
        };
    };

    GradientPlan plan;
    Parts x;
    Gradients dy;
    Grid<Kernel == 1> input, output;
    int padding;
    Index in, out;
    float* slabs;  // (pieces, taps, in, out)

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        Shared& shared = block.shared();
        const Split to = split(block.number(), plan.out_tiles), from = split(to.quotient, plan.in_tiles);
        const auto piece = static_cast<int>(from.quotient);
        const int first_in = static_cast<int>(from.rest) * channels, first_out = static_cast<int>(to.rest) * channels;
        const int begin = piece * plan.piece;
        const int end = begin + plan.piece < plan.tiles ? begin + plan.piece : plan.tiles;
        float sum[taps][2][4] = {};
        each_region<true>(block, shared.operands, begin, first_in, first_out);
        for (int tile = begin; tile < end; ++tile) {
            block.wait_for_copies();
            block.sync();  // nobody reads the last tile any more
            each_region<false>(block, shared.operands, tile, first_in, first_out);
            if (tile + 1 < end) each_region<true>(block, shared.operands, tile + 1, first_in, first_out);
            block.sync();
            Cores::add_passes(sum, [&](auto pass, auto& some) { multiply<pass>(block, shared.operands, some); });
        }

        // The halves of the rows are added up, then stored.
        const Share share(block.thread());
        const int number = block.thread() % (threads / 2), lane = block.thread() % 32;
        const auto shared_sum = [&](int i) -> float& { return shared.sums[i * (threads / 2) + number]; };
        block.sync();
        if (share.half == 1) each_sum(sum, [&](int i, float value) { shared_sum(i) = value; });
        block.sync();
        if (share.half == 1) return;
        each_sum(sum, [&](int i, float value) { shared_sum(i) += value; });
        MTDN_ROLL
        for (int i = 0; i < 8 * taps; ++i) {
            const int tap = i / 8, n = i / 4 % 2, e = i % 4;
            const int c = first_in + share.in * own_channels + e / 2 * 8 + lane / 4;
            const int o = first_out + share.out * own_channels + n * 8 + lane % 4 * 2 + e % 2;
            if (c < in && o < out) slabs[((Index{piece} * taps + tap) * in + c) * out + o] = shared_sum(i);
        }
    }

private:
    /// What a warp computes: which 16 channels of either, and from which half of each tile's rows.
    struct Share {
        int in, out, half;
        MTDN_DEVICE explicit Share(int thread) : in(thread / 32 % 2), out(thread / 64 % 2), half(thread / 128) {}
    };

    /// Fetches, or converts, a tile of both operands.
    template <bool Fetch, class Block>
    MTDN_DEVICE void each_region(Block& block, typename Shared::Operands& shared, int tile, int first_in,
                                 int first_out) const {
        const int line = tile / plan.column_tiles, column = tile % plan.column_tiles * columns;
        const int frame = line / plan.row_tiles, row = line % plan.row_tiles * rows;
        MTDN_ROLL
        for (int k = 0; k < channels / depth; ++k) {
            each_region<Fetch>(block, shared.x[k], x, input, frame, row - padding, column - padding,
                               first_in + k * depth);
            each_region<Fetch>(block, shared.dy[k], dy, output, frame, row, column, first_out + k * depth);
        }
    }
    template <bool Fetch, class Block, class R, class Source>
    MTDN_DEVICE static void each_region(Block& block, R& region, const Source& of, const Grid<Kernel == 1>& grid,
                                        int frame, int row, int column, int channel) {
        const typename R::Place place{frame, row, column, channel};
        if constexpr (Fetch) region.template fetch<threads>(block, of, grid, place);
        else region.template convert<threads>(block, of, grid, place);
    }

    template <int Pass, class Block>
    MTDN_DEVICE static void multiply(Block& block, typename Shared::Operands& shared, float (&sum)[taps][2][4]) {
        const Share share(computed_here(block.thread()));
        const auto left = [&](int i) -> auto& { return shared.x[share.in * own_tiles + i].tile; };
        const auto right = [&](int i) -> auto& { return shared.dy[share.out * own_tiles + i].tile; };
        const int first = share.half * own_rows;
        MTDN_ROLL
        for (int place = 0; place < columns; place += depth) {
            Word b[Kernel][4];  // of the last rows of dy
            MTDN_UNROLL
            for (int r = 0; r < own_rows + Kernel - 1; ++r) {
                if (r < own_rows) {
                    Cores::load_right(block, right, (first + r) * columns, place, b[r % Kernel]);
                    Cores::template take_right<Pass>(block, b[r % Kernel]);
                }
                MTDN_UNROLL
                for (int dx = 0; dx < Kernel; ++dx) {
                    Word a[4];
                    Cores::load_left(block, left, (first + r) * halo_columns, place + dx, a);
                    Cores::template take_left<Pass>(block, a);
                    MTDN_UNROLL
                    for (int y = 0; y < Kernel; ++y)
                        if (r >= y && r - y < own_rows)
                            MTDN_UNROLL
                            for (int n = 0; n < 2; ++n)
                                Cores::multiply(block, sum[y * Kernel + dx][n], a, b[(r - y) % Kernel][2 * n],
                                                b[(r - y) % Kernel][2 * n + 1]);
                }
            }
        }
    }

    template <class F>
    MTDN_DEVICE static void each_sum(const float (&sum)[taps][2][4], const F& f) {
        MTDN_UNROLL
        for (int tap = 0; tap < taps; ++tap)
            MTDN_UNROLL
            for (int n = 0; n < 2; ++n)
                MTDN_UNROLL
                for (int e = 0; e < 4; ++e) f(tap * 8 + n * 4 + e, sum[tap][n][e]);
    }
};

/// @param dy  of `Parts`, or of `LateGradients` where the window is 3×3
/// @param step  of the grid of dy
template <class Cores, class D, class Gradients>
void tiled_weight_gradient(Queue<D>& queue, const GradientPlan& plan, const Parts& x, const Shape& input,
                           const Gradients& dy, const Shape& output, int step, const Window& window, float* slabs) {
    const Index in = input.channels, out = output.channels, blocks = plan.blocks();
    const auto pad = static_cast<int>(window.padding);
    if constexpr (std::is_same_v<Gradients, Parts>)
        if (window.kernel == 1) {
            const Grid<true> from(input), to(output, step);
            return launch(queue, blocks, TiledWeightGradient<Cores, 1>{plan, x, dy, from, to, pad, in, out, slabs});
        }
    const Grid<false> from(input), to(output);
    launch(queue, blocks, TiledWeightGradient<Cores, 3, Gradients>{plan, x, dy, from, to, pad, in, out, slabs});
}

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
