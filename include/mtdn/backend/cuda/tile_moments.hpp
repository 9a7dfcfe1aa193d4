#pragma once

#include <mtdn/backend/cuda/tensor_cores.hpp>

// Statistics of what a convolution writes, and sums over it, from its own tiles: nobody reads the result once more.

namespace mtdn::detail::cuda {

/// How a convolution is cut into tiles: by the shape alone.
struct TilePlan {
    int rows, columns;                           // of a tile
    int height, width;                           // of a frame of the output
    int row_tiles, column_tiles, channel_tiles;  // of the output
    Index tiles, blocks;                         // of the pixels of all frames; of these, for all channels
    int chunks;                                  // of the input's channels

    /// Of tiles of rows × columns × channels and chunks of `depth` channels.
    constexpr TilePlan(const Shape& y, Index in, int tile_rows, int tile_columns, int channels, int depth)
        : rows(tile_rows), columns(tile_columns), height(static_cast<int>(y.height)),
          width(static_cast<int>(y.width)), row_tiles(static_cast<int>(ceil_div(y.height, rows))),
          column_tiles(static_cast<int>(ceil_div(y.width, columns))),
          channel_tiles(static_cast<int>(ceil_div(y.channels, channels))),
          tiles(y.frames * row_tiles * column_tiles), blocks(tiles * channel_tiles),
          chunks(static_cast<int>(ceil_div(in, depth))) {
        require_countable(y);
    }
    /// Pixels of tile `tile` that its frame has.
    MTDN_DEVICE constexpr int pixels(Index tile) const {
        const int in_frame = static_cast<int>(tile) % (row_tiles * column_tiles);
        const int below = height - in_frame / column_tiles * rows, right = width - in_frame % column_tiles * columns;
        return (below < rows ? below : rows) * (right < columns ? right : columns);
    }
};

inline namespace MTDN_KERNELS {

/// Mean, and sum of the squared distances from it, of each tile's pixels in each channel; (tiles, channels) both.
struct TileMoments {
    float* means = nullptr;  // null where nobody wants them
    float* squares = nullptr;
};

/// What each tile's pixels add to a batch norm's sums in each channel; (tiles, channels) both.
struct TileGradients {
    NormOfGradients norm{};
    float* gradients = nullptr;  // null where nobody wants them
    float* products = nullptr;
};

/// A block of eight neighbouring channels, which are 32 bytes of what tiles have, with 32 threads for each of them, who
/// take every 32nd tile. Threads are joined in a tree, in double precision.
struct ChannelsOfTiles {
    static constexpr int threads = 256, lanes = 8, rows = threads / lanes;
    struct Shared {
        SharedArray<double, threads> sums;
    };

    Index group, channel, first, end;  // a thread's; its tiles

    static constexpr Index blocks(Index groups, Index channels) { return groups * ceil_div(channels, lanes); }

    /// @param tiles  of one group
    MTDN_DEVICE ChannelsOfTiles(Index number, int thread, Index tiles, Index channels) {
        const Split at = split(number, (channels + lanes - 1) / lanes);
        group = at.quotient;
        channel = at.rest * lanes + thread % lanes;
        first = group * tiles + thread / lanes;
        end = channel < channels ? (group + 1) * tiles : 0;
    }

    /// The sum of what the channel's threads have.
    template <class Block>
    MTDN_DEVICE static double joined(Block& block, double own) {
        auto& sums = block.shared().sums;
        const int thread = block.thread();
        sums[thread] = own;
        for (int half = threads / 2; half >= lanes; half /= 2) {
            block.sync();
            if (thread < half) sums[thread] += sums[thread + half];
        }
        block.sync();
        const double all = sums[thread % lanes];
        block.sync();  // before the next sum comes
        return all;
    }
};

/// Mean and variance of each group and channel, of the moments of its tiles.
struct JoinMoments {
    static constexpr int threads = ChannelsOfTiles::threads, rows = ChannelsOfTiles::rows;
    using Shared = ChannelsOfTiles::Shared;

    TilePlan plan;
    TileMoments moments;
    Index tiles, channels;  // tiles of one group
    double count;           // of a group's pixels
    Pixels<float> mean, variance;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const ChannelsOfTiles of(block.number(), block.thread(), tiles, channels);
        double sum = 0;
        for (Index tile = of.first; tile < of.end; tile += rows)
            sum += plan.pixels(tile) * double{moments.means[tile * channels + of.channel]};
        const double all = ChannelsOfTiles::joined(block, sum) / count;
        double squares = 0;
        for (Index tile = of.first; tile < of.end; tile += rows) {
            const double off = moments.means[tile * channels + of.channel] - all;
            squares += moments.squares[tile * channels + of.channel] + plan.pixels(tile) * off * off;
        }
        squares = ChannelsOfTiles::joined(block, squares);
        if (block.thread() >= ChannelsOfTiles::lanes || of.channel >= channels) return;
        mean.at(of.group, of.channel) = static_cast<float>(all);
        variance.at(of.group, of.channel) = static_cast<float>(squares / count);
    }
};

/// A batch norm's sums of each group and channel, of those of its tiles.
struct JoinGradients {
    static constexpr int threads = ChannelsOfTiles::threads, rows = ChannelsOfTiles::rows;
    using Shared = ChannelsOfTiles::Shared;

    const float *gradients, *products;
    Index tiles, groups, channels;  // tiles of one group
    double* sums;                   // (2, groups, channels)

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const ChannelsOfTiles of(block.number(), block.thread(), tiles, channels);
        double gradient = 0, product = 0;
        for (Index tile = of.first; tile < of.end; tile += rows) {
            gradient += gradients[tile * channels + of.channel];
            product += products[tile * channels + of.channel];
        }
        gradient = ChannelsOfTiles::joined(block, gradient);
        product = ChannelsOfTiles::joined(block, product);
        if (block.thread() >= ChannelsOfTiles::lanes || of.channel >= channels) return;
        sums[of.group * channels + of.channel] = gradient;
        sums[(groups + of.group) * channels + of.channel] = product;
    }
};

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
