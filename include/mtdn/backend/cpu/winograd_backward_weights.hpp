#pragma once

#include <mtdn/backend/cpu/convolution_backward_weights.hpp>
#include <mtdn/backend/cpu/winograd.hpp>

namespace mtdn::detail::cpu::winograd {

/// Gradient of the weights of a 3×3 window of stride 1, added to dw: transforms patches and slopes, sums their products
/// over all tiles at each of the 36 positions, transforms back once.
///
/// A task is some input channels × some output channels × a piece of the tiles; tasks' sums are joined in a tree.
template <class I>
struct WeightGradient3x3 {
    CpuIn<I> x{};
    CpuIn<I> dy{};
    Index padding = 0;
    CpuOut<I> dw{};

    void run(Workspace& workspace) const {
        const Cut cut(*this);
        const Index tasks = cut.in.count * cut.splits * cut.pieces;
        const Scratch sums = workspace.scratch(tasks * cut.sums);
        workspace.threads.run(tasks, [&](Index task) {
            const Index part = task / cut.pieces;
            float* own = sums.data() + task * cut.sums;
            add_tiles(workspace, cut, cut.in[part / cut.splits], blocks(cut, part),
                      part_of(cut.tiles.count(), cut.pieces, task % cut.pieces), own);
        });
        // Joined and transformed back in rows of input channels.
        const Index rows = ceil_div(cut.in.channels, cut.in.count);
        workspace.threads.run(cut.in.count * cut.splits * rows, [&](Index task) {
            const Index part = task / rows, row = task % rows;
            const Range inputs = cut.in[part / cut.splits];
            if (row >= inputs.size()) return;
            finish(cut, inputs, blocks(cut, part), row, sums.data() + part * cut.pieces * cut.sums);
        });
    }

private:
    static constexpr Index room = 229376;  // floats of transformed patches and slopes that a task may hold

    // How the work is cut: by shape alone.
    struct Cut {
        Tiles tiles;
        Chunks in;
        Blocks<I> out;
        Index splits;  // of the output blocks
        Index pieces;  // of the tiles
        Index run;     // tiles that are transformed at a time
        Index sums;    // floats that a task sums up

        explicit Cut(const WeightGradient3x3& g)
            : tiles{g.dy.shape.frames, g.dy.shape.height, g.dy.shape.width}, in(g.x.shape.channels, 128),
              out(g.dy.shape.channels), splits(ceil_div(out.padded(), 128)) {
            const Index inputs = ceil_div(in.channels, in.count);
            const Index outputs = ceil_div(out.count, splits) * Blocks<I>::wide;
            run = std::clamp<Index>(room / (positions * (inputs + outputs)), 24, 128);
            pieces = std::clamp<Index>(ceil_div(16, in.count * splits), 1, ceil_div(tiles.count(), run));
            sums = positions * inputs * outputs;
        }
    };

    static Range blocks(const Cut& cut, Index part) { return part_of(cut.out.count, cut.splits, part % cut.splits); }
    static Index floats(const Cut& cut, Range blocks) {
        return (blocks.size() - 1) * Blocks<I>::wide + cut.out.floats(blocks.last - 1);
    }

    // Sums lie as [position][block][input][output of the block].
    void add_tiles(Workspace& workspace, const Cut& cut, Range inputs, Range blocks, Range piece, float* sums) const {
        const Range outputs{cut.out[blocks.first].first, cut.out[blocks.last - 1].last};
        const Index all = floats(cut, blocks);
        std::fill_n(sums, positions * inputs.size() * all, 0.0F);
        const Scratch patches = workspace.scratch(Transformed<I>::floats(cut.run, inputs.size()));
        const Scratch slopes = workspace.scratch(Transformed<I>::floats(cut.run, all));
        const Scratch edge = workspace.scratch(positions * std::max(Transformed<I>::padded(inputs.size()), all));
        const Index runs = ceil_div(piece.size(), cut.run);
        for (Index i = 0; i < runs; ++i) {
            const Range part = part_of(piece.size(), runs, i);
            const Transformed<I> v(part.size(), inputs.size(), patches.data()), s(part.size(), all, slopes.data());
            for (Index t = 0; t < part.size(); ++t) {
                const auto [frame, row, column] = cut.tiles[piece.first + part.first + t];
                transform_square<I, Input>(x, frame, row - padding, column - padding, inputs, v, t, edge.data());
                transform_square<I, Slope>(dy, frame, row, column, outputs, s, t, edge.data());
            }
            for (Index position = 0; position < positions; ++position) {
                GradientBlock b;
                b.x = v.at(position, 0);
                b.x_step = v.channels;
                b.dy = s.at(position, 0);
                b.dy_step = s.channels;
                b.rows = 1;
                b.columns = part.size();
                b.sums = sums + position * inputs.size() * all;
                for (Index block = blocks.first; block < blocks.last; ++block) {
                    if (cut.out.vectors(block) == 2) add_gradient<I, 2>(b, inputs.size());
                    else add_gradient<I, 1>(b, inputs.size());
                    b.dy += Blocks<I>::wide;
                    b.sums += inputs.size() * cut.out.floats(block);
                }
            }
        }
    }

    void finish(const Cut& cut, Range inputs, Range blocks, Index row, float* sums) const {
        const Index all = floats(cut, blocks), step = inputs.size() * all;
        for (Index block = blocks.first; block < blocks.last; ++block) {
            const Index width = cut.out.floats(block);
            float* own = sums + (block - blocks.first) * Blocks<I>::wide * inputs.size() + row * width;
            for (Index position = 0; position < positions; ++position)
                join<I>(own + position * step, cut.pieces, cut.sums, width);
            float* to = dw.data + (inputs.first + row) * dw.stride + cut.out[block].first;
            for (Index c = 0; c < cut.out[block].size(); c += I::floats) {
                const Index lanes = cut.out[block].size() - c;
                transform<I, Gradient>(
                    [&](Index i, Index j, Vector<I>& v) MTDN_ALWAYS_INLINE { load(own + (i * 6 + j) * step + c, v); },
                    [&](Index i, Index j, const Vector<I>& v) MTDN_ALWAYS_INLINE {
                        float* at = to + (i * 3 + j) * x.shape.channels * dw.stride + c;
                        Vector<I> before;
                        load(at, before, lanes);
                        store(before + v, at, lanes);
                    });
            }
        }
    }
};

}  // namespace mtdn::detail::cpu::winograd
