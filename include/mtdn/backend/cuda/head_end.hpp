#pragma once

#include <mtdn/backend/cuda/last_pixels.hpp>
#include <mtdn/backend/head_end.hpp>

// The end of a head in evaluation, a 3×3 convolution to few channels and 1×1 to few classes, in one pass.

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

/// Logits of a pixel to memory; `whole`: four of them to a multiple of 16 bytes.
struct WriteLogits {
    Pixels<float> y;
    bool whole;
    MTDN_DEVICE void operator()(Index pixel, const float (&logits)[last_channels], int classes) const {
        float* const to = &y.at(pixel, 0);
        if (whole) {
            *reinterpret_cast<Four*>(to) = {logits[0], logits[1], logits[2], logits[3]};
            return;
        }
        MTDN_UNROLL
        for (int c = 0; c < last_channels; ++c)
            if (c < classes) to[c] = logits[c];
    }
};

/// The first largest of a pixel's logits, as `ArgMax` has it.
struct WriteClass {
    Pixels<std::uint8_t> codes;
    MTDN_DEVICE void operator()(Index pixel, const float (&logits)[last_channels], int classes) const {
        int best = 0;
        float top = logits[0];
        MTDN_UNROLL
        for (int c = 1; c < last_channels; ++c)
            if (c < classes && logits[c] > top) {
                best = c;
                top = logits[c];
            }
        codes.at(pixel, 0) = static_cast<std::uint8_t>(best);
    }
};

/// relu(scale · (x ⋆ w) + shift), 3×3 of stride 1 to `out` channels, then 1×1 to `classes`, in single precision. What
/// stands between them stays in registers.
///
/// A block has 16 × 32 pixels of the output. Shared memory has what they see of the input, `depth` channels at a time,
/// and these channels' weights; blocks that stay side by side on a multiprocessor hide each other's way from memory. A
/// warp's lanes are neighbours in a row, each with four pixels, one below the other. A chunk's sum is over taps, then
/// channels, as `Product` has it.
template <class Answer>
struct FinishHead {
    static constexpr int rows = 16, columns = 32, depth = 16, quads = depth / 4, taps = 9;
    static constexpr int own_rows = 4, threads = rows / own_rows * columns;
    static constexpr int halo_columns = columns + 2, pixels = (rows + 2) * halo_columns;

    struct Shared {
        SharedArray<Four, pixels * quads> x;
        SharedArray<Four, taps * depth> w;  // of a tap and channel to all of `out`, zeros behind them
    };

    Parts x;
    bool pending;  // whether a normalisation is, anywhere
    Grid<false> input, output;
    int padding, row_tiles, column_tiles, chunks;
    int in, out, classes;
    Pixels<const float> w, last;
    StoreActivated norm, bias;  // what they add; they store nothing
    Answer answer;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        Shared& shared = block.shared();
        const Split j = split(block.number(), column_tiles), i = split(j.quotient, row_tiles);
        const auto frame = static_cast<int>(i.quotient);
        const int row = static_cast<int>(i.rest) * rows, column = static_cast<int>(j.rest) * columns;
        const int own_row = block.thread() / columns * own_rows, own_column = block.thread() % columns;
        float total[own_rows][last_channels] = {};
        for (int chunk = 0; chunk < chunks; ++chunk) {
            if (chunk > 0) block.sync();  // nobody reads the last chunk any more
            load(block, shared, frame, row - padding, column - padding, chunk * depth);
            block.sync();
            float sum[own_rows][last_channels] = {};
            MTDN_ROLL
            for (int tap = 0; tap < taps; ++tap) add_tap(shared, own_row, own_column, tap, sum);
            MTDN_UNROLL
            for (int r = 0; r < own_rows; ++r)
                MTDN_UNROLL
                for (int o = 0; o < last_channels; ++o) total[r][o] += sum[r][o];
        }
        float to_class[last_channels][last_channels] = {};
        MTDN_UNROLL
        for (int o = 0; o < last_channels; ++o)
            MTDN_UNROLL
            for (int c = 0; c < last_channels; ++c)
                if (o < out && c < classes) to_class[o][c] = last.at(o, c);
        MTDN_UNROLL
        for (int r = 0; r < own_rows; ++r) {
            const int y_row = row + own_row + r, y_column = column + own_column;
            if (y_row < output.height && y_column < output.width)
                answer_of(output.pixel(frame, y_row, y_column), total[r], to_class);
        }
    }

private:
    /// Where four channels of a pixel lie. Eight neighbours' equal four, which are read at a time, and two neighbours'
    /// sixteen channels, which are written at a time, lie in different banks.
    MTDN_DEVICE static int place(int line, int column, int quad) {
        return (line * halo_columns + column) * quads + (quad ^ (column >> 1 & 3));
    }

    /// Brings `depth` channels from `channel` on, of the pixels from (row, column) on, and their weights.
    template <class Block>
    MTDN_DEVICE void load(Block& block, Shared& shared, int frame, int row, int column, int channel) const {
        const int thread = computed_here(block.thread()), quad = thread % quads;
        const FourChannels four(x, frame, channel + 4 * quad);
        // f(where it is to lie, the input's pixel, whether there is one) for a thread's pixels.
        const auto each_pixel = [&](const auto& f) {
            MTDN_ROLL
            for (int p = thread / quads; p < pixels; p += threads / quads) {
                const int line = p / halo_columns, at_row = row + line, at_column = column + p % halo_columns;
                const bool there = at_row >= 0 && at_row < input.height && at_column >= 0 && at_column < input.width;
                f(shared.x[place(line, p % halo_columns, quad)], there ? input.pixel(frame, at_row, at_column) : 0,
                  there);
            }
        };
        each_pixel([&](Four& to, int pixel, bool there) { four.fetch(block, to, 0, pixel, there && four.count > 0); });
        MTDN_ROLL
        for (int i = thread; i < taps * depth; i += threads) {
            const int from = channel + i % depth;
            MTDN_UNROLL
            for (int o = 0; o < last_channels; ++o)
                shared.w[i].values[o] = from < in && o < out ? w.at(i / depth * in + from, o) : 0.0F;
        }
        block.wait_for_copies();
        if (!pending) return;
        // Padding is of what is normalised.
        each_pixel([&](Four& at, int, bool there) {
            if (!there) return;
            const Four raw[1] = {at};
            four.apply(raw, at.values);
        });
    }

    MTDN_DEVICE static void add_tap(Shared& shared, int row, int column, int tap,
                                    float (&sum)[own_rows][last_channels]) {
        MTDN_UNROLL
        for (int quad = 0; quad < quads; ++quad) {
            Four weights[4];
            MTDN_UNROLL
            for (int e = 0; e < 4; ++e) weights[e] = shared.w[tap * depth + 4 * quad + e];
            MTDN_UNROLL
            for (int r = 0; r < own_rows; ++r) {
                const Four values = shared.x[place(row + r + tap / 3, column + tap % 3, quad)];
                MTDN_UNROLL
                for (int e = 0; e < 4; ++e)
                    MTDN_UNROLL
                    for (int o = 0; o < last_channels; ++o)
                        sum[r][o] += values.values[e] * weights[e].values[o];
            }
        }
    }

    /// Answers for a pixel, of the first convolution's sums.
    MTDN_DEVICE void answer_of(int pixel, const float (&sum)[last_channels],
                               const float (&to_class)[last_channels][last_channels]) const {
        float logits[last_channels] = {};
        MTDN_UNROLL
        for (int o = 0; o < last_channels; ++o)
            if (o < out) {
                const float linear = norm.linear(o, sum[o]), value = linear < 0 ? 0.0F : linear;
                MTDN_UNROLL
                for (int c = 0; c < last_channels; ++c) logits[c] += value * to_class[o][c];
            }
        MTDN_UNROLL
        for (int c = 0; c < last_channels; ++c)
            if (c < classes) logits[c] = bias.linear(c, logits[c]);
        answer(pixel, logits, classes);
    }
};

template <class D, class Answer>
void finish_head(Queue<D>& queue, const Operand<CudaFor<D>>& x, const HeadEnd<CudaFor<D>>& end, const Shape& y,
                 const Answer& answer) {
    using Body = FinishHead<Answer>;
    require_countable(x.shape());
    require_countable(y);
    bool pending = false;
    for (const auto& part : x.parts()) pending = pending || part.pending();
    const auto narrow = [](Index i) { return static_cast<int>(i); };
    const int row_tiles = narrow(ceil_div(y.height, Body::rows));
    const int column_tiles = narrow(ceil_div(y.width, Body::columns));
    const Index in = x.shape().channels;
    launch(queue, y.frames * row_tiles * column_tiles,
           Body{Parts(x), pending, Grid<false>(x.shape()), Grid<false>(y), narrow(end.window.padding), row_tiles,
                column_tiles, narrow(ceil_div(in, Body::depth)), narrow(in), narrow(end.w.shape.channels),
                narrow(end.last.shape.channels), end.w, end.last,
                {{}, end.scale.data, end.shift.data, Activation::identity},
                {{}, nullptr, end.bias.data, Activation::identity}, answer});
}

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
bool CudaFor<D>::joins_head_end(const HeadEnd<CudaFor>& end) const {
    using namespace detail::cuda;
    return !by_library(*queue_, [](auto) {}) && queue_->precision() != Precision::single && end.window.kernel == 3 &&
           end.window.stride == 1 && end.w.shape.channels <= last_channels &&
           end.last.shape.channels <= last_channels;
}

template <class D>
void CudaFor<D>::finish_head(const Operand<CudaFor>& x, const HeadEnd<CudaFor>& end, Out logits) {
    using namespace detail::cuda;
    if (!by_fours(x)) return finish_head(whole(x), end, logits);
    const bool fours = logits.shape.channels == last_channels && by_fours(In(logits));
    detail::cuda::finish_head(*queue_, x, end, logits.shape, WriteLogits{logits, fours});
}
template <class D>
void CudaFor<D>::finish_head(const Operand<CudaFor>& x, const HeadEnd<CudaFor>& end, OutLabels codes) {
    using namespace detail::cuda;
    if (!by_fours(x)) return finish_head(whole(x), end, codes);
    detail::cuda::finish_head(*queue_, x, end, codes.shape, WriteClass{codes});
}

}  // namespace mtdn
