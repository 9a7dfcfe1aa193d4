#pragma once

#include <mtdn/backend/cpu/normalisation.hpp>
#include <mtdn/backend/cpu/packing.hpp>
#include <mtdn/backend/options.hpp>

namespace mtdn::detail::cpu {

/// Operands of one register block of a weight gradient: floats, or words of two bfloat16, of neighbouring columns.
struct GradientBlock {
    const float* x = nullptr;  ///< first input of the first pixel
    Index x_step = 0;          ///< from pixel to pixel
    Index x_row = 0;           ///< from row to row
    const float* dy = nullptr;
    Index dy_step = 0;
    Index dy_row = 0;
    Index rows = 0;
    Index columns = 0;
    float* sums = nullptr;  ///< [input][output of the block], added to
    Index sums_step = 0;    ///< from input to input
};

/// sums += xᵀ · dy over rows × columns pixels, for `Inputs` neighbouring inputs and `Vectors` vectors of outputs.
template <class I, int Inputs, int Vectors>
void gradient_block(const GradientBlock& b) {
    Vector<I> sum[Inputs][Vectors];
    unroll<Inputs>([&](auto p) MTDN_ALWAYS_INLINE {
        unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE { sum[p][v] = Vector<I>{}; });
    });
    for (Index row = 0; row < b.rows; ++row) {
        const float* x = b.x + row * b.x_row;
        const float* dy = b.dy + row * b.dy_row;
        for (Index column = 0; column < b.columns; ++column, x += b.x_step, dy += b.dy_step) {
            Vector<I> gradient[Vectors];
            unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE { load(dy + v * I::floats, gradient[v]); });
            unroll<Inputs>([&](auto p) MTDN_ALWAYS_INLINE {
                unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE { Product<I>::add(gradient[v], x[p], sum[p][v]); });
            });
        }
    }
    float* sums = b.sums;  // a copy, which no store can change
    unroll<Inputs>([&](auto p) MTDN_ALWAYS_INLINE {
        unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE {
            float* to = sums + p * b.sums_step + v * I::floats;
            Vector<I> before;
            load(to, before);
            store(before + sum[p][v], to);
        });
    });
}

template <class I, int Vectors>
struct GradientKernels {
    static constexpr Index most = most_rows<I, Vectors>;
    template <int Inputs>
    static constexpr auto get() {
        return &gradient_block<I, Inputs, Vectors>;
    }
};

/// All of `inputs` neighbouring inputs, in register blocks from `b` on.
template <class I, int Vectors>
void add_gradient(GradientBlock b, Index inputs) {
    using Kernels = GradientKernels<I, Vectors>;
    while (inputs > 0) {
        const Index some = next_rows(inputs, Kernels::most);
        kernel_table<Kernels, Kernels::most>[static_cast<std::size_t>(some - 1)](b);
        inputs -= some;
        b.x += some;
        b.sums += some * b.sums_step;
    }
}

/// Gradient of a convolution's weights, added to dw.
///
/// Inputs of one row of the window, [column][channel], are neighbours in the padded rows: the gradient is a product of
/// matrices for each row of the window. A task is a chunk of input channels × up to 256 output channels × a piece of
/// the rows of all frames; it sums some 128 pixels in registers, then adds to its own sums, which are joined in a tree.
/// In bfloat16 two neighbouring columns are one step.
template <class I>
struct WeightGradient {
    CpuOperand<I> x;
    CpuIn<I> dy{};
    Index kernel = 1;
    Index stride = 1;
    Index padding = 0;
    float* dw = nullptr;  ///< element (tap, in, out)
    Index tap_step = 0;
    Index in_step = 0;
    Index out_step = 0;

    void run(Workspace& workspace) const {
        const Cut cut(*this, workspace.precision);
        const Index tasks = cut.in.count * cut.splits * cut.pieces;
        const Scratch sums = workspace.scratch(tasks * cut.sums);
        workspace.threads.run(tasks, [&](Index task) {
            float* own = sums.data() + task * cut.sums;
            std::fill_n(own, cut.sums, 0.0F);
            const Index part = task / cut.pieces;
            const Range groups = part_of(cut.groups * dy.shape.frames, cut.pieces, task % cut.pieces);
            add_rows(workspace, cut, cut.in[part / cut.splits], part_of(cut.out.count, cut.splits, part % cut.splits),
                     groups, own);
        });
        workspace.threads.run(cut.in.count * cut.splits, [&](Index part) {
            const Range inputs = cut.in[part / cut.splits];
            const Range blocks = part_of(cut.out.count, cut.splits, part % cut.splits);
            float* own = sums.data() + part * cut.pieces * cut.sums;
            join<I>(own, cut.pieces, cut.sums, kernel * kernel * inputs.size() * floats(cut.out, blocks));
            add_sums(cut.out, blocks, inputs, own);
        });
    }

private:
    // How the work is cut: by shape and precision alone.
    struct Cut {
        Chunks in;
        Blocks<I> out;
        PaddedRows rows;
        Index splits;    // of the output blocks
        Index groups;    // of the rows of a frame
        Index pieces;    // of the groups of all frames
        Index sums;      // floats that a task sums up
        Index together;  // columns of dy in a step: 1, or 2 in words
        Index columns;   // steps of a row
        bool direct;     // dy is read where it is

        Cut(const WeightGradient& g, Precision precision)
            : in(g.x.shape().channels, 32), out(g.dy.shape.channels),
              rows{1, g.padding, (g.dy.shape.width - 1) * g.stride + g.kernel},
              splits(ceil_div(out.count * Blocks<I>::wide, 256)),
              together(precision == Precision::bfloat16 ? 2 : 1), columns(ceil_div(g.dy.shape.width, together)) {
            const Index height = g.dy.shape.height;
            direct = together == 1 && out.channels == out.padded() && g.dy.stride <= 64;
            const Index row = rows.width * ceil_div(in.channels, in.count) * g.stride +
                              (direct ? 0 : columns * std::min<Index>(256, out.padded()));
            // Rows that fill 384 KiB, or some 16 if that leaves few groups.
            groups = std::max(ceil_div(height, std::clamp<Index>(98304 / row - (g.kernel - 1) / g.stride, 1, height)),
                              std::min(ceil_div(16, g.dy.shape.frames), std::max<Index>(1, height / 16)));
            pieces = std::clamp<Index>(ceil_div(16, in.count * splits), 1, g.dy.shape.frames * groups);
            sums = g.kernel * g.kernel * ceil_div(in.channels, in.count) * Blocks<I>::wide *
                   ceil_div(out.count, splits);
        }
    };

    static Index floats(const Blocks<I>& out, Range blocks) {
        Index all = 0;
        for (Index block = blocks.first; block < blocks.last; ++block) all += out.floats(block);
        return all;
    }

    void add_rows(Workspace& workspace, const Cut& cut, Range inputs, Range blocks, Range groups,
                  float* sums) const {
        const Index most = ceil_div(dy.shape.height, cut.groups);
        const Scratch x_rows = workspace.scratch(((most - 1) * stride + kernel) * cut.rows.width * inputs.size());
        const Scratch dy_rows =
            workspace.scratch(cut.direct ? 0 : most * cut.columns * floats(cut.out, blocks));
        for (Index group = groups.first; group < groups.last; ++group) {
            const Index frame = group / cut.groups;
            const Range r = part_of(dy.shape.height, cut.groups, group % cut.groups);
            const Index rows = (r.size() - 1) * stride + kernel;
            cut.rows.template pack<I>(x, frame, r.first * stride, rows, inputs, x_rows.data());
            if (cut.together == 2) {
                // What lies under a column of the window in the next column of dy is `next` further on in the row.
                const Index row = cut.rows.width * inputs.size(), next = stride * inputs.size();
                for (Index i = 0; i < rows; ++i) {
                    float* values = x_rows.data() + i * row;
                    pair_values<I>(values, values + next, std::max<Index>(0, row - next), row, values);
                }
            }
            if (!cut.direct) pack_gradients(cut, blocks, frame, r, dy_rows.data());
            add_group(cut, inputs, blocks, frame, r, x_rows.data(), dy_rows.data(), sums);
        }
    }

    // [block][row][step][channel of the block]
    void pack_gradients(const Cut& cut, Range blocks, Index frame, Range r, float* to) const {
        for (Index block = blocks.first; block < blocks.last; ++block) {
            const Index width = cut.out.floats(block), channels = cut.out[block].size();
            if (channels < width) std::fill_n(to, r.size() * cut.columns * width, 0.0F);
            for (Index row = r.first; row < r.last; ++row) {
                const float* from = dy.at(frame, row, 0) + cut.out[block].first;
                for (Index column = 0; column < dy.shape.width; column += cut.together, to += width) {
                    if (cut.together == 1 && channels < width) copy_few<Blocks<I>::wide>(from, channels, to);
                    else if (cut.together == 1) copy_floats<I>(from, channels, to);
                    else
                        pair_values<I>(from, from + dy.stride, column + 1 < dy.shape.width ? channels : 0, channels,
                                       to);
                    from += cut.together * dy.stride;
                }
            }
        }
    }

    void add_group(const Cut& cut, Range inputs, Range blocks, Index frame, Range r, const float* x_rows,
                   const float* dy_rows, float* sums) const {
        const Index width = cut.columns, run = kernel * inputs.size(), step = cut.together * stride;
        const Index column_cuts = ceil_div(width, 128), rows_at_once = std::max<Index>(1, 128 / width);
        GradientBlock b;
        b.x_step = step * inputs.size();
        b.x_row = stride * cut.rows.width * inputs.size();
        for (Index row = 0; row < r.size(); row += rows_at_once)
            for (Index cut_of_columns = 0; cut_of_columns < column_cuts; ++cut_of_columns) {
                const Range columns = part_of(width, column_cuts, cut_of_columns);
                b.rows = std::min(rows_at_once, r.size() - row);
                b.columns = columns.size();
                for (Index ky = 0; ky < kernel; ++ky) {
                    b.x = x_rows + ((row * stride + ky) * cut.rows.width + columns.first * step) * inputs.size();
                    const float* gradients = dy_rows;
                    b.sums = sums + ky * run * floats(cut.out, blocks);
                    for (Index block = blocks.first; block < blocks.last; ++block) {
                        const Index floats = cut.out.floats(block);
                        b.dy_step = cut.direct ? dy.stride : floats;
                        b.dy_row = width * b.dy_step;
                        b.dy = cut.direct ? dy.at(frame, r.first + row, columns.first) + cut.out[block].first
                                          : gradients + row * b.dy_row + columns.first * floats;
                        b.sums_step = floats;
                        gradients += r.size() * width * floats;
                        const bool wide = cut.out.vectors(block) == 2;
                        if (cut.together == 1) wide ? add_gradient<I, 2>(b, run) : add_gradient<I, 1>(b, run);
                        else wide ? add_gradient<Pairs<I>, 2>(b, run) : add_gradient<Pairs<I>, 1>(b, run);
                        b.sums += run * floats;
                    }
                }
            }
    }

    // From [row of the window][block][column of the window][in][out of the block] to dw.
    void add_sums(const Blocks<I>& out, Range blocks, Range inputs, const float* sums) const {
        for (Index ky = 0; ky < kernel; ++ky)
            for (Index block = blocks.first; block < blocks.last; ++block)
                for (Index kx = 0; kx < kernel; ++kx)
                    for (Index i = inputs.first; i < inputs.last; ++i, sums += out.floats(block)) {
                        float* to = dw + (ky * kernel + kx) * tap_step + i * in_step + out[block].first * out_step;
                        for (Index o = 0; o < out[block].size(); ++o) to[o * out_step] += sums[o];
                    }
    }
};

}  // namespace mtdn::detail::cpu
