#pragma once

#include <type_traits>

#include <mtdn/backend/cuda/late_gradients.hpp>
#include <mtdn/backend/cuda/operand.hpp>

namespace mtdn::detail::cuda {

/// Refuses what kernels that count pixels in 32 bits cannot count.
constexpr void require_countable(const Shape& x) {
    require<BackendError>(x.pixels() <= INT32_MAX / 2 && x.channels <= INT32_MAX / 2, "a convolution of ", x,
                          " is larger than the CUDA kernels count; lower the batch or the size");
}

inline namespace MTDN_KERNELS {

/// 16 bytes of operands of tensor cores.
struct alignas(16) Unit {
    Word words[4];
};

/// 16 bytes as they are in memory.
struct alignas(16) Four {
    float values[4];
};

/// Where half of a row of 32 bytes lies, in units: of the row `place` of those from `start` on.
///
/// Every other four places have their halves swapped. So equal halves of any eight rows of one start, one after the
/// other, which is what tensor cores load at a time, lie in different banks; and equal eight bytes of any four do.
MTDN_DEVICE constexpr int unit_of(int start, int place, int half) {
    return 2 * (start + place) + (half ^ (place >> 2 & 1));
}

/// Rows of 32 bytes in shared memory, what one instruction multiplies: of pixels, a line of them from each start on, or
/// of channels. The address of what is a line further differs by a constant.
template <int Rows>
struct Tile {
    SharedArray<Unit, 2 * Rows> units;
    MTDN_DEVICE Unit& at(int start, int place, int half) { return units[unit_of(start, place, half)]; }
};

/// Products of rounded numbers: one pass over them, of what is in shared memory.
struct OnePass {
    static constexpr int resident = 2;  // blocks of a multiprocessor

    /// Adds to `sum` what add(pass, sum) adds to it, for all passes.
    template <class Sum, class Add>
    MTDN_DEVICE static void add_passes(Sum& sum, const Add& add) {
        add(std::integral_constant<int, 0>(), sum);
    }
    /// Makes what a pass multiplies of what has been loaded, as the left factor and as the right one.
    template <int Pass, class Block>
    MTDN_DEVICE static void take_left(Block&, Word (&)[4]) {}
    template <int Pass, class Block>
    MTDN_DEVICE static void take_right(Block&, Word (&)[4]) {}
};

/// Products of numbers rounded to bfloat16: rows of 16.
struct Bf16Cores : OnePass {
    static constexpr int depth = 16;

    /// Writes numbers 4·quad to 4·quad + 3 of a row; `row(half)` is its half.
    template <class Block, class Row>
    MTDN_DEVICE static void put(Block& block, const Row& row, int quad, const float (&values)[4]) {
        Unit& unit = row(quad / 2);
        unit.words[quad % 2 * 2] = block.bf16(values[0], values[1]);
        unit.words[quad % 2 * 2 + 1] = block.bf16(values[2], values[3]);
    }
    template <class Block>
    MTDN_DEVICE static void multiply(Block& block, float (&sum)[4], const Word (&a)[4], Word low, Word high) {
        block.multiply_bf16(sum, a, low, high);
    }
    // 16 channels by as many pixels as one instruction multiplies, those from `place` on in the line that begins at
    // `start`, as the left factor; `tile(i)` is the i-th of the tiles that have the channels.
    template <class Block, class Tiles>
    MTDN_DEVICE static void load_left(Block& block, const Tiles& tile, int start, int place, Word (&a)[4]) {
        const int lane = block.thread() % 32;
        block.load_columns(&tile(0).at(start, place + lane / 16 * 8 + lane % 8, lane / 8 % 2), a);
    }
    /// So many pixels by 16 channels as two right factors, the halves of each.
    template <class Block, class Tiles>
    MTDN_DEVICE static void load_right(Block& block, const Tiles& tile, int start, int place, Word (&b)[4]) {
        const int lane = block.thread() % 32;
        block.load_columns(&tile(0).at(start, place + lane % 16, lane / 16), b);
    }
};

/// Products of numbers rounded to TF32: rows of 8.
struct Tf32Cores : OnePass {
    static constexpr int depth = 8;

    template <class Block, class Row>
    MTDN_DEVICE static void put(Block& block, const Row& row, int quad, const float (&values)[4]) {
        Unit& unit = row(quad);
        MTDN_UNROLL
        for (int i = 0; i < 4; ++i) unit.words[i] = block.tf32(values[i]);
    }
    template <class Block>
    MTDN_DEVICE static void multiply(Block& block, float (&sum)[4], const Word (&a)[4], Word low, Word high) {
        block.multiply_tf32(sum, a, low, high);
    }
    // load_columns transposes numbers of 16 bits alone; a warp's threads read eight channels of four pixels, one after
    // the other, from different banks.
    template <class Block, class Tiles>
    MTDN_DEVICE static void load_left(Block& block, const Tiles& tile, int start, int place, Word (&a)[4]) {
        const int lane = block.thread() % 32, channel = lane / 4;
        MTDN_UNROLL
        for (int i = 0; i < 4; ++i)
            a[i] = tile(i % 2).at(start, place + i / 2 * 4 + lane % 4, channel / 4).words[channel % 4];
    }
    template <class Block, class Tiles>
    MTDN_DEVICE static void load_right(Block& block, const Tiles& tile, int start, int place, Word (&b)[4]) {
        const int lane = block.thread() % 32, channel = lane / 4;
        MTDN_UNROLL
        for (int i = 0; i < 4; ++i)
            b[i] = tile(i / 2).at(start, place + i % 2 * 4 + lane % 4, channel / 4).words[channel % 4];
    }
};

/// Products of numbers in single precision, each the sum of two in TF32, a big and a small one: in three passes, small
/// by big, big by small, and big by big. Small by small is below what a sum in single precision keeps.
///
/// Tensor cores are reported to cut sums off instead of rounding them. So each chunk's sums are added up apart, from
/// the smallest pass on, and rounded when they are added to the others; that takes the registers of two blocks.
///
/// @source Ootomo and Yokota 2022, "Recovering single precision accuracy from tensor cores while surpassing the FP32
///   theoretical peak performance"
struct Tf32x3Cores : Tf32Cores {
    static constexpr int resident = 1;

    template <class Block, class Row>
    MTDN_DEVICE static void put(Block&, const Row& row, int quad, const float (&values)[4]) {
        Unit& unit = row(quad);
        MTDN_UNROLL
        for (int i = 0; i < 4; ++i) unit.words[i] = __builtin_bit_cast(Word, values[i]);
    }
    template <class Sum, class Add>
    MTDN_DEVICE static void add_passes(Sum& sum, const Add& add) {
        Sum some = {};
        add(std::integral_constant<int, 0>(), some);
        add(std::integral_constant<int, 1>(), some);
        add(std::integral_constant<int, 2>(), some);
        accumulate(sum, some);
    }
    template <int Pass, class Block>
    MTDN_DEVICE static void take_left(Block& block, Word (&a)[4]) {
        take<Pass == 0>(block, a);
    }
    template <int Pass, class Block>
    MTDN_DEVICE static void take_right(Block& block, Word (&b)[4]) {
        take<Pass == 1>(block, b);
    }

private:
    template <bool Small, class Block>
    MTDN_DEVICE static void take(Block& block, Word (&words)[4]) {
        MTDN_UNROLL
        for (Word& word : words) {
            const Word big = block.tf32(__builtin_bit_cast(float, word));
            const float rest = __builtin_bit_cast(float, word) - __builtin_bit_cast(float, big);
            word = Small ? block.tf32(rest) : big;
        }
    }
    template <class T, int N>
    MTDN_DEVICE static void accumulate(T (&sum)[N], const T (&some)[N]) {
        MTDN_UNROLL
        for (int i = 0; i < N; ++i) {
            if constexpr (std::is_array_v<T>) accumulate(sum[i], some[i]);
            else sum[i] += some[i];
        }
    }
};

/// Calls f with the tensor cores' products that the queue's precision, which is not `single`, names.
template <class D, class F>
void by_cores(const Queue<D>& queue, const F& f) {
    if (queue.precision() == Precision::bfloat16) f(Bf16Cores());
    else if (queue.precision() == Precision::tf32) f(Tf32Cores());
    else f(Tf32x3Cores());
}

/// y(i, j) = activation(scale(j) · sum + bias(j)).
struct StoreActivated {
    Pixels<float> y;
    const float* scale;  // or null
    const float* bias;   // or null
    Activation activation;
    /// Before the activation.
    MTDN_DEVICE float linear(int j, float sum) const {
        return (scale ? scale[j] * sum : sum) + (bias ? bias[j] : 0.0F);
    }
    MTDN_DEVICE void operator()(int i, int j, float sum, int) const {
        y.at(i, j) = activated(activation, linear(j, sum));
    }
};

/// Whether an operand can be read by fours: each four channels lie in one part, at a multiple of 16 bytes.
template <class B>
bool by_fours(View<B, const float> x) {
    return x.stride % 4 == 0 && reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0;
}
template <class B>
bool by_fours(const Operand<B>& x) {
    Index begin = 0;
    for (const auto& part : x.parts()) {
        if (begin % 4 != 0 || !by_fours(part.x)) return false;
        begin += part.x.shape.channels;
    }
    return x.parts().size() <= Parts::capacity;
}

/// Four neighbouring channels of an operand's frame, and what is pending there.
struct FourChannels {
    const float* data = nullptr;
    Index stride = 0;
    int count = 0;  // of the four that there are
    float scale[4] = {1, 1, 1, 1}, shift[4] = {};
    Activation activation = Activation::identity;

    MTDN_DEVICE FourChannels(const Parts& x, int frame, int channel) {
        MTDN_UNROLL
        for (const auto& part : x.parts)
            if (channel >= part.begin && channel < part.end) {
                const auto c = static_cast<int>(channel - part.begin);
                data = part.data + c;
                stride = part.stride;
                count = static_cast<int>(part.end - channel < 4 ? part.end - channel : 4);
                activation = part.activation;
                if (part.scale) {
                    const Index at = split(frame, part.frames_in_group).quotient * part.vector_stride + c;
                    MTDN_UNROLL
                    for (int i = 0; i < 4; ++i)
                        if (i < count) {
                            scale[i] = part.scale[at + i];
                            shift[i] = part.shift[at + i];
                        }
                }
            }
    }

    /// Starts the way of a pixel's four to shared memory; zeros where there is none.
    template <class Block>
    MTDN_DEVICE void fetch(Block& block, Four& to, int, int pixel, bool there) const {
        block.copy(&to, there ? data + pixel * stride : data, there ? 4 * count : 0);
    }
    /// What the operand's reader takes for `raw`.
    MTDN_DEVICE void apply(const Four (&raw)[1], float (&values)[4]) const {
        MTDN_UNROLL
        for (int i = 0; i < 4; ++i) values[i] = activated(activation, scale[i] * raw[0].values[i] + shift[i]);
    }
};

/// Where the pixels of frames lie: every `step`-th, both ways, of frames of `step` times the rows and columns.
///
/// @tparam Stepped  whether the step may be other than 1, which costs registers
template <bool Stepped>
struct Grid {
    int height, width, step_of_frames;

    explicit Grid(const Shape& shape, int of_every = 1)
        : height(static_cast<int>(shape.height)), width(static_cast<int>(shape.width)), step_of_frames(of_every) {}
    MTDN_DEVICE int step() const { return Stepped ? step_of_frames : 1; }
    MTDN_DEVICE int pixel(int frame, int row, int column) const {
        return ((frame * height + row) * width * step() + column) * step();
    }
};

/// Rows × Columns pixels of `depth` channels of an operand, `Parts` or `LateGradients`, in shared memory: as they come,
/// and as they are multiplied.
///
/// What an operand's reader takes for them is formed on the way from one to the other, by the thread that fetched them.
/// Outside of the image there are zeros: padding is of what is normalised.
template <class Cores, int Rows, int Columns, class Source = Parts>
struct Region {
    using Fours = typename Source::Fours;
    static constexpr int pixels = Rows * Columns, quads = Cores::depth / 4;
    SharedArray<SharedArray<Four, pixels * quads>, Source::values> raw;
    Tile<pixels> tile;

    /// Where it lies: its first pixel, which may be outside of the image, and its first channel.
    struct Place {
        int frame, row, column, channel;
    };

    /// Starts the way of the pixels to shared memory.
    template <int Threads, class Block, bool Stepped>
    MTDN_DEVICE void fetch(Block& block, const Source& x, const Grid<Stepped>& grid, const Place& place) {
        // A thread has the same four channels of each of its pixels.
        const int thread = computed_here(block.thread()), quad = thread % quads;
        const Fours four(x, place.frame, place.channel + 4 * quad);
        MTDN_ROLL
        for (int p = thread / quads; p < pixels; p += Threads / quads) {
            const int pixel = number(grid, place, p);
            MTDN_UNROLL
            for (int v = 0; v < Source::values; ++v)
                four.fetch(block, raw[v][p * quads + quad], v, pixel, pixel >= 0 && four.count > 0);
        }
    }

    /// Makes the tile of what has arrived.
    template <int Threads, class Block, bool Stepped>
    MTDN_DEVICE void convert(Block& block, const Source& x, const Grid<Stepped>& grid, const Place& place) {
        const int thread = computed_here(block.thread()), quad = thread % quads;
        const Fours four(x, place.frame, place.channel + 4 * quad);
        MTDN_ROLL
        for (int p = thread / quads; p < pixels; p += Threads / quads) {
            float values[4] = {};
            if (number(grid, place, p) >= 0) {
                Four from[Source::values];
                MTDN_UNROLL
                for (int v = 0; v < Source::values; ++v) from[v] = raw[v][p * quads + quad];
                four.apply(from, values);
            }
            const int line = p / Columns * Columns;
            Cores::put(block, [&](int half) -> Unit& { return tile.at(line, p - line, half); }, quad, values);
        }
    }

private:
    /// The image's pixel that is number `p` here; negative where there is none.
    template <bool Stepped>
    MTDN_DEVICE static int number(const Grid<Stepped>& grid, const Place& place, int p) {
        const int row = place.row + p / Columns, column = place.column + p % Columns;
        const bool there = row >= 0 && row < grid.height && column >= 0 && column < grid.width;
        return there ? grid.pixel(place.frame, row, column) : -1;
    }
};

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
