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
            const Index block = blocks.first + square % blocks.size(),
                        first = inputs.first + square / blocks.size() * some;
            const Index count = std::min(some, inputs.last - first);
            gather(weights, out[block], {first, first + count}, &taps[0][0][0]);
            for (Index i = 0; i < count; ++i)
                for (int v = 0; v < out.vectors(block); ++v) {
                    float* to = at(0, block, first + i) + v * I::floats;
                    const Index output = out[block].first + v * I::floats;
                    Vector<I> factor = Vector<I>{} + 1.0F;
                    if (weights.scale) load(weights.scale + output, factor, out.channels - output);
                    transform<I, Weight>(
                        [&](Index row, Index column, Vector<I>& w) MTDN_ALWAYS_INLINE {
                            load(&taps[row * 3 + column][i][v * I::floats], w);
                            w *= factor;
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

/// Outputs of a run of tiles, transformed along rows but not yet along columns: [line][tile][column][channel].
template <class I>
struct Halves {
    Index tiles = 0;
    Index channels = 0;  ///< whole vectors
    float* data = nullptr;

    static Index step(Index tiles, Index channels) { return tiles * tile * Transformed<I>::padded(channels) + 16; }
    static Index floats(Index tiles, Index channels) { return 6 * step(tiles, channels); }

    Halves(Index tiles_, Index channels_, float* data_)
        : tiles(tiles_), channels(Transformed<I>::padded(channels_)), data(data_) {}
    float* at(Index line, Index i, Index column) const {
        return data + line * step(tiles, channels) + (i * tile + column) * channels;
    }

    /// One line of the tiles `to` from the six positions of m from `position` on and its tiles from `first` on: its
    /// channels `from` …, `count` of them, which become those from `offset` on.
    void take(const Transformed<I>& m, Index position, Index first, Index from, Index line, Range to, Index offset,
              Index count) const {
        const Index m_step = m.step();
        for (Index i = 0; i < to.size(); ++i) {
            const float* in = m.at(position, first + i) + from;
            float* out = at(line, to.first + i, 0) + offset;
            for (Index c = 0; c < count; c += I::floats) {
                Vector<I> x[6], t[tile];
                unroll<6>([&](auto j) MTDN_ALWAYS_INLINE { load(in + j * m_step + c, x[j]); });
                Output::apply(x, t);
                unroll<tile>([&](auto j) MTDN_ALWAYS_INLINE { store(t[j], out + j * channels + c); });
            }
        }
    }

    /// The outputs of one column of a tile, a vector of channels each.
    MTDN_ALWAYS_INLINE void outputs(Index i, Index column, Index channel, Vector<I>* out) const {
        const float* from = at(0, i, column) + channel;
        const Index line = step(tiles, channels);
        Vector<I> x[6];
        unroll<6>([&](auto j) MTDN_ALWAYS_INLINE { load(from + j * line, x[j]); });
        Output::apply(x, out);
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
        : tiles_{y.shape.frames, y.shape.height, y.shape.width}, patches_(x, tiles_, padding), weights_(weights),
          inputs_(x.shape().channels), y_(y), out_(y.shape.channels) {}

    /// y = activation(x ⋆ w + bias)
    void run(Workspace& workspace, CpuIn<I> bias = {}, Activation activation = Activation::identity) {
        with_activation<I>(activation, [&](auto f) {
            run_with(workspace, 1, [&](Range r, const Halves<I>& m, Range channels, Index) {
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
        run_with(workspace, groups, [&](Range r, const Halves<I>& m, Range channels, Index slot) {
            write(r, m, channels, Sums{},
                  [&](Index c, Index, Sums& sums) { tile_mean(r.first, m, c, sums.pivot); },
                  [&](Index c, Index lanes, const Sums& sums) {
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
    static constexpr Index room = 131072;         // floats of half transformed values that stay in the second cache
    static constexpr Index large_room = 6 << 20;  // … in the third
    static constexpr Index small_room = 4096;     // … of one position that are multiplied at a time
    static constexpr Index some_inputs = 96;      // that are summed at a time
    static constexpr Index some_tiles = 32;       // of deep layers that are transformed back at a time

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
    MTDN_ALWAYS_INLINE void tile_mean(Index first, const Halves<I>& m, Index c, Vector<I>& mean) const {
        const auto [frame, first_row, first_column] = tiles_[first];
        const Index rows = std::min(tile, y_.shape.height - first_row);
        const Index columns = std::min(tile, y_.shape.width - first_column);
        mean = Vector<I>{};
        for (Index column = 0; column < columns; ++column) {
            Vector<I> out[tile];
            m.outputs(0, column, c, out);
            for (Index row = 0; row < rows; ++row) mean += out[row];
        }
        mean /= static_cast<float>(rows * columns);
    }

    bool deep() const { return inputs_ * out_.channels >= many_weights * tiles_.rows() * tiles_.columns(); }
    // Runs of tiles, none across two groups.
    Index runs(Index groups) const {
        const Index most = std::clamp<Index>(room / (6 * tile * (inputs_ + out_.channels)), 2 * I::pixels, 96);
        return groups * cuts_of(tiles_.count() / groups, most);
    }
    Range run(Index runs, Index groups, Index i) const {
        const Index each = runs / groups, tiles = tiles_.count() / groups, first = i / each * tiles;
        const Range r = cut(tiles, each, i % each);
        return {first + r.first, first + r.last};
    }
    // Cuts into parts of at most `most` tiles that are made of whole register blocks.
    static Index cuts_of(Index tiles, Index most) {
        return ceil_div(ceil_div(tiles, I::pixels), std::max(Index{1}, most / I::pixels));
    }
    static Range cut(Index tiles, Index count, Index i) {
        const Range blocks = part_of(ceil_div(tiles, I::pixels), count, i);
        return {blocks.first * I::pixels, std::min(tiles, blocks.last * I::pixels)};
    }

    // Calls `finish(tiles, half transformed outputs, channels, slot)` for runs of tiles and channels. A slot is a run's
    // own, or, if `deep`, a group's, whose runs then follow one another on one thread for each channel.
    template <class Finish>
    void run_with(Workspace& workspace, Index groups, Finish&& finish) {
        if (deep()) run_deep(workspace, groups, finish);
        else run_shallow(workspace, groups, finish);
    }

    // Many tiles, few weights: a task is a run of tiles, and what it transforms stays in the second cache: halfway
    // values of all positions, and those of six positions for some tiles at a time.
    template <class Finish>
    void run_shallow(Workspace& workspace, Index groups, Finish& finish) {
        const Scratch packed = workspace.scratch(TransformedWeights<I>::floats(inputs_, out_.count));
        const TransformedWeights<I> w{{0, inputs_}, out_, {0, out_.count}, packed.data()};
        workspace.for_pieces(w.squares(), positions * w.some * Blocks<I>::wide,
                             [&](Range squares) { w.fill(weights_, squares); });
        const Index all = runs(groups), splits = std::clamp<Index>(ceil_div(16, all), 1, out_.count);
        const Chunks chunks(inputs_, some_inputs);
        workspace.threads.run(all * splits, [&](Index task) {
            const Range r = run(all, groups, task / splits);
            const Range blocks = part_of(out_.count, splits, task % splits);
            const Scratch first = workspace.scratch(patches_.floats(r.size()));
            const auto columns = patches_.columns(r, first.data());
            const Scratch last = workspace.scratch(Halves<I>::floats(r.size(), channels(blocks).size()));
            const Halves<I> halves(r.size(), channels(blocks).size(), last.data());
            const Index most =
                std::min(r.size(), std::clamp<Index>(small_room / inputs_, 2 * I::pixels, 16 * I::pixels));
            const Index cuts = cuts_of(r.size(), most);
            const Scratch patches = workspace.scratch(Transformed<I>::floats(most, inputs_, 6));
            const Scratch products = workspace.scratch(Transformed<I>::floats(most, Blocks<I>::wide, 6));
            for (Index line = 0; line < 6; ++line)
                for (Index part = 0; part < cuts; ++part) {
                    const Range some = cut(r.size(), cuts, part);
                    const Transformed<I> v(some.size(), inputs_, patches.data());
                    patches_.rows(columns, line, {r.first + some.first, r.first + some.last}, v, 0, 0);
                    for (Index block = blocks.first; block < blocks.last; ++block) {
                        const Transformed<I> m(some.size(), out_.floats(block), products.data());
                        for (Index j = 0; j < 6; ++j)
                            for (Index chunk = 0; chunk < chunks.count; ++chunk)
                                multiply(v.at(j, 0), v.channels, w, 6 * line + j, block, chunks[chunk], m.at(j, 0),
                                         m.channels, some.size());
                        halves.take(m, 0, 0, 0, line, some, (block - blocks.first) * Blocks<I>::wide,
                                    out_.floats(block));
                    }
                }
            finish(r, halves, channels(blocks), task / splits);
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
        const Chunks chunks(inputs_, some_inputs);
        for (Index slab = 0; slab < slabs; ++slab) {
            const Range all = part_of(tiles_.count(), slabs, slab);
            const Transformed<I> v(all.size(), inputs_, patches.data());
            workspace.for_pieces(all.size(), positions * inputs_, [&](Range r) {
                patches_.all(workspace, {all.first + r.first, all.first + r.last}, v, r.first);
            });
            workspace.threads.run(tasks, [&](Index task) {
                const Range blocks = part_of(out_.count, tasks, task);
                const Index width = channels(blocks).size();
                const Scratch packed = workspace.scratch(TransformedWeights<I>::floats(some_inputs, blocks.size()));
                const Scratch products = workspace.scratch(Transformed<I>::floats(std::min<Index>(most, 256), width));
                const Scratch last = workspace.scratch(Halves<I>::floats(some_tiles, width));
                const Index pieces = ceil_div(all.size(), 256);
                for (Index piece = 0; piece < pieces; ++piece) {
                    const Range r = part_of(all.size(), pieces, piece);
                    const Transformed<I> m(r.size(), width, products.data());
                    for (Index chunk = 0; chunk < chunks.count; ++chunk) {
                        const TransformedWeights<I> w{chunks[chunk], out_, blocks, packed.data()};
                        w.fill(weights_, {0, w.squares()});
                        for (Index position = 0; position < positions; ++position)
                            for (Index block = blocks.first; block < blocks.last; ++block)
                                multiply(v.at(position, r.first), v.channels, w, position, block, chunks[chunk],
                                         m.at(position, 0) + (block - blocks.first) * Blocks<I>::wide, m.channels,
                                         r.size());
                    }
                    for (Index i = r.first; i < r.last;) {
                        const Index group = (all.first + i) / group_tiles;
                        const Index end = std::min({r.last, i + some_tiles, (group + 1) * group_tiles - all.first});
                        const Halves<I> halves(end - i, width, last.data());
                        for (Index line = 0; line < 6; ++line)
                            halves.take(m, 6 * line, i - r.first, 0, line, {0, end - i}, 0, width);
                        finish({all.first + i, all.first + end}, halves, channels(blocks), group);
                        i = end;
                    }
                }
            });
        }
    }

    Range channels(Range blocks) const { return {out_[blocks.first].first, out_[blocks.last - 1].last}; }

    // Products of `tiles` tiles with some inputs' weights of a block, to m or, but for the first inputs, added to it.
    static void multiply(const float* v, Index v_step, const TransformedWeights<I>& w, Index position, Index block,
                         Range inputs, float* m, Index m_step, Index tiles) {
        ForwardBlock b;
        b.x = v + inputs.first;
        b.pixel_step = v_step;
        b.run = inputs.size();
        b.rows = 1;
        b.weights = w.at(position, block, inputs.first);
        b.start = inputs.first == 0 ? zeros : nullptr;
        b.y = m;
        b.y_step = m_step;
        b.channels = w.out.floats(block);
        if (w.out.vectors(block) == 2) convolve_row<I, 2>(b, tiles);
        else convolve_row<I, 1>(b, tiles);
    }

    // The outputs of tiles `r` from their half transformed products, a cache line of channels after the other. A copy
    // of `start`, set up by `begin(channel, lanes, each)`, is called with every vector of values; `end(channel, lanes,
    // each)` gets it back.
    template <class Each, class Begin, class End>
    void write(Range r, const Halves<I>& m, Range channels, const Each& start, Begin&& begin, End&& end) const {
        constexpr Index together = std::max<Index>(1, 16 / I::floats);
        const Index row_step = y_.shape.width * y_.stride;
        for (Index first = 0; first < channels.size(); first += together * I::floats) {
            const Index vectors = std::min(together, ceil_div(channels.size() - first, I::floats));
            Each each[together];
            for (Index k = 0; k < vectors; ++k) {
                each[k] = start;
                begin(first + k * I::floats, channels.size() - first - k * I::floats, each[k]);
            }
            for (Index i = 0; i < r.size(); ++i) {
                const auto [frame, first_row, first_column] = tiles_[r.first + i];
                const Index rows = std::min(tile, y_.shape.height - first_row);
                const Index columns = std::min(tile, y_.shape.width - first_column);
                for (Index column = 0; column < columns; ++column)
                    for (Index k = 0; k < vectors; ++k) {
                        const Index c = first + k * I::floats, lanes = channels.size() - c;
                        Vector<I> out[tile];
                        m.outputs(i, column, c, out);
                        float* to = y_.at(frame, first_row, first_column + column) + channels.first + c;
                        if (rows == tile && lanes >= I::floats) {
                            unroll<tile>([&](auto row) MTDN_ALWAYS_INLINE {
                                each[k](out[row]);
                                store(out[row], to + row * row_step);
                            });
                        } else {
                            for (Index row = 0; row < rows; ++row) {
                                each[k](out[row]);
                                store(out[row], to + row * row_step, lanes);
                            }
                        }
                    }
                for (Index k = 0; k < vectors; ++k) each[k].end_tile();
            }
            for (Index k = 0; k < vectors; ++k)
                end(first + k * I::floats, channels.size() - first - k * I::floats, each[k]);
        }
    }

    alignas(64) static constexpr float zeros[Blocks<I>::wide] = {};

    Tiles tiles_;
    PatchTransform<I, Input> patches_;
    Weights weights_;
    Index inputs_;
    CpuOut<I> y_;
    Blocks<I> out_;
};

}  // namespace mtdn::detail::cpu::winograd
