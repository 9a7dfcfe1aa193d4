#pragma once

#include <mtdn/backend/cpu/convolution_backward_weights.hpp>
#include <mtdn/backend/cpu/winograd.hpp>

namespace mtdn::detail::cpu::winograd {

/// Sums of products of some inputs and some blocks of outputs: [position][input][output], outputs filled up to whole
/// vectors.
template <class I>
struct GradientSums {
    Range inputs{};
    Blocks<I> out;
    Range blocks{};
    float* data = nullptr;

    Range outputs() const { return {out[blocks.first].first, out[blocks.last - 1].last}; }
    Index width() const { return (blocks.size() - 1) * Blocks<I>::wide + out.floats(blocks.last - 1); }
    Index floats() const { return positions * inputs.size() * width(); }
    float* at(Index position, Index input) const {
        return data + (position * inputs.size() + input - inputs.first) * width();
    }
};

/// Gradient of the weights of a 3×3 window of stride 1, added to dw: transforms patches and gradients, sums their
/// products over all tiles at each of the 36 positions, transforms back once.
template <class I>
class WeightGradient3x3 {
public:
    WeightGradient3x3(const CpuOperand<I>& x, CpuIn<I> dy, Index padding, CpuOut<I> dw)
        : tiles_{dy.shape.frames, dy.shape.height, dy.shape.width},
          patches_(x, tiles_, padding),
          gradients_(dy, tiles_, 0),
          inputs_(x.shape().channels),
          outputs_(dy.shape.channels),
          dw_(dw) {}

    void run(Workspace& workspace) const {
        const bool deep = many_weights * inputs_ * outputs_ > tiles_.count() * (inputs_ + outputs_);
        deep ? run_deep(workspace) : run_shallow(workspace);
    }

private:
    using Sums = GradientSums<I>;
    static constexpr Index many_weights = 16;     // copies of the sums that cost as much as copying what is transformed
    static constexpr Index room = 131072;         // floats of half transformed values that stay in the second cache
    static constexpr Index large_room = 6 << 20;  // … in the third
    static constexpr Index some_tiles = 128;      // that are summed in registers

    // Many tiles, few weights: a task is a piece of the tiles with sums of its own, joined in a tree.
    void run_shallow(Workspace& workspace) const {
        const Index pieces = std::clamp<Index>(tiles_.count() / 256, 1, 16);
        const Index most = std::clamp<Index>(room / (6 * tile * (inputs_ + outputs_)), 24, some_tiles);
        const Blocks<I> out(outputs_);
        Sums first{{0, inputs_}, out, {0, out.count}, nullptr};
        const Index floats = first.floats();
        const Scratch all = workspace.scratch(pieces * floats);
        first.data = all.data();
        workspace.threads.run(pieces, [&](Index task) {
            const Range piece = part_of(tiles_.count(), pieces, task);
            Sums sums = first;
            sums.data += task * floats;
            std::fill_n(sums.data, floats, 0.0F);
            const Scratch columns = workspace.scratch(patches_.floats(most) + gradients_.floats(most));
            const Scratch patches = workspace.scratch(Transformed<I>::floats(most, inputs_, 6));
            const Scratch gradients = workspace.scratch(Transformed<I>::floats(most, out.padded(), 6));
            const Index runs = ceil_div(piece.size(), most);
            for (Index run = 0; run < runs; ++run) {
                const Range part = part_of(piece.size(), runs, run);
                const Range tiles{piece.first + part.first, piece.first + part.last};
                const Transformed<I> v(part.size(), inputs_, patches.data());
                const Transformed<I> s(part.size(), out.padded(), gradients.data());
                const auto x_columns = patches_.columns(tiles, columns.data());
                const auto dy_columns = gradients_.columns(tiles, columns.data() + patches_.floats(most));
                for (Index line = 0; line < 6; ++line) {
                    patches_.rows(x_columns, line, tiles, v, 0, 0);
                    gradients_.rows(dy_columns, line, tiles, s, 0, 0);
                    for (Index j = 0; j < 6; ++j) add(v, s, j, sums, 6 * line + j);
                }
            }
        });
        workspace.threads.run(inputs_, [&](Index input) {
            for (Index position = 0; position < positions; ++position)
                join<I>(first.at(position, input), pieces, floats, first.width());
            finish(first, {input, input + 1});
        });
    }

    // Few tiles, many weights: tiles are transformed once for all. Then a task is some positions, or, where all sums
    // together would leave the second cache, some inputs and outputs.
    void run_deep(Workspace& workspace) const {
        const Index floats = positions * (inputs_ + outputs_);
        const Index slabs = ceil_div(tiles_.count(), std::max<Index>(16, large_room / floats));
        const Index most = ceil_div(tiles_.count(), slabs);
        const Blocks<I> out(outputs_);
        const Scratch patches = workspace.scratch(Transformed<I>::floats(most, inputs_));
        const Scratch gradients = workspace.scratch(Transformed<I>::floats(most, out.padded()));
        const bool by_position = inputs_ * out.padded() <= 32768;
        const Chunks in(inputs_, 64);
        const Index splits = ceil_div(out.padded(), 64), cuts = 12;
        Sums whole{{0, inputs_}, out, {0, out.count}, nullptr};
        const Scratch all = workspace.scratch(by_position ? whole.floats() : 0);
        whole.data = all.data();
        for (Index slab = 0; slab < slabs; ++slab) {
            const Range r = part_of(tiles_.count(), slabs, slab);
            const Transformed<I> v(r.size(), inputs_, patches.data());
            const Transformed<I> s(r.size(), out.padded(), gradients.data());
            workspace.for_pieces(r.size(), floats, [&](Range some) {
                const Range tiles{r.first + some.first, r.first + some.last};
                patches_.all(workspace, tiles, v, some.first);
                gradients_.all(workspace, tiles, s, some.first);
            });
            if (by_position)
                workspace.threads.run(cuts, [&](Index task) {
                    const Range some = part_of(positions, cuts, task);
                    const Index size = whole.floats() / positions;
                    if (slab == 0) std::fill_n(whole.data + some.first * size, some.size() * size, 0.0F);
                    for (Index position = some.first; position < some.last; ++position)
                        add(v, s, position, whole, position);
                });
            else
                workspace.threads.run(in.count * splits, [&](Index task) {
                    Sums sums{in[task / splits], out, part_of(out.count, splits, task % splits), nullptr};
                    const Scratch own = workspace.scratch(sums.floats());
                    sums.data = own.data();
                    std::fill_n(sums.data, sums.floats(), 0.0F);
                    for (Index position = 0; position < positions; ++position) add(v, s, position, sums, position);
                    finish(sums, sums.inputs);
                });
        }
        if (by_position)
            workspace.for_pieces(inputs_, whole.floats() / inputs_,
                                 [&](Range inputs) { finish(whole, inputs); });
    }

    // Adds the products of all tiles of v and s at position `from` to the sums of position `to`.
    static void add(const Transformed<I>& v, const Transformed<I>& s, Index from, const Sums& sums, Index to) {
        const Index runs = ceil_div(v.tiles, some_tiles);
        for (Index run = 0; run < runs; ++run) {
            const Range tiles = part_of(v.tiles, runs, run);
            for (Index block = sums.blocks.first; block < sums.blocks.last; ++block) {
                GradientBlock b;
                b.x = v.at(from, tiles.first) + sums.inputs.first;
                b.x_step = v.channels;
                b.dy = s.at(from, tiles.first) + block * Blocks<I>::wide;
                b.dy_step = s.channels;
                b.rows = 1;
                b.columns = tiles.size();
                b.sums = sums.at(to, sums.inputs.first) + (block - sums.blocks.first) * Blocks<I>::wide;
                b.sums_step = sums.width();
                if (sums.out.vectors(block) == 2) add_gradient<I, 2>(b, sums.inputs.size());
                else add_gradient<I, 1>(b, sums.inputs.size());
            }
        }
    }

    // Transforms the sums of some inputs back and adds them to dw.
    void finish(const Sums& sums, Range inputs) const {
        const Index step = sums.inputs.size() * sums.width(), tap = inputs_ * dw_.stride;
        const Range outputs = sums.outputs();
        for (Index input = inputs.first; input < inputs.last; ++input) {
            const float* own = sums.at(0, input);
            float* to = dw_.data + input * dw_.stride + outputs.first;
            for (Index c = 0; c < outputs.size(); c += I::floats)
                transform<I, Gradient>(
                    [&](Index i, Index j, Vector<I>& v) MTDN_ALWAYS_INLINE { load(own + (i * 6 + j) * step + c, v); },
                    [&](Index i, Index j, const Vector<I>& v) MTDN_ALWAYS_INLINE {
                        float* at = to + (i * 3 + j) * tap + c;
                        Vector<I> before;
                        load(at, before, outputs.size() - c);
                        store(before + v, at, outputs.size() - c);
                    });
        }
    }

    Tiles tiles_;
    PatchTransform<I, Input> patches_;
    PatchTransform<I, OutputGradient> gradients_;
    Index inputs_, outputs_;
    CpuOut<I> dw_;
};

}  // namespace mtdn::detail::cpu::winograd
