#pragma once

#include <mtdn/backend/cuda/tensor_cores.hpp>

// Statistics of what a convolution writes, from its own tiles: nobody reads the result once more.

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

/// Mean and variance of each group and channel, of the moments of its tiles.
///
/// A block has eight neighbouring channels, which are 32 bytes of a tile's moments, and 32 threads for each of them, who
/// take every 32nd tile. Threads are joined in a tree, in double precision.
struct JoinMoments {
    static constexpr int threads = 256, lanes = 8, rows = threads / lanes;
    struct Shared {
        SharedArray<double, threads> sums;
    };

    TilePlan plan;
    TileMoments moments;
    Index tiles, channels;  // tiles of one group
    double count;           // of a group's pixels
    Pixels<float> mean, variance;

    static constexpr Index blocks(Index groups, Index channels) { return groups * ceil_div(channels, lanes); }

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const int thread = block.thread();
        const Split at = split(block.number(), (channels + lanes - 1) / lanes);
        const Index group = at.quotient, channel = at.rest * lanes + thread % lanes;
        const Index first = group * tiles + thread / lanes, end = channel < channels ? (group + 1) * tiles : 0;

        double sum = 0;
        for (Index tile = first; tile < end; tile += rows)
            sum += plan.pixels(tile) * double{moments.means[tile * channels + channel]};
        const double all = joined(block, sum) / count;
        double squares = 0;
        for (Index tile = first; tile < end; tile += rows) {
            const double off = moments.means[tile * channels + channel] - all;
            squares += moments.squares[tile * channels + channel] + plan.pixels(tile) * off * off;
        }
        squares = joined(block, squares);
        if (thread >= lanes || channel >= channels) return;
        mean.at(group, channel) = static_cast<float>(all);
        variance.at(group, channel) = static_cast<float>(squares / count);
    }

private:
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

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
