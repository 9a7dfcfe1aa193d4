#pragma once

#include <mtdn/backend/cuda/channel_sums.hpp>
#include <mtdn/backend/cuda/tile_moments.hpp>
#include <mtdn/backend/pooled_convolutions.hpp>

// Convolutions of stride 1 by tensor cores, and their way back to the data, which is one of them.

namespace mtdn::detail::cuda {

inline namespace MTDN_KERNELS {

/// Weights as the convolution of stride 1 that tensor cores do takes them: (taps, in, out), zero where channels end.
struct TapWeights {
    /// What they are weights of: a convolution, (k, k, in, out); its way back to the data; a transposed convolution, as
    /// one of a single tap to four times the channels, (tap, o); its way back, from as many.
    enum class Kind { forward, back, spread, gather };

    Pixels<const float> w;
    int taps;
    Index in, out;  // channels that are summed over, and that come out
    Kind kind;

    MTDN_DEVICE float at(int tap, Index from, Index to) const {
        if (from >= in || to >= out) return 0;
        if (kind == Kind::forward) return w.at(tap * in + from, to);
        if (kind == Kind::back) return w.at((taps - 1 - tap) * out + to, from);
        if (kind == Kind::spread) return w.at(split(to, out / 4).quotient * in + from, split(to, out / 4).rest);
        return w.at(split(from, in / 4).quotient * out + to, split(from, in / 4).rest);
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

/// `SquareExtremes` as kernels take them.
struct TileExtremes {
    Pixels<float> y{};  // null where nobody wants them
    const float* sign = nullptr;
};

/// Convolution of stride 1, y = activation(x ⋆ w + bias). Where the output's grid has a step of 2, a pixel's channels
/// (tap, o) go to channel o of the pixel that the tap of a 2×2 window stands for.
///
/// A block computes a tile of 16 × 32/Wide pixels by 32·Wide channels, each of its eight warps 4 × 16 pixels by 32
/// channels, whose sums its threads hold. Of `LateGradients`, of which twice as much comes from memory, tiles have 16 ×
/// 16 pixels, and without Wide a block has four warps. Shared memory has the tile of the input that they see, with its
/// halo, `depth` channels at a time, which is what one instruction multiplies. While one chunk is multiplied the next
/// is on its way from memory, as it lies there; it is normalised, activated and rounded on the way to the tile. A row
/// of the input, once loaded, is multiplied for all output rows that see it.
template <class Cores, int Kernel, int Wide, class Source = Parts>
struct TiledConvolution {
    static constexpr int rows = 16, columns = Source::values == 1 ? 32 / Wide : 16, channels = 32 * Wide;  // of a tile
    static constexpr int halo_columns = columns + Kernel - 1;
    static constexpr int taps = Kernel * Kernel, depth = Cores::depth;
    static constexpr int own_rows = 4, own_columns = 16, own_channels = 32;  // of a warp
    static constexpr int threads = 32 * (rows / own_rows) * (columns / own_columns) * (channels / own_channels);
    static constexpr int resident = threads < 256 ? Cores::resident + 1 : Cores::resident;

    struct Shared {
        struct Operands {
            Region<Cores, rows + Kernel - 1, halo_columns, Source> x;
            Tile<taps * channels> w[2];
        };
        struct Results {
            SharedArray<float, rows * columns * channels> sums;
            SharedArray<float, threads> of_warps[2];  // what each warp adds to the moments, or sums, of its channels
        };
        union {
            Operands operands;
            Results results;
        };
    };

    TilePlan plan;
    Source x;
    Grid<Kernel == 1> input, output;
    int padding;
    int out, stored;  // channels, and of a stored pixel
    const Unit* weights;
    StoreActivated store;
    TileMoments moments;
    TileGradients gradients;
    TileExtremes extremes;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        Shared& shared = block.shared();
        const Origin origin(*this, block.number());
        const Share share(block.thread());
        float sum[own_rows][own_channels / 8][4] = {};

        fetch(block, shared.operands, origin, 0);
        for (int chunk = 0; chunk < plan.chunks; ++chunk) {
            block.wait_for_copies();
            block.sync();  // nobody reads the last chunk any more
            shared.operands.x.template convert<threads>(block, x, input, seen(origin, chunk));
            if (chunk + 1 < plan.chunks) fetch(block, shared.operands, origin, chunk + 1);
            block.sync();
            Cores::add_passes(sum, [&](auto pass, auto& some) {
                multiply<pass>(block, shared.operands.x.tile, shared.operands.w[chunk % 2], share, some);
            });
        }
        block.sync();
        write(block, shared.results.sums, sum);
        block.sync();
        finish(block, shared.results);
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

    /// What a warp computes of its block's tile: from which pixel and channel on.
    struct Share {
        int row, column, channel;

        MTDN_DEVICE explicit Share(int thread)
            : row(thread / 32 % 4 * own_rows), column(Wide == 1 ? thread / 128 * own_columns : 0),
              channel(Wide == 1 ? 0 : thread / 128 * own_channels) {}
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

    template <int Pass, class Block, class Input>
    MTDN_DEVICE static void multiply(Block& block, Input& x, Tile<taps * channels>& w, const Share& share,
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
                    const int place = share.channel + 16 * n + lane / 16 * 8 + lane % 8;
                    block.load_rows(&w.at((dy * Kernel + dx) * channels, place, lane / 8 % 2), b[dy][n]);
                    Cores::template take_right<Pass>(block, b[dy][n]);
                }
            MTDN_UNROLL
            for (int r = 0; r < own_rows + Kernel - 1; ++r) {
                Word a[4];
                block.load_rows(&x.at((share.row + r) * halo_columns, share.column + dx + lane % 16, lane / 16), a);
                Cores::template take_left<Pass>(block, a);
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

    /// Stores the sums that wait, and writes their moments, or what they add to a norm's sums, if these are wanted. A
    /// lane has a channel of its warp's pixels.
    template <class Block>
    MTDN_DEVICE void finish(Block& block, typename Shared::Results& results) const {
        // Made anew, so that it takes no registers before.
        const int number = computed_here(static_cast<int>(block.number())), thread = computed_here(block.thread());
        const Origin origin(*this, number);
        const Share share(thread);
        const int y_channel = origin.channel + share.channel + thread % 32;
        const auto sum_of = [&](int pixel) { return results.sums[sum_at(thread / 32, pixel, thread % 32)]; };
        if (y_channel < out) {
            const int tap = y_channel / stored, to = tap / 2 * output.width * output.step() + tap % 2;
            each_pixel(origin, share, [&](int pixel, int y_pixel) {
                store(y_pixel + to, y_channel % stored, sum_of(pixel), 0);
            });
            if constexpr (Kernel == 3 && Source::values == 1)
                if (extremes.y.data) store_extremes(origin, share, y_channel, sum_of);
        }
        const Index tile = split(number, plan.channel_tiles).quotient;
        if (gradients.gradients) {
            const NormOfGradients& norm = gradients.norm;
            float gradient = 0, product = 0;
            if (y_channel < out) {
                const Index g = split(origin.frame, norm.frames_in_group).quotient;
                const float scale = norm.scale.at(g, y_channel), shift = norm.shift.at(g, y_channel);
                const float mean = norm.mean.at(g, y_channel), below = slope_below(norm.activation);
                each_pixel(origin, share, [&](int pixel, int y_pixel) {
                    const float value = norm.x.at(y_pixel, y_channel);
                    const float dz = std::fma(scale, value, shift) > 0 ? sum_of(pixel) : below * sum_of(pixel);
                    gradient += dz;
                    product += dz * (value - mean);
                });
            }
            gradient = joined(block, results.of_warps[0], gradient);
            product = joined(block, results.of_warps[1], product);
            if (thread % (threads / Wide) >= 32 || y_channel >= out) return;
            gradients.gradients[tile * out + y_channel] = gradient;
            gradients.products[tile * out + y_channel] = product;
            return;
        }
        if (!moments.means) return;
        float sum = 0, squares = 0;
        each_pixel(origin, share, [&](int pixel, int) { sum += sum_of(pixel); });
        const float mean = joined(block, results.of_warps[0], sum) / static_cast<float>(plan.pixels(tile));
        each_pixel(origin, share, [&](int pixel, int) {
            const float off = sum_of(pixel) - mean;
            squares += off * off;
        });
        squares = joined(block, results.of_warps[1], squares);
        if (thread % (threads / Wide) >= 32 || y_channel >= out) return;
        moments.means[tile * out + y_channel] = mean;
        moments.squares[tile * out + y_channel] = squares;
    }

    /// Stores an extreme of each 2×2 square of a channel, of which the warp has all four pixels or the image has not.
    template <class SumOf>
    MTDN_DEVICE void store_extremes(const Origin& origin, const Share& share, int channel, const SumOf& sum_of) const {
        const bool smallest = extremes.sign && extremes.sign[channel] < 0;
        const int top = origin.row + share.row, left = origin.column + share.column;
        MTDN_ROLL
        for (int i = 0; i < own_rows && top + i + 1 < output.height; i += 2)
            MTDN_UNROLL
            for (int j = 0; j < own_columns; j += 2)
                if (left + j + 1 < output.width) {
                    float best = store.linear(channel, sum_of(i * own_columns + j));
                    MTDN_UNROLL
                    for (int tap = 1; tap < 4; ++tap) {
                        const float value = store.linear(channel, sum_of((i + tap / 2) * own_columns + j + tap % 2));
                        if (smallest ? value < best : value > best) best = value;
                    }
                    const int row = origin.frame * (output.height / 2) + (top + i) / 2;
                    extremes.y.at(row * (output.width / 2) + (left + j) / 2, channel) =
                        activated(store.activation, best);
                }
    }

    /// f(number in the warp's 4 × 16 pixels, number in the image) for those that the image has.
    template <class F>
    MTDN_DEVICE void each_pixel(const Origin& origin, const Share& share, const F& f) const {
        const int top = origin.row + share.row, left = origin.column + share.column;
        MTDN_ROLL
        for (int i = 0; i < own_rows && top + i < output.height; ++i)
            MTDN_UNROLL
            for (int j = 0; j < own_columns; ++j)
                if (left + j < output.width) f(i * own_columns + j, output.pixel(origin.frame, top + i, left + j));
    }

    /// The sum of what a channel's threads have, one of each warp that has the channel, in order.
    template <class Block>
    MTDN_DEVICE static float joined(Block& block, SharedArray<float, threads>& of_warps, float own) {
        of_warps[block.thread()] = own;
        block.sync();
        const int first = block.thread() / (threads / Wide) * (threads / Wide) + block.thread() % 32;
        float all = 0;
        MTDN_UNROLL
        for (int i = 0; i < threads / Wide; i += 32) all += of_warps[first + i];
        return all;
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

/// Whether tensor cores read gradients on load in such a window's ways back.
template <class B>
bool reads_late(Precision precision, const Window& window, const PendingGradients<B>& gradients) {
    return tiled(precision, window) && window.kernel == 3 && two_slopes(gradients.activation) &&
           by_fours(gradients.dy) && by_fours(gradients.x);
}

/// The norm, if a convolution by tensor cores takes its sums; else none.
template <class B>
GradientSums<B> taken_by_tiles(const GradientSums<B>& norm) {
    return two_slopes(norm.activation) ? norm : GradientSums<B>{};
}

/// What a convolution by tensor cores is of, and what it comes to.
template <class D, class Source = Parts>
struct TiledJob {
    Source x;  // to be read by fours
    Shape input;
    TapWeights weights;
    Index padding;
    Shape output;
    StoreActivated store;
    View<CudaFor<D>, float> mean{}, variance{};  // of what is stored as it is; or empty
    int input_step = 1, output_step = 1;         // of their grids
    GradientSums<CudaFor<D>> norm{};                // whose sums of what is stored as it is are wanted; or empty
    SquareExtremes<CudaFor<D>> extremes{};       // of what is stored; or empty
};

template <class Cores, int Kernel, int Wide, class D, class Source>
void convolve_tiled(Queue<D>& queue, const TiledJob<D, Source>& job) {
    using Body = TiledConvolution<Cores, Kernel, Wide, Source>;
    const Index out = job.output.channels;
    const TilePlan plan(job.output, job.weights.in, Body::rows, Body::columns, Body::channels, Body::depth);
    const Index rows = Index{plan.channel_tiles} * plan.chunks * Body::taps * Body::channels;
    const Scratch<Unit> packed(queue, 2 * rows);
    const Index quads = rows * PackWeights<Cores>::quads;
    launch(queue, ceil_div(quads, PackWeights<Cores>::threads),
           PackWeights<Cores>{job.weights, Body::channels, plan.chunks, quads, packed.data()});
    const Grid<Kernel == 1> from(job.input, job.input_step), to(job.output, job.output_step);
    const auto convolve = [&](const TileMoments& moments, const TileGradients& gradients) {
        const auto channels = static_cast<int>(out);
        launch(queue, plan.blocks,
               Body{plan, job.x, from, to, static_cast<int>(job.padding), channels,
                    channels / (job.output_step * job.output_step), packed.data(), job.store, moments, gradients,
                    {job.extremes.y, job.extremes.sign.data}});
    };
    if (!job.mean && !job.norm) return convolve({}, {});
    const Index groups = job.norm ? job.norm.mean.shape.frames : job.mean.shape.frames;
    const Scratch<float> slabs(queue, 2 * plan.tiles * out);
    float *const first = slabs.data(), *const second = first + plan.tiles * out;
    const Index blocks = ChannelsOfTiles::blocks(groups, out), tiles = plan.tiles / groups;
    if (job.norm) {
        convolve({}, {NormOfGradients(job.norm), first, second});
        return launch(queue, blocks, JoinGradients{first, second, tiles, groups, out, job.norm.sums.data});
    }
    const TileMoments moments{first, second};
    convolve(moments, {});
    launch(queue, blocks,
           JoinMoments{plan, moments, tiles, out,
                       static_cast<double>(job.output.pixels()) / static_cast<double>(groups), job.mean, job.variance});
}

/// With a window that is `tiled`.
template <class Cores, class D>
void convolve_tiled(Queue<D>& queue, const TiledJob<D>& job) {
    const bool wide = job.output.channels > 32;
    if (job.weights.taps == 1 && wide) convolve_tiled<Cores, 1, 2>(queue, job);
    else if (job.weights.taps == 1) convolve_tiled<Cores, 1, 1>(queue, job);
    else if (wide) convolve_tiled<Cores, 3, 2>(queue, job);
    else convolve_tiled<Cores, 3, 1>(queue, job);
}
template <class Cores, class D>
void convolve_tiled(Queue<D>& queue, const TiledJob<D, LateGradients>& job) {
    if (job.output.channels > 32) convolve_tiled<Cores, 3, 2>(queue, job);
    else convolve_tiled<Cores, 3, 1>(queue, job);
}
template <class D, class Source>
void convolve_tiled(Queue<D>& queue, const TiledJob<D, Source>& job) {
    by_cores(queue, [&](auto cores) { convolve_tiled<decltype(cores)>(queue, job); });
}

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
