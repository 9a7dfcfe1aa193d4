#pragma once

#include <mtdn/backend/cpu/convolution_forward.hpp>
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

/// Correlation with a 3×3 window of stride 1, forward or flipped: transforms patches, multiplies at each of the 36
/// positions, transforms back. The products are those of the direct kernels, tiles taking the place of pixels.
template <class I>
struct Correlation3x3 {
    CpuIn<I> x{};
    Weights weights{};
    CpuIn<I> bias{};
    Index padding = 0;
    Activation activation = Activation::identity;
    CpuOut<I> y{};

    void run(Workspace& workspace) const {
        const Tiles tiles{y.shape.frames, y.shape.height, y.shape.width};
        const bool deep = x.shape.channels * y.shape.channels >= many_weights * tiles.rows() * tiles.columns();
        deep ? run_deep(workspace, tiles) : run_shallow(workspace, tiles);
    }

private:
    static constexpr Index many_weights = 256;    // windows a tile of one frame
    static constexpr Index room = 131072;         // floats of transformed input that stay in the second cache
    static constexpr Index large_room = 6 << 20;  // … in the third
    static constexpr Index some_blocks = 4;       // of outputs whose products are held at a time
    static constexpr Index some_inputs = 128;     // that are summed at a time

    // Many tiles, few weights: a task is a run of tiles, and what it transforms stays in the second cache.
    void run_shallow(Workspace& workspace, const Tiles& tiles) const {
        const Blocks<I> out(y.shape.channels);
        const Index inputs = x.shape.channels;
        const Scratch packed = workspace.scratch(TransformedWeights<I>::floats(inputs, out.count));
        const TransformedWeights<I> w{{0, inputs}, out, {0, out.count}, packed.data()};
        workspace.for_pieces(w.squares(), positions * w.some * Blocks<I>::wide,
                             [&](Range squares) { w.fill(weights, squares); });
        const Index runs =
            ceil_div(tiles.count(), std::clamp<Index>(room / (positions * inputs), 2 * I::pixels, 96));
        const Index splits = std::clamp<Index>(ceil_div(16, runs), 1, ceil_div(out.count, some_blocks));
        workspace.threads.run(runs * splits, [&](Index task) {
            const Range r = part_of(tiles.count(), runs, task / splits);
            const Scratch patches = workspace.scratch(Transformed<I>::floats(r.size(), inputs));
            const Transformed<I> v(r.size(), inputs, patches.data());
            transform_tiles(workspace, tiles, r, v, 0);
            const Scratch products = workspace.scratch(Transformed<I>::floats(r.size(), some_blocks * Blocks<I>::wide));
            const Range blocks = part_of(out.count, splits, task % splits);
            const Index passes = ceil_div(blocks.size(), some_blocks);
            for (Index pass = 0; pass < passes; ++pass) {
                const Range part = part_of(blocks.size(), passes, pass);
                const Range some{blocks.first + part.first, blocks.first + part.last};
                const Transformed<I> m(r.size(), channels(out, some).size(), products.data());
                const Chunks chunks(inputs, some_inputs);
                for (Index chunk = 0; chunk < chunks.count; ++chunk) multiply(v, 0, w, some, chunks[chunk], m);
                write(tiles, r, m, channels(out, some));
            }
        });
    }

    // Few tiles, many weights: tiles are transformed once for all; then a task is some blocks of outputs, whose weights
    // it transforms for itself.
    void run_deep(Workspace& workspace, const Tiles& tiles) const {
        const Blocks<I> out(y.shape.channels);
        const Index inputs = x.shape.channels;
        const Index slabs = ceil_div(tiles.count(), std::max<Index>(16, large_room / (positions * inputs)));
        const Index most = ceil_div(tiles.count(), slabs);
        const Index tasks = ceil_div(out.count, out.count >= 16 ? 2 : 1);
        const Scratch patches = workspace.scratch(Transformed<I>::floats(most, inputs));
        for (Index slab = 0; slab < slabs; ++slab) {
            const Range all = part_of(tiles.count(), slabs, slab);
            const Transformed<I> v(all.size(), inputs, patches.data());
            workspace.for_pieces(all.size(), positions * inputs, [&](Range r) {
                transform_tiles(workspace, tiles, {all.first + r.first, all.first + r.last}, v, r.first);
            });
            const Index runs = ceil_div(all.size(), 256);
            workspace.threads.run(tasks, [&](Index task) {
                const Range blocks = part_of(out.count, tasks, task);
                const Chunks chunks(inputs, some_inputs);
                const Scratch packed = workspace.scratch(TransformedWeights<I>::floats(some_inputs, blocks.size()));
                const Scratch products =
                    workspace.scratch(Transformed<I>::floats(std::min<Index>(all.size(), 256), blocks.size() * Blocks<I>::wide));
                for (Index run = 0; run < runs; ++run) {
                    const Range r = part_of(all.size(), runs, run);
                    const Transformed<I> m(r.size(), channels(out, blocks).size(), products.data());
                    for (Index chunk = 0; chunk < chunks.count; ++chunk) {
                        const TransformedWeights<I> w{chunks[chunk], out, blocks, packed.data()};
                        w.fill(weights, {0, w.squares()});
                        multiply(v, r.first, w, blocks, chunks[chunk], m);
                    }
                    write(tiles, {all.first + r.first, all.first + r.last}, m, channels(out, blocks));
                }
            });
        }
    }

    static Range channels(const Blocks<I>& out, Range blocks) {
        return {out[blocks.first].first, out[blocks.last - 1].last};
    }

    // Tiles `r` of the images to v, where they start at `first`.
    void transform_tiles(Workspace& workspace, const Tiles& tiles, Range r, const Transformed<I>& v,
                         Index first) const {
        const Scratch edge = workspace.scratch(positions * v.channels);
        for (Index i = 0; i < r.size(); ++i) {
            const auto [frame, row, column] = tiles[r.first + i];
            transform_square<I, Input>(x, frame, row - padding, column - padding, {0, x.shape.channels}, v, first + i,
                                       edge.data());
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

    alignas(64) static constexpr float zeros[Blocks<I>::wide] = {};

    // The outputs of tiles `r` from their products.
    void write(const Tiles& tiles, Range r, const Transformed<I>& m, Range channels) const {
        with_activation<I>(activation, [&](auto f) {
            for (Index i = 0; i < r.size(); ++i) write(tiles[r.first + i], m, i, channels, f);
        });
    }

    template <class F>
    void write(const Tiles::Place& place, const Transformed<I>& m, Index i, Range channels, F f) const {
        const Index rows = std::min(tile, y.shape.height - place.row);
        const Index columns = std::min(tile, y.shape.width - place.column);
        const Index row_step = y.shape.width * y.stride, step = m.step();
        const float* from = m.at(0, i);
        float* to = y.at(place.frame, place.row, place.column) + channels.first;
        for (Index c = 0; c < channels.size(); c += I::floats, from += I::floats, to += I::floats) {
            const Index lanes = channels.size() - c;
            Vector<I> term{};
            if (bias) load(bias.data + channels.first + c, term, lanes);
            const bool whole = lanes >= I::floats && rows == tile && columns == tile;
            transform<I, Output>(
                [&](Index row, Index column, Vector<I>& v) MTDN_ALWAYS_INLINE {
                    load(from + (row * 6 + column) * step, v);
                },
                [&](Index row, Index column, const Vector<I>& v) MTDN_ALWAYS_INLINE {
                    Vector<I> result = v + term;
                    f.value(result);
                    if (whole) store(result, to + row * row_step + column * y.stride);
                    else if (row < rows && column < columns)
                        store(result, to + row * row_step + column * y.stride, lanes);
                });
        }
    }
};

}  // namespace mtdn::detail::cpu::winograd
