#pragma once

#include <mtdn/backend/cuda/channel_sums.hpp>
#include <mtdn/backend/cuda/tensor_cores.hpp>

// Convolutions of stride 1 by tensor cores, and their way back to the data, which is one of them.

namespace mtdn::detail::cuda {

/// How a convolution is cut into tiles: by the shape alone.
struct TilePlan {
    int row_tiles, column_tiles, channel_tiles;  // of the output
    Index blocks;
    int chunks;  // of the input's channels

    /// Of tiles of rows × columns × channels and chunks of `depth` channels.
    constexpr TilePlan(const Shape& y, Index in, int rows, int columns, int channels, int depth)
        : row_tiles(static_cast<int>(ceil_div(y.height, rows))),
          column_tiles(static_cast<int>(ceil_div(y.width, columns))),
          channel_tiles(static_cast<int>(ceil_div(y.channels, channels))),
          blocks(y.frames * row_tiles * column_tiles * channel_tiles), chunks(static_cast<int>(ceil_div(in, depth))) {
        require_countable(y);
    }
};

inline namespace MTDN_KERNELS {

/// Weights (k, k, in, out) of a convolution, or of the one that leads its slopes back to the data.
struct TapWeights {
    Pixels<const float> w;
    int taps;
    Index in, out;  // channels that are summed over, and that come out: w's, or the other way round
    bool back;

    MTDN_DEVICE float at(int tap, Index from, Index to) const {
        if (from >= in || to >= out) return 0;
        return back ? w.at((taps - 1 - tap) * out + to, from) : w.at(tap * in + from, to);
    }
};

/// Writes weights as the blocks of a tiled convolution read them: (channel tile, chunk, tap, channel) rows of `depth`.
template <class Cores>
struct PackWeights {
    static constexpr int threads = 256, quads = Cores::depth / 4;
    TapWeights weights;
    int channels;  // of a tile
    int chunks;
    Index count;  // of quads
    Unit* packed;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const Index i = block.number() * threads + block.thread();
        if (i >= count) return;
        const Split row = split(i, quads), tap = split(row.quotient, channels);
        const Split chunk = split(tap.quotient, weights.taps), tile = split(chunk.quotient, chunks);
        const auto quad = static_cast<int>(row.rest);
        float values[4];
        MTDN_UNROLL
        for (int e = 0; e < 4; ++e)
            values[e] = weights.at(static_cast<int>(chunk.rest), tile.rest * Cores::depth + 4 * quad + e,
                                   tile.quotient * channels + tap.rest);
        Unit* rows = packed + 2 * (row.quotient - tap.rest);
        Cores::put(block, [&](int half) -> Unit& { return rows[unit_of(0, static_cast<int>(tap.rest), half)]; }, quad,
                   values);
    }
};

/// Convolution of stride 1, y = activation(x ⋆ w + bias).
///
/// A block computes a tile of 16 × 32/Wide pixels by 32·Wide channels, each of its eight warps 4 × 16 pixels by 32
/// channels, whose sums its threads hold. Shared memory has the tile of the input that they see, with its halo, `depth`
/// channels at a time, which is what one instruction multiplies. While one chunk is multiplied the next is on its way
/// from memory, as it lies there; it is normalised, activated and rounded on the way to the tile. A row of the input,
/// once loaded, is multiplied for all output rows that see it.
template <class Cores, int Kernel, int Wide>
struct TiledConvolution {
    static constexpr int threads = 256, resident = 2;
    static constexpr int rows = 16, columns = 32 / Wide, channels = 32 * Wide;  // of a tile
    static constexpr int halo_columns = columns + Kernel - 1;
    static constexpr int taps = Kernel * Kernel, depth = Cores::depth;
    static constexpr int own_rows = 4, own_columns = 16, own_channels = 32;  // of a warp

    struct Shared {
        struct Operands {
            Region<Cores, rows + Kernel - 1, halo_columns> x;
            Tile<taps * channels> w[2];
        };
        union {
            Operands operands;
            SharedArray<float, rows * columns * channels> sums;
        };
    };

    TilePlan plan;
    Parts x;
    Extent input, output;
    int padding;
    Index out;
    const Unit* weights;
    StoreActivated store;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        Shared& shared = block.shared();
        const Origin origin(*this, block.number());
        const int warp = block.thread() / 32;
        const int row = warp % 4 * own_rows;
        const int column = Wide == 1 ? warp / 4 * own_columns : 0, channel = Wide == 1 ? 0 : warp / 4 * own_channels;
        float sum[own_rows][own_channels / 8][4] = {};

        fetch(block, shared.operands, origin, 0);
        for (int chunk = 0; chunk < plan.chunks; ++chunk) {
            block.wait_for_copies();
            block.sync();  // nobody reads the last chunk any more
            shared.operands.x.template convert<threads>(block, x, input, seen(origin, chunk));
            if (chunk + 1 < plan.chunks) fetch(block, shared.operands, origin, chunk + 1);
            block.sync();
            multiply(block, shared.operands.x.tile, shared.operands.w[chunk % 2], row, column, channel, sum);
        }
        block.sync();
        write(block, shared.sums, sum);
        block.sync();
        for (int i = block.thread() % 32; i < own_rows * own_columns * own_channels; i += 32) {
            const int pixel = i / own_channels, c = i % own_channels;
            const int y_row = origin.row + row + pixel / own_columns;
            const int y_column = origin.column + column + pixel % own_columns;
            const int y_channel = origin.channel + channel + c;
            if (y_row < output.height && y_column < output.width && y_channel < out)
                store(static_cast<int>(output.pixel(origin.frame, y_row, y_column)), y_channel,
                      shared.sums[sum_at(warp, pixel, c)], 0);
        }
    }

private:
    /// Where a block's tile begins.
    struct Origin {
        int frame, row, column, channel, channel_tile;

        MTDN_DEVICE Origin(const TiledConvolution& all, Index number) {
            // Blocks that read the same pixels run side by side.
            const Split c = split(number, all.plan.channel_tiles), j = split(c.quotient, all.plan.column_tiles);
            const Split i = split(j.quotient, all.plan.row_tiles);
            frame = static_cast<int>(i.quotient);
            row = static_cast<int>(i.rest) * rows;
            column = static_cast<int>(j.rest) * columns;
            channel_tile = static_cast<int>(c.rest);
            channel = channel_tile * channels;
        }
    };

    /// What the tile's windows see of a chunk of the input.
    MTDN_DEVICE auto seen(const Origin& origin, int chunk) const {
        using Place = typename decltype(Shared::Operands::x)::Place;
        return Place{origin.frame, origin.row - padding, origin.column - padding, chunk * depth};
    }

    /// Starts the way of a chunk of the input, as it is, and of its weights to shared memory.
    template <class Block>
    MTDN_DEVICE void fetch(Block& block, typename Shared::Operands& to, const Origin& origin, int chunk) const {
        constexpr int units = 2 * taps * channels;
        const Unit* from = weights + (Index{origin.channel_tile} * plan.chunks + chunk) * units;
        for (int i = block.thread(); i < units; i += threads) block.copy(&to.w[chunk % 2].units[i], from + i, 16);
        to.x.template fetch<threads>(block, x, input, seen(origin, chunk));
    }

    template <class Block, class Input>
    MTDN_DEVICE static void multiply(Block& block, Input& x, Tile<taps * channels>& w, int row, int column, int channel,
                                     float (&sum)[own_rows][own_channels / 8][4]) {
        const int lane = block.thread() % 32;
        // One column of taps at a time, so that its weights fit into registers.
        MTDN_ROLL
        for (int dx = 0; dx < Kernel; ++dx) {
            Word b[Kernel][own_channels / 16][4];  // left and right halves of two times eight channels
            MTDN_UNROLL
            for (int dy = 0; dy < Kernel; ++dy)
                MTDN_UNROLL
                for (int n = 0; n < own_channels / 16; ++n) {
                    const int place = channel + 16 * n + lane / 16 * 8 + lane % 8;
                    block.load_rows(&w.at((dy * Kernel + dx) * channels, place, lane / 8 % 2), b[dy][n]);
                }
            MTDN_UNROLL
            for (int r = 0; r < own_rows + Kernel - 1; ++r) {
                Word a[4];
                block.load_rows(&x.at((row + r) * halo_columns, column + dx + lane % 16, lane / 16), a);
                MTDN_UNROLL
                for (int dy = 0; dy < Kernel; ++dy)
                    if (r >= dy && r - dy < own_rows)
                        MTDN_UNROLL
                        for (int n = 0; n < own_channels / 8; ++n) {
                            const Word(&of_16)[4] = b[dy][n / 2];
                            Cores::multiply(block, sum[r - dy][n], a, of_16[n % 2 * 2], of_16[n % 2 * 2 + 1]);
                        }
            }
        }
    }

    /// Where a warp's sum of its pixel and channel waits to be stored; eight channels' threads meet different banks.
    MTDN_DEVICE static int sum_at(int warp, int pixel, int channel) {
        return (warp * own_rows * own_columns + pixel) * own_channels + (channel ^ (pixel % 4 * 8));
    }

    template <class Block, class Sums>
    MTDN_DEVICE static void write(Block& block, Sums& sums, const float (&sum)[own_rows][own_channels / 8][4]) {
        const int warp = block.thread() / 32, lane = block.thread() % 32;
        MTDN_UNROLL
        for (int r = 0; r < own_rows; ++r)
            MTDN_UNROLL
            for (int n = 0; n < own_channels / 8; ++n)
                MTDN_UNROLL
                for (int i = 0; i < 4; ++i)
                    sums[sum_at(warp, r * own_columns + i / 2 * 8 + lane / 4, 8 * n + lane % 4 * 2 + i % 2)] =
                        sum[r][n][i];
    }
};

/// Whether tensor cores do it.
constexpr bool tiled(Precision precision, const Window& window) {
    return precision != Precision::single && window.stride == 1 && (window.kernel == 1 || window.kernel == 3);
}

template <class Cores, int Kernel, int Wide, class D>
void convolve_tiled(Queue<D>& queue, const Parts& x, const Shape& input, const TapWeights& weights, Index padding,
                    const Shape& output, const StoreActivated& store) {
    using Body = TiledConvolution<Cores, Kernel, Wide>;
    const TilePlan plan(output, weights.in, Body::rows, Body::columns, Body::channels, Body::depth);
    const Index rows = Index{plan.channel_tiles} * plan.chunks * Body::taps * Body::channels;
    const Scratch<Unit> packed(queue, 2 * rows);
    const Index quads = rows * PackWeights<Cores>::quads;
    launch(queue, ceil_div(quads, PackWeights<Cores>::threads),
           PackWeights<Cores>{weights, Body::channels, plan.chunks, quads, packed.data()});
    launch(queue, plan.blocks,
           Body{plan, x, input, output, static_cast<int>(padding), output.channels, packed.data(), store});
}

/// The convolution of an operand that can be read by fours, with a window that is `tiled`.
template <class Cores, class D>
void convolve_tiled(Queue<D>& queue, const Parts& x, const Shape& input, const TapWeights& weights, Index padding,
                    const Shape& output, const StoreActivated& store) {
    const bool wide = output.channels > 32;
    if (weights.taps == 1 && wide) convolve_tiled<Cores, 1, 2>(queue, x, input, weights, padding, output, store);
    else if (weights.taps == 1) convolve_tiled<Cores, 1, 1>(queue, x, input, weights, padding, output, store);
    else if (wide) convolve_tiled<Cores, 3, 2>(queue, x, input, weights, padding, output, store);
    else convolve_tiled<Cores, 3, 1>(queue, x, input, weights, padding, output, store);
}
template <class D>
void convolve_tiled(Queue<D>& queue, const Parts& x, const Shape& input, const TapWeights& weights, Index padding,
                    const Shape& output, const StoreActivated& store) {
    if (queue.precision() == Precision::bfloat16)
        convolve_tiled<Bf16Cores>(queue, x, input, weights, padding, output, store);
    else convolve_tiled<Tf32Cores>(queue, x, input, weights, padding, output, store);
}

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
