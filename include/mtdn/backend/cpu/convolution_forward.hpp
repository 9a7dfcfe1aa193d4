#pragma once

#include <mtdn/backend/cpu/activations.hpp>
#include <mtdn/backend/cpu/packing.hpp>
#include <mtdn/backend/options.hpp>

namespace mtdn::detail::cpu {

/// Operands of one register block of a convolution: floats, or words of two bfloat16.
struct ForwardBlock {
    const float* x = nullptr;       ///< first input of the first pixel
    Index pixel_step = 0;           ///< from the input of one output pixel to that of the next
    Index run = 0;                  ///< contiguous inputs in a row of the window
    Index rows = 0;                 ///< of the window
    Index row_step = 0;             ///< from one row of the window to the next
    const float* weights = nullptr; ///< [rows][run][block]
    const float* start = nullptr;   ///< what the sums start from: the bias; null: added to what y holds
    float* y = nullptr;             ///< first output of the first pixel
    Index y_step = 0;               ///< from one output pixel to the next
    Index channels = 0;             ///< of the block that exist in y
};

/// y = start + x · weights for `blocks` times `Pixels` pixels of a row and `Vectors` vectors of output channels.
///
/// What is added to y is summed on its own first: short sums lose fewer digits.
template <class I, int Pixels, int Vectors>
void convolve_block(const ForwardBlock& b, Index blocks) {
    constexpr int width = Vectors * I::floats;
    const float* block_x = b.x;
    float* y = b.y;
    for (; blocks > 0; --blocks, block_x += Pixels * b.pixel_step, y += Pixels * b.y_step) {
        Vector<I> sum[Pixels][Vectors];
        unroll<Pixels>([&](auto p) MTDN_ALWAYS_INLINE {
            unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE {
                if (b.start) load(b.start + v * I::floats, sum[p][v]);
                else sum[p][v] = Vector<I>{};
            });
        });
        const float* w = b.weights;
        for (Index row = 0; row < b.rows; ++row) {
            const float* x[Pixels];
            unroll<Pixels>([&](auto p) MTDN_ALWAYS_INLINE { x[p] = block_x + row * b.row_step + p * b.pixel_step; });
            for (Index i = 0; i < b.run; ++i, w += width) {
                Vector<I> weight[Vectors];
                unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE { load(w + v * I::floats, weight[v]); });
                unroll<Pixels>([&](auto p) MTDN_ALWAYS_INLINE {
                    unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE { Product<I>::add(weight[v], x[p][i], sum[p][v]); });
                });
            }
        }
        const auto finish = [&](auto add) MTDN_ALWAYS_INLINE {
            unroll<Pixels>([&](auto p) MTDN_ALWAYS_INLINE {
                unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE {
                    float* to = y + p * b.y_step + v * I::floats;
                    Vector<I> before{};
                    if constexpr (add) load(to, before);
                    store(sum[p][v] + before, to);
                });
            });
        };
        if (b.channels == width) {
            if (b.start) finish(std::false_type{});
            else finish(std::true_type{});
            continue;
        }
        alignas(64) float tile[Pixels][width];
        unroll<Pixels>([&](auto p) MTDN_ALWAYS_INLINE {
            unroll<Vectors>([&](auto v) MTDN_ALWAYS_INLINE { store(sum[p][v], &tile[p][v * I::floats]); });
        });
        for (int p = 0; p < Pixels; ++p) {
            float* to = y + p * b.y_step;
            if (b.start) copy_few<width>(tile[p], b.channels, to);
            else
                for (Index c = 0; c < b.channels; ++c) to[c] += tile[p][c];
        }
    }
}

template <class I, int Vectors>
struct ForwardKernels {
    static constexpr Index most = most_rows<I, Vectors>;
    template <int Pixels>
    static constexpr auto get() {
        return &convolve_block<I, Pixels, Vectors>;
    }
};

/// Convolves a row of `pixels` output pixels, in register blocks from `b` on.
template <class I, int Vectors>
void convolve_row(ForwardBlock b, Index pixels) {
    using Kernels = ForwardKernels<I, Vectors>;
    while (pixels > 0) {
        const Index some = next_rows(pixels, Kernels::most);
        const Index blocks = std::max<Index>(1, pixels / some - 1);  // the last two are cut anew
        kernel_table<Kernels, Kernels::most>[static_cast<std::size_t>(some - 1)](b, blocks);
        pixels -= blocks * some;
        b.x += blocks * some * b.pixel_step;
        b.y += blocks * some * b.y_step;
    }
}

/// Where a convolution's outputs go: pixel (r, c) of its output is pixel (r · step + row, c · step + column) of y.
struct Scatter {
    Index step = 1;
    Index row = 0;
    Index column = 0;
};

/// Direct convolution of dilated, padded input: every pass that is linear in the input, but for weight gradients.
///
/// A task is some rows of a frame times some blocks of output channels. It copies its input rows, padded, into
/// [chunk][row][column][channel]; per block and chunk, weights (18 KiB) stay in the first cache, rows in the second.
template <class I>
struct Correlation {
    CpuOperand<I> x;
    Weights weights{};
    CpuIn<I> bias{};
    Index kernel = 1;
    Index stride = 1;
    Index padding = 0;
    Index dilation = 1;
    Activation activation = Activation::identity;
    CpuOut<I> y{};
    Index height = 0;  ///< outputs
    Index width = 0;
    Scatter scatter{};

    void run(Workspace& workspace) const {
        const Shape shape = x.shape();
        const bool pairs = workspace.precision == Precision::bfloat16;
        const Chunks in(pairs ? ceil_div(shape.channels, 2) : shape.channels,
                        std::clamp<Index>(288 / weights.taps, 16, Chunks::most));
        const Blocks<I> out(y.shape.channels);
        const Scratch packed = workspace.scratch(weights.taps * in.channels * out.padded());
        weights.template pack<I>(workspace, shape.channels, in, out, packed.data());
        const Scratch start = workspace.scratch(out.padded());
        std::fill_n(start.data(), out.padded(), 0.0F);
        if (bias) copy_floats<I>(bias.data, out.channels, start.data());

        const bool direct = !pairs && x.plain() && kernel == 1 && padding == 0 && dilation == 1;
        const PaddedRows rows{dilation, padding, (width - 1) * stride + kernel};
        const Index row_floats = rows.width * in.channels;
        // Rows that fill 384 KiB, or some 16 if that leaves few tasks; then output channels are split as well.
        const Index most = std::max<Index>(1, (98304 / row_floats - kernel) / stride + 1);
        const Index frames = shape.frames;
        const Index cuts = std::max(ceil_div(height, std::min(most, height)),
                                    std::min(ceil_div(16, frames), std::max<Index>(1, height / 16)));
        const Index splits = std::min(out.count, ceil_div(16, frames * cuts));
        workspace.threads.run(frames * cuts * splits, [&](Index task) {
            const Range r = part_of(height, cuts, task / splits % cuts);
            const Range blocks = part_of(out.count, splits, task % splits);
            const Index frame = task / splits / cuts;
            const Index first = r.first * stride;
            const Index count = (r.size() - 1) * stride + kernel;
            if (direct) {
                const CpuIn<I> view = x.parts().front().x;
                work(&row_kernel<I>, in, out, blocks, r, frame, packed.data(), start.data(), view.at(frame, first, 0),
                     view.stride, shape.width * view.stride, 0);
                return;
            }
            const Scratch buffer = workspace.scratch(count * row_floats);
            for (Index c = 0; c < in.count; ++c) {
                float* to = buffer.data() + in[c].first * count * rows.width;
                if (pairs) pack_pairs(workspace, rows, frame, first, count, in[c], in.channels, to);
                else rows.template pack<I>(x, frame, first, count, in[c], to);
            }
            work(pairs ? &row_kernel<Pairs<I>> : &row_kernel<I>, in, out, blocks, r, frame, packed.data(), start.data(),
                 buffer.data(), 0, 0, count * rows.width);
        });
    }

private:
    using RowKernel = void (*)(ForwardBlock, Index);
    template <class Kind>
    static RowKernel row_kernel(int vectors) {
        return vectors == 2 ? &convolve_row<Kind, 2> : &convolve_row<Kind, 1>;
    }

    // Words of the channels i and i + `half`, for i in `channels`.
    void pack_pairs(Workspace& workspace, const PaddedRows& rows, Index frame, Index first, Index count, Range channels,
                    Index half, float* buffer) const {
        const Index floats = rows.width * channels.size();
        const Scratch others = workspace.scratch(floats);
        for (Index row = first; row < first + count; ++row, buffer += floats) {
            rows.template pack<I>(x, frame, row, 1, channels, buffer);
            rows.template pack<I>(x, frame, row, 1, {channels.first + half, channels.last + half}, others.data());
            pair_values<I>(buffer, others.data(), floats, floats, buffer);
        }
    }

    // `pixel_step` 0: the input is packed by chunks, `chunk_pixels` pixels each.
    void work(RowKernel (*kernel_of)(int vectors), const Chunks& in, const Blocks<I>& out, Range blocks, Range r,
              Index frame, const float* packed, const float* start, const float* input, Index pixel_step,
              Index row_step, Index chunk_pixels) const {
        for (Index block = blocks.first; block < blocks.last; ++block) {
            const RowKernel convolve_pixels = kernel_of(out.vectors(block));
            for (Index c = 0; c < in.count; ++c) {
                const Range chunk = in[c];
                const Index step = pixel_step ? pixel_step : chunk.size();
                ForwardBlock b;
                b.run = kernel * chunk.size();
                b.rows = kernel;
                b.pixel_step = stride * step;
                b.row_step = row_step ? row_step : step * (chunk_pixels / ((r.size() - 1) * stride + kernel));
                b.weights = packed + weights.taps * (in.channels * Blocks<I>::wide * block +
                                                     chunk.first * out.floats(block));
                b.start = c == 0 ? start + block * Blocks<I>::wide : nullptr;
                b.channels = out[block].size();
                b.y_step = scatter.step * y.stride;
                const float* rows = input + (pixel_step ? chunk.first : chunk.first * chunk_pixels);
                const bool last = c + 1 == in.count;
                for (Index row = r.first; row < r.last; ++row, rows += stride * b.row_step) {
                    float* to = y.at(frame, row * scatter.step + scatter.row, scatter.column) + out[block].first;
                    b.x = rows;
                    b.y = to;
                    convolve_pixels(b, width);
                    if (last && activation != Activation::identity)
                        activate_pixels<I>(to, width, b.y_step, b.channels, activation);
                }
            }
        }
    }
};

}  // namespace mtdn::detail::cpu
