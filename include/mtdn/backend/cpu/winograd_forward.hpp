#pragma once

#include <mtdn/backend/cpu/convolution_forward.hpp>
#include <mtdn/backend/cpu/winograd.hpp>

namespace mtdn::detail::cpu::winograd {

/// Transformed weights of a 3×3 window: [position][block of outputs][input][output of the block].
template <class I>
struct TransformedWeights {
    Index inputs = 0;
    Blocks<I> out;
    float* data = nullptr;

    static Index step(Index inputs, const Blocks<I>& out) { return inputs * out.padded() + 16; }
    static Index floats(Index inputs, const Blocks<I>& out) { return positions * step(inputs, out); }
    float* at(Index position, Index block, Index input) const {
        return data + position * step(inputs, out) + inputs * Blocks<I>::wide * block + input * out.floats(block);
    }

    /// Transforms weights, in squares of eight inputs × one block of outputs.
    void fill(Workspace& workspace, const Weights& weights) const {
        constexpr Index some = 8, wide = Blocks<I>::wide;
        const Index squares = ceil_div(inputs, some);
        workspace.for_pieces(out.count * squares, positions * some * wide, [&](Range r) {
            alignas(64) float taps[9][some][wide] = {};
            for (Index square = r.first; square < r.last; ++square) {
                const Index block = square / squares, first = square % squares * some;
                const Index count = std::min(some, inputs - first);
                gather(weights, out[block], {first, first + count}, &taps[0][0][0]);
                for (Index i = 0; i < count; ++i)
                    for (int v = 0; v < out.vectors(block); ++v) {
                        float* to = at(0, block, first + i) + v * I::floats;
                        transform<I, Weight>(
                            [&](Index row, Index column, Vector<I>& w) MTDN_ALWAYS_INLINE {
                                load(&taps[row * 3 + column][i][v * I::floats], w);
                            },
                            [&](Index row, Index column, const Vector<I>& w) MTDN_ALWAYS_INLINE {
                                store(w, to + (row * 6 + column) * step(inputs, out));
                            });
                    }
            }
        });
    }

private:
    // To [tap][input][output]; either way, what is read is read in the order of memory.
    static void gather(const Weights& weights, Range outputs, Range ins, float* taps) {
        constexpr Index some = 8, wide = Blocks<I>::wide;
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
/// positions, transforms back.
///
/// A task is a run of tiles times some blocks of output channels. What it transforms stays in the second cache; the
/// products are those of the direct kernels, tiles taking the place of pixels.
template <class I>
struct Correlation3x3 {
    CpuIn<I> x{};
    Weights weights{};
    CpuIn<I> bias{};
    Index padding = 0;
    Activation activation = Activation::identity;
    CpuOut<I> y{};

    void run(Workspace& workspace) const {
        const Blocks<I> out(y.shape.channels);
        const Index inputs = x.shape.channels;
        const Scratch packed = workspace.scratch(TransformedWeights<I>::floats(inputs, out));
        const TransformedWeights<I> w{inputs, out, packed.data()};
        w.fill(workspace, weights);

        const Tiles tiles{y.shape.frames, y.shape.height, y.shape.width};
        const Index all = tiles.count();
        const Index runs = ceil_div(all, std::clamp<Index>(room / (positions * inputs), 2 * I::pixels, 96));
        const Index splits = std::clamp<Index>(ceil_div(16, runs), 1, ceil_div(out.count, 4));
        const Index most = ceil_div(all, runs);
        workspace.threads.run(runs * splits, [&](Index task) {
            const Range r = part_of(all, runs, task / splits);
            const Range blocks = part_of(out.count, splits, task % splits);
            const Scratch patches = workspace.scratch(Transformed<I>::floats(most, inputs));
            const Scratch products = workspace.scratch(Transformed<I>::floats(most, some_blocks * Blocks<I>::wide));
            const Scratch edge = workspace.scratch(positions * Transformed<I>::padded(inputs));
            const Transformed<I> v(r.size(), inputs, patches.data());
            for (Index i = 0; i < r.size(); ++i) {
                const auto [frame, row, column] = tiles[r.first + i];
                transform_square<I, Input>(x, frame, row - padding, column - padding, {0, inputs}, v, i, edge.data());
            }
            const Index passes = ceil_div(blocks.size(), some_blocks);
            for (Index pass = 0; pass < passes; ++pass) {
                const Range part = part_of(blocks.size(), passes, pass);
                work(tiles, r, {blocks.first + part.first, blocks.first + part.last}, v, w, products.data());
            }
        });
    }

private:
    static constexpr Index room = 131072;   // floats of transformed input that a task may hold
    static constexpr Index some_blocks = 4;  // of outputs whose products a task holds at a time

    void work(const Tiles& tiles, Range r, Range blocks, const Transformed<I>& v, const TransformedWeights<I>& w,
              float* products) const {
        const Blocks<I>& out = w.out;
        const Index last = blocks.last - 1;
        const Index channels = (blocks.size() - 1) * Blocks<I>::wide + out.floats(last);
        const Transformed<I> m(v.tiles, channels, products);
        alignas(64) static constexpr float zeros[Blocks<I>::wide] = {};
        const Chunks chunks(w.inputs, 128);
        for (Index position = 0; position < positions; ++position)
            for (Index block = blocks.first; block < blocks.last; ++block)
                for (Index chunk = 0; chunk < chunks.count; ++chunk) {
                    ForwardBlock b;
                    b.x = v.at(position, 0) + chunks[chunk].first;
                    b.pixel_step = v.channels;
                    b.run = chunks[chunk].size();
                    b.rows = 1;
                    b.weights = w.at(position, block, chunks[chunk].first);
                    b.start = chunk == 0 ? zeros : nullptr;
                    b.y = m.at(position, 0) + (block - blocks.first) * Blocks<I>::wide;
                    b.y_step = m.channels;
                    b.channels = out.floats(block);
                    if (out.vectors(block) == 2) convolve_row<I, 2>(b, v.tiles);
                    else convolve_row<I, 1>(b, v.tiles);
                }
        with_activation<I>(activation, [&](auto f) {
            for (Index i = 0; i < v.tiles; ++i)
                write(tiles[r.first + i], m, i, {out[blocks.first].first, out[last].last}, f);
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
