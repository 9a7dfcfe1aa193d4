#pragma once

#include <array>

#include <mtdn/backend/cpu/activations.hpp>
#include <mtdn/backend/cpu/bfloat16.hpp>
#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/simd.hpp>
#include <mtdn/backend/cpu/workspace.hpp>

namespace mtdn::detail::cpu {

/// Copies `count` floats; for counts too small for `memcpy` to be worth its call.
template <class I>
MTDN_ALWAYS_INLINE inline void copy_floats(const float* from, Index count, float* to) {
    Index i = 0;
    for (; i + I::floats <= count; i += I::floats) __builtin_memcpy(to + i, from + i, sizeof(Vector<I>));
    for (; i < count; ++i) to[i] = from[i];
}

/// Applies what is pending for channels `first` … of a part on one frame to `pixels` pixels of `count` values, `step`
/// apart, in place.
template <class I>
void apply_pending(const OperandPart<CpuFor<I>>& part, Index frame, Index first, Index count, Index pixels, Index step,
                   float* values) {
    if (!part.pending()) return;
    const float* scale = part.scale.pixel(part.group(frame)) + first;
    const float* shift = part.shift.pixel(part.group(frame)) + first;
    // Pixels of less than a vector are taken a vector's number at a time, so that they fill whole ones.
    const Index together = count < I::floats && step == count ? I::floats : 1;
    float scales[I::floats * I::floats], shifts[I::floats * I::floats];
    if (together > 1) {
        for (Index i = 0; i < together * count; i += count) {
            copy_floats<I>(scale, count, scales + i);
            copy_floats<I>(shift, count, shifts + i);
        }
        scale = scales;
        shift = shifts;
    }
    with_activation<I>(part.activation, [&](auto f) {
        for (Index p = 0; p < pixels; p += together, values += together * step)
            for_vectors<I>(std::min(together, pixels - p) * count, [f](auto& out, const auto& in, const auto& factor,
                                                                      const auto& term) {
                out = factor * in + term;
                f.value(out);
            }, values, values, scale, shift);
    });
}

/// Channels of images, or words of two, cut into equal chunks of at most `size`, which is at most `most`.
struct Chunks {
    static constexpr Index most = 256;
    Index channels = 0;
    Index count = 0;

    Chunks(Index all, Index size) : channels(all), count(ceil_div(all, size)) {}
    Range operator[](Index i) const { return part_of(channels, count, i); }
};

/// How rows of an image are laid out in a buffer: zeros around it, and `dilation - 1` zeros between its pixels.
struct PaddedRows {
    Index dilation = 1;
    Index padding = 0;  ///< may be negative: so many are cut off
    Index width = 0;    ///< of the buffer, pixels

    /// Writes `rows` rows from padded row `first` on of `channels`, contiguous, to `buffer`; channels that x has not
    /// are 0.
    template <class I>
    void pack(const CpuOperand<I>& x, Index frame, Index first, Index rows, Range channels, float* buffer) const {
        const Index count = channels.size();
        const Shape shape = x.parts().front().x.shape;
        const bool gaps = dilation > 1 || channels.last > x.shape().channels;
        for (Index r = 0; r < rows; ++r, buffer += width * count) {
            const Index row = first + r - padding;
            if (row < 0 || row % dilation != 0 || row / dilation >= shape.height) {
                std::fill_n(buffer, width * count, 0.0F);
                continue;
            }
            // The first pixel of the image that the buffer holds, where it comes to lie, and how many follow it.
            const Index skipped = padding < 0 ? ceil_div(-padding, dilation) : 0;
            const Index left = std::min(width, skipped * dilation + padding);
            const Index pixels = std::clamp<Index>(ceil_div(width - left, dilation), 0, shape.width - skipped);
            if (gaps) {
                std::fill_n(buffer, width * count, 0.0F);
            } else {
                std::fill_n(buffer, left * count, 0.0F);
                std::fill_n(buffer + (left + pixels) * count, (width - left - pixels) * count, 0.0F);
            }
            x.for_channels(channels.first, count, [&](const auto& part, Index channel, Index some, Index offset) {
                const float* from = part.x.at(frame, row / dilation, skipped) + channel;
                float* to = buffer + left * count + offset;
                if (part.x.stride == count && some == count && dilation == 1)
                    std::copy_n(from, pixels * count, to);
                else
                    for (Index p = 0; p < pixels; ++p)
                        copy_floats<I>(from + p * part.x.stride, some, to + p * dilation * count);
                apply_pending<I>(part, frame, channel, some, pixels, dilation * count, to);
            });
        }
    }
};

/// Output channels, cut into blocks of two vectors; the last may be narrower and is filled up with zeros.
template <class I>
struct Blocks {
    static constexpr Index wide = 2 * I::floats;
    Index channels = 0;
    Index count = 0;

    explicit Blocks(Index all) : channels(all), count(ceil_div(all, wide)) {}
    /// Channels of block `i`.
    Range operator[](Index i) const { return {i * wide, std::min(channels, (i + 1) * wide)}; }
    /// Vectors of block `i`: 1 or 2.
    int vectors(Index i) const { return (*this)[i].size() > I::floats ? 2 : 1; }
    /// Floats of block `i`.
    Index floats(Index i) const { return vectors(i) * I::floats; }
    /// Channels of all blocks, the filling included.
    Index padded() const { return count == 0 ? 0 : (count - 1) * wide + floats(count - 1); }
};

/// Weights as a convolution reads them: element (tap, in, out) of taps counted over rows and columns of the window,
/// times what `scale` has for the output. One of `in_step` and `out_step` is 1.
struct Weights {
    const float* data = nullptr;
    Index taps = 1;
    Index tap_step = 0;  ///< floats from one tap to the next; negative with `data` at the last tap: flipped
    Index in_step = 0;
    Index out_step = 0;
    const float* scale = nullptr;  ///< null: all 1; only where `out_step` is 1

    /// Those of a convolution (k, k, in, out), and of its way back to the data.
    template <class B, class T>
    static Weights of(const View<B, T>& w, const float* scale = nullptr) {
        return {w.data, w.shape.frames * w.shape.height, w.shape.width * w.stride, w.stride, 1, scale};
    }
    template <class B, class T>
    static Weights flipped(const View<B, T>& w) {
        const Index taps = w.shape.frames * w.shape.height, tap = w.shape.width * w.stride;
        return {w.data + (taps - 1) * tap, taps, -tap, 1, w.stride, nullptr};
    }

    /// Writes [block][chunk][tap][in][out of the block] to `packed`, of `taps * in * Blocks::padded()` floats; in
    /// bfloat16 words, of the inputs i and i + `in.channels`. There are `inputs` inputs.
    template <class I>
    void pack(Workspace& workspace, Index inputs, const Chunks& in, const Blocks<I>& out, float* packed) const {
        const bool pairs = workspace.precision == Precision::bfloat16;
        const auto place = [&](Index block, Range chunk, Index tap) {
            return packed + taps * in.channels * Blocks<I>::wide * block +
                   (taps * chunk.first + tap * chunk.size()) * out.floats(block);
        };
        if (out.padded() > out.channels) std::fill_n(packed, taps * in.channels * out.padded(), 0.0F);
        // Either way, what is read is read in the order of memory.
        if (out_step == 1)
            workspace.for_pieces(in.count, taps * in.channels * out.channels / in.count, [&](Range chunks) {
                for (Index chunk = chunks.first; chunk < chunks.last; ++chunk)
                    for (Index tap = 0; tap < taps; ++tap)
                        for (Index i = in[chunk].first; i < in[chunk].last; ++i)
                            for (Index block = 0; block < out.count; ++block) {
                                const Range outputs = out[block];
                                const float* from = data + tap * tap_step + i * in_step + outputs.first;
                                const float* other = from + in.channels * in_step;
                                float* to = place(block, in[chunk], tap) + (i - in[chunk].first) * out.floats(block);
                                const Index some = outputs.size(),
                                            others = pairs && i + in.channels < inputs ? some : 0;
                                float scaled[2][Blocks<I>::wide];
                                if (scale) {
                                    for (Index o = 0; o < some; ++o) scaled[0][o] = from[o] * scale[outputs.first + o];
                                    for (Index o = 0; o < others; ++o)
                                        scaled[1][o] = other[o] * scale[outputs.first + o];
                                    from = scaled[0];
                                    other = scaled[1];
                                }
                                if (pairs) pair_values<I>(from, other, others, some, to);
                                else copy_floats<I>(from, some, to);
                            }
            });
        else
            workspace.for_pieces(out.count, taps * in.channels * Blocks<I>::wide, [&](Range blocks) {
                for (Index block = blocks.first; block < blocks.last; ++block)
                    for (Index tap = 0; tap < taps; ++tap)
                        for (Index o = out[block].first; o < out[block].last; ++o)
                            for (Index chunk = 0; chunk < in.count; ++chunk) {
                                const Index first = in[chunk].first, some = in[chunk].size();
                                const float* from = data + tap * tap_step + o * out_step + first;
                                float* to = place(block, in[chunk], tap) + o - out[block].first;
                                float words[Chunks::most];
                                if (pairs) {
                                    pair_values<I>(from, from + in.channels,
                                                   std::min(some, inputs - in.channels - first), some, words);
                                    from = words;
                                }
                                for (Index i = 0; i < some; ++i) to[i * out.floats(block)] = from[i];
                            }
            });
    }
};

/// Rows of the largest register block with `Vectors` vectors.
template <class I, int Vectors>
inline constexpr int most_rows = Vectors == 2 ? I::pixels : std::max(I::pixels, 8);
template <class I, int Vectors>
inline constexpr int most_rows<Pairs<I>, Vectors> = Pairs<I>::pixels;

/// Rows of the next register block of `count` ones: full blocks, and at the end nearly equal ones; above 6, even ones.
constexpr Index next_rows(Index count, Index most) {
    if (count > 2 * most) return most;
    const Index rows = ceil_div(count, ceil_div(count, most));
    if (rows <= 6 || rows % 2 == 0) return rows;
    return rows < most && rows < count ? rows + 1 : rows - 1;
}

/// `Kernels::template get<Rows>()` by rows − 1, for the numbers of rows that `next_rows` asks for.
template <class Kernels, int Most>
inline constexpr auto kernel_table = []<int... r>(std::integer_sequence<int, r...>) {
    return std::array<decltype(Kernels::template get<1>()), sizeof...(r)>{[] {
        if constexpr (r + 1 <= 6 || (r + 1) % 2 == 0) return Kernels::template get<r + 1>();
        else return decltype(Kernels::template get<1>()){nullptr};
    }()...};
}(std::make_integer_sequence<int, Most>{});

}  // namespace mtdn::detail::cpu
