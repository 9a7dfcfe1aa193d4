#pragma once

#include <mtdn/backend/cpu/convolution_forward.hpp>
#include <mtdn/backend/cpu/normalisation.hpp>
#include <mtdn/backend/cpu/winograd.hpp>

namespace mtdn::detail::cpu::winograd {

/// Transformed weights of a 3×3 window, of some inputs and some blocks of outputs:
/// [position][block][input][output of the block].
template <class I>
struct TransformedWeights {
    Range inputs{};
    Blocks<I> out;
    Range blocks{};
    float* data = nullptr;

    Index channels() const { return (blocks.size() - 1) * Blocks<I>::wide + out.floats(blocks.last - 1); }
    Index step() const { return inputs.size() * channels() + 16; }
    static Index floats(Index inputs, Index blocks) { return positions * (inputs * blocks * Blocks<I>::wide + 16); }
    float* at(Index position, Index block, Index input) const {
        return data + position * step() + inputs.size() * Blocks<I>::wide * (block - blocks.first) +
               (input - inputs.first) * out.floats(block);
    }

    /// Weights are transformed in squares of eight inputs × one block of outputs.
    static constexpr Index some = 8;
    Index squares() const { return ceil_div(inputs.size(), some) * blocks.size(); }

    void fill(const Weights& weights, Range r) const {
        alignas(64) float taps[9][some][Blocks<I>::wide] = {};
        const Index position_step = step();
        for (Index square = r.first; square < r.last; ++square) {
            const Index block = blocks.first + square % blocks.size(), first = inputs.first + square / blocks.size() * some;
            const Index count = std::min(some, inputs.last - first);
            gather(weights, out[block], {first, first + count}, &taps[0][0][0]);
            for (Index i = 0; i < count; ++i)
                for (int v = 0; v < out.vectors(block); ++v) {
                    float* to = at(0, block, first + i) + v * I::floats;
                    transform<I, Weight>(
                        [&](Index row, Index column, Vector<I>& w) MTDN_ALWAYS_INLINE {
                            load(&taps[row * 3 + column][i][v * I::floats], w);
                        },
                        [&](Index row, Index column, const Vector<I>& w) MTDN_ALWAYS_INLINE {
                            store(w, to + (row * 6 + column) * position_step);
                        });
                }
        }
    }

private:
    // To [tap][input][output]; either way, what is read is read in the order of memory.
    static void gather(const Weights& weights, Range outputs, Range ins, float* taps) {
        constexpr Index wide = Blocks<I>::wide;
        for (Index tap = 0; tap < 9; ++tap, taps += some * wide) {
            const float* from =
                weights.data + tap * weights.tap_step + ins.first * weights.in_step + outputs.first * weights.out_step;
            if (weights.out_step == 1) {
                for (Index i = 0; i < ins.size(); ++i)
                    copy_floats<I>(from + i * weights.in_step, outputs.size(), taps + i * wide);
            } else {
                for (Index o = 0; o < outputs.size(); ++o)
                    for (Index i = 0; i < ins.size(); ++i)
                        taps[i * wide + o] = from[o * weights.out_step + i * weights.in_step];
            }
        }
    }
};

/// Mean and sum of squared distances from it, of pixels of a group, for every channel: [slot][count, mean, squares].
template <class I>
struct Moments {
    double* values = nullptr;
    Index channels = 0;

    static Index floats(Index slots, Index channels) { return 6 * slots * channels; }
    double* slot(Index i) const { return values + 3 * i * channels; }

    void add(double* slot, Index channel, double count, double mean, double squares) const {
        double* at = slot + 3 * channel;
        join_moments<I>(at[0], at[1], at[2], count, mean, squares);
        at[0] += count;
    }
};

/// Correlation with a 3×3 window of stride 1, forward or flipped: transforms patches, multiplies at each of the 36
/// positions, transforms back. The products are those of the direct kernels, tiles taking the place of pixels.
template <class I>
class Correlation3x3 {
public:
    Correlation3x3(const CpuOperand<I>& x, const Weights& weights, Index padding, CpuOut<I> y)
        : transform_patch_(x), weights_(weights), inputs_(x.shape().channels), padding_(padding), y_(y),
          tiles_{y.shape.frames, y.shape.height, y.shape.width}, out_(y.shape.channels) {}

    /// y = activation(x ⋆ w + bias)
    void run(Workspace& workspace, CpuIn<I> bias = {}, Activation activation = Activation::identity) {
        with_activation<I>(activation, [&](auto f) {
            run_with(workspace, 1, [&](Range r, const Transformed<I>& m, Range channels, Index) {
                write(r, m, channels, Activated<decltype(f)>{f}, [&](Index c, Index lanes, auto& each) {
                    if (bias) load(bias.data + channels.first + c, each.term, lanes);
                }, [](Index, Index, const auto&) {});
            });
        });
    }

    /// y = x ⋆ w, and its mean and biased variance per group and channel.
    void run(Workspace& workspace, CpuOut<I> mean, CpuOut<I> variance) {
        const Index groups = mean.shape.frames;
        const Index slots = deep() ? groups : runs(groups);
        const Scratch values = workspace.scratch(Moments<I>::floats(slots, out_.channels));
        const Moments<I> moments{reinterpret_cast<double*>(values.data()), out_.channels};
        std::fill_n(moments.values, 3 * slots * out_.channels, 0.0);
        run_with(workspace, groups, [&](Range r, const Transformed<I>& m, Range channels, Index slot) {
            write(r, m, channels, Sums{}, [&](Index c, Index, Sums& sums) { tile_mean(r.first, m, c, sums.pivot); }, [&](Index c, Index lanes, const Sums& sums) {
                sums.add_to(moments, moments.slot(slot), channels.first + c, lanes);
            });
        });
        for (Index group = 0; group < groups; ++group)
            for (Index c = 0; c < out_.channels; ++c) {
                double all[3] = {};
                const Range own = part_of(slots, groups, group);
                for (Index slot = own.first; slot < own.last; ++slot) {
                    const double* some = moments.slot(slot) + 3 * c;
                    if (some[0] == 0) continue;
                    join_moments<I>(all[0], all[1], all[2], some[0], some[1], some[2]);
                    all[0] += some[0];
                }
                mean.pixel(group)[c] = static_cast<float>(all[1]);
                variance.pixel(group)[c] = static_cast<float>(all[2] / all[0]);
            }
    }

private:
    static constexpr Index many_weights = 256;    // windows a tile of one frame
    static constexpr Index room = 131072;         // floats of transformed input that stay in the second cache
    static constexpr Index large_room = 6 << 20;  // … in the third
    static constexpr Index some_blocks = 4;       // of outputs whose products are held at a time
    static constexpr Index some_inputs = 128;     // that are summed at a time

    // What is done with every vector of values, and after every tile.
    template <class F>
    struct Activated {
        F f;
        Vector<I> term{};
        MTDN_ALWAYS_INLINE void operator()(Vector<I>& v) const {
            v += term;
            f.value(v);
        }
        void end_tile() {}
    };

    // Sums over pixels of distances from a pivot near the mean, tile by tile: short sums lose few digits.
    struct Sums {
        Vector<I> pivot{};
        Vector<I> tile_sum{}, tile_squares{}, sum{}, squares{}, count{};

        MTDN_ALWAYS_INLINE void operator()(const Vector<I>& v) {
            const Vector<I> distance = v - pivot;
            tile_sum += distance;
            tile_squares += distance * distance;
            count += 1.0F;
        }
        MTDN_ALWAYS_INLINE void end_tile() {
            sum += tile_sum;
            squares += tile_squares;
            tile_sum = tile_squares = Vector<I>{};
        }
        void add_to(const Moments<I>& moments, double* slot, Index channel, Index lanes) const {
            const double n = count[0];
            for (Index l = 0; l < std::min<Index>(lanes, I::floats); ++l) {
                const double off = sum[l] / n;
                moments.add(slot, channel + l, n, pivot[l] + off, squares[l] - off * sum[l]);
            }
        }
    };

    // Mean of the first tile of m, whose place is that of tile `first` of the images.
    MTDN_ALWAYS_INLINE void tile_mean(Index first, const Transformed<I>& m, Index c, Vector<I>& mean) const {
        const auto [frame, first_row, first_column] = tiles_[first];
        const Index rows = std::min(tile, y_.shape.height - first_row);
        const Index columns = std::min(tile, y_.shape.width - first_column);
        mean = Vector<I>{};
        transform<I, Output>(
            [&](Index row, Index column, Vector<I>& v) MTDN_ALWAYS_INLINE {
                load(m.at(0, 0) + c + (row * 6 + column) * m.step(), v);
            },
            [&](Index row, Index column, const Vector<I>& v) MTDN_ALWAYS_INLINE {
                if (row < rows && column < columns) mean += v;
            });
        mean /= static_cast<float>(rows * columns);
    }

    bool deep() const { return inputs_ * out_.channels >= many_weights * tiles_.rows() * tiles_.columns(); }
    // Runs of tiles, none across two groups.
    Index runs(Index groups) const {
        const Index most = std::clamp<Index>(room / (positions * inputs_), 2 * I::pixels, 96);
        return groups * ceil_div(tiles_.count() / groups, most);
    }

    // Calls `finish(tiles, products, channels, slot)` for products of runs of tiles and channels. A slot is a run's own,
    // or, if `deep`, a group's, whose runs then follow one another on one thread for each channel.
    template <class Finish>
    void run_with(Workspace& workspace, Index groups, Finish&& finish) {
        if (deep()) run_deep(workspace, groups, finish);
        else run_shallow(workspace, groups, finish);
    }

    // Many tiles, few weights: a task is a run of tiles, and what it transforms stays in the second cache.
    template <class Finish>
    void run_shallow(Workspace& workspace, Index groups, Finish& finish) {
        const Scratch packed = workspace.scratch(TransformedWeights<I>::floats(inputs_, out_.count));
        const TransformedWeights<I> w{{0, inputs_}, out_, {0, out_.count}, packed.data()};
        workspace.for_pieces(w.squares(), positions * w.some * Blocks<I>::wide,
                             [&](Range squares) { w.fill(weights_, squares); });
        const Index all = runs(groups), splits = std::clamp<Index>(ceil_div(16, all), 1, ceil_div(out_.count, some_blocks));
        workspace.threads.run(all * splits, [&](Index task) {
            const Range r = part_of(tiles_.count(), all, task / splits);
            const Scratch patches = workspace.scratch(Transformed<I>::floats(r.size(), inputs_));
            const Transformed<I> v(r.size(), inputs_, patches.data());
            transform_tiles(workspace, r, v, 0);
            const Scratch products = workspace.scratch(Transformed<I>::floats(r.size(), some_blocks * Blocks<I>::wide));
            const Range blocks = part_of(out_.count, splits, task % splits);
            const Index passes = ceil_div(blocks.size(), some_blocks);
            for (Index pass = 0; pass < passes; ++pass) {
                const Range part = part_of(blocks.size(), passes, pass);
                const Range some{blocks.first + part.first, blocks.first + part.last};
                const Transformed<I> m(r.size(), channels(some).size(), products.data());
                const Chunks chunks(inputs_, some_inputs);
                for (Index chunk = 0; chunk < chunks.count; ++chunk) multiply(v, 0, w, some, chunks[chunk], m);
                finish(r, m, channels(some), task / splits);
            }
        });
    }

    // Few tiles, many weights: tiles are transformed once for all; then a task is some blocks of outputs, whose weights
    // it transforms for itself.
    template <class Finish>
    void run_deep(Workspace& workspace, Index groups, Finish& finish) {
        const Index slabs = ceil_div(tiles_.count(), std::max<Index>(16, large_room / (positions * inputs_)));
        const Index most = ceil_div(tiles_.count(), slabs), group_tiles = tiles_.count() / groups;
        const Index tasks = ceil_div(out_.count, out_.count >= 16 ? 2 : 1);
        const Scratch patches = workspace.scratch(Transformed<I>::floats(most, inputs_));
        for (Index slab = 0; slab < slabs; ++slab) {
            const Range all = part_of(tiles_.count(), slabs, slab);
            const Transformed<I> v(all.size(), inputs_, patches.data());
            workspace.for_pieces(all.size(), positions * inputs_, [&](Range r) {
                transform_tiles(workspace, {all.first + r.first, all.first + r.last}, v, r.first);
            });
            workspace.threads.run(tasks, [&](Index task) {
                const Range blocks = part_of(out_.count, tasks, task);
                const Chunks chunks(inputs_, some_inputs);
                const Scratch packed = workspace.scratch(TransformedWeights<I>::floats(some_inputs, blocks.size()));
                const Scratch products =
                    workspace.scratch(Transformed<I>::floats(std::min<Index>(most, 256), blocks.size() * Blocks<I>::wide));
                const Index cuts = ceil_div(all.size(), 256);
                for (Index cut = 0; cut < cuts; ++cut) {
                    const Range r = part_of(all.size(), cuts, cut);
                    const Transformed<I> m(r.size(), channels(blocks).size(), products.data());
                    for (Index chunk = 0; chunk < chunks.count; ++chunk) {
                        const TransformedWeights<I> w{chunks[chunk], out_, blocks, packed.data()};
                        w.fill(weights_, {0, w.squares()});
                        multiply(v, r.first, w, blocks, chunks[chunk], m);
                    }
                    for (Index i = all.first + r.first; i < all.first + r.last;) {
                        const Index group = i / group_tiles, end = std::min(all.first + r.last, (group + 1) * group_tiles);
                        finish({i, end}, m.from(i - all.first - r.first), channels(blocks), group);
                        i = end;
                    }
                }
            });
        }
    }

    Range channels(Range blocks) const { return {out_[blocks.first].first, out_[blocks.last - 1].last}; }

    // Tiles `r` of the images to v, where they start at `first`.
    void transform_tiles(Workspace& workspace, Range r, const Transformed<I>& v, Index first) const {
        const Scratch edge = workspace.scratch(positions * v.channels);
        for (Index i = 0; i < r.size(); ++i) {
            const auto [frame, row, column] = tiles_[r.first + i];
            transform_patch_(frame, row - padding_, column - padding_, v, first + i, edge.data());
        }
    }

    // Products of tiles from `first` of v on with some inputs' weights, to m or, but for the first inputs, added to it.
    static void multiply(const Transformed<I>& v, Index first, const TransformedWeights<I>& w, Range blocks, Range inputs,
                         const Transformed<I>& m) {
        for (Index position = 0; position < positions; ++position)
            for (Index block = blocks.first; block < blocks.last; ++block) {
                ForwardBlock b;
                b.x = v.at(position, first) + inputs.first;
                b.pixel_step = v.channels;
                b.run = inputs.size();
                b.rows = 1;
                b.weights = w.at(position, block, inputs.first);
                b.start = inputs.first == 0 ? zeros : nullptr;
                b.y = m.at(position, 0) + (block - blocks.first) * Blocks<I>::wide;
                b.y_step = m.channels;
                b.channels = w.out.floats(block);
                if (w.out.vectors(block) == 2) convolve_row<I, 2>(b, m.tiles);
                else convolve_row<I, 1>(b, m.tiles);
            }
    }

    // The outputs of tiles `r` from their products, one vector of channels after the other. A copy of `start`, set up by
    // `begin(channel, lanes, each)`, is called with every vector of values; `end(channel, lanes, each)` gets it back.
    template <class Each, class Begin, class End>
    void write(Range r, const Transformed<I>& m, Range channels, const Each& start, Begin&& begin, End&& end) const {
        const Index row_step = y_.shape.width * y_.stride, step = m.step();
        for (Index c = 0; c < channels.size(); c += I::floats) {
            const Index lanes = channels.size() - c;
            Each each = start;
            begin(c, lanes, each);
            for (Index i = 0; i < r.size(); ++i) {
                const auto [frame, first_row, first_column] = tiles_[r.first + i];
                const Index rows = std::min(tile, y_.shape.height - first_row);
                const Index columns = std::min(tile, y_.shape.width - first_column);
                const bool whole = lanes >= I::floats && rows == tile && columns == tile;
                const float* from = m.at(0, i) + c;
                float* to = y_.at(frame, first_row, first_column) + channels.first + c;
                transform<I, Output>(
                    [&](Index row, Index column, Vector<I>& v) MTDN_ALWAYS_INLINE {
                        load(from + (row * 6 + column) * step, v);
                    },
                    [&](Index row, Index column, const Vector<I>& v) MTDN_ALWAYS_INLINE {
                        if (!whole && (row >= rows || column >= columns)) return;
                        Vector<I> result = v;
                        each(result);
                        if (whole) store(result, to + row * row_step + column * y_.stride);
                        else store(result, to + row * row_step + column * y_.stride, lanes);
                    });
                each.end_tile();
            }
            end(c, lanes, each);
        }
    }

    alignas(64) static constexpr float zeros[Blocks<I>::wide] = {};

    SquareTransform<I, Input> transform_patch_;
    Weights weights_;
    Index inputs_, padding_;
    CpuOut<I> y_;
    Tiles tiles_;
    Blocks<I> out_;
};

}  // namespace mtdn::detail::cpu::winograd
