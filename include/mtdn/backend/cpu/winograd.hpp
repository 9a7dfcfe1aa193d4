#pragma once

#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/packing.hpp>
#include <mtdn/backend/cpu/simd.hpp>
#include <mtdn/backend/cpu/workspace.hpp>

/// Winograd's F(4×4, 3×3): the 4×4 outputs of a 3×3 correlation that one 6×6 patch of its input gives, by 36 products
/// instead of 144. With w the window, x the patch and ⊙ the product of elements,
///
///     y = Aᵀ ((G w Gᵀ) ⊙ (Bᵀ x B)) A
///
/// and, dy being the gradients of y, dw = Gᵀ ((Bᵀ x B) ⊙ (A dy Aᵀ)) G. The matrices follow from six points at which
/// polynomials are evaluated: 0, ±p, ±q and ∞. The field's usual ±1, ±2 lose more than twice as many digits.
///
/// @source Lavin and Gray 2016; Barabasz et al. 2020 for the choice of points
namespace mtdn::detail::cpu::winograd {

inline constexpr Index tile = 4;        ///< outputs along a side
inline constexpr Index positions = 36;  ///< products

inline constexpr float p = 11.0F / 16, q = 3.0F / 2;
inline constexpr float p2 = p * p, q2 = q * q, p3 = p * p2, q3 = q * q2;
inline constexpr float n0 = 1 / (p2 * q2), np = 1 / (2 * p2 * (p2 - q2)), nq = 1 / (2 * q2 * (q2 - p2));

/// One line of the input's transform: Bᵀ x.
struct Input {
    static constexpr int in = 6, out = 6;
    template <class V>
    MTDN_ALWAYS_INLINE static void apply(const V* x, V* t) {
        const V even_p = x[4] - q2 * x[2], odd_p = p * (x[3] - q2 * x[1]);
        const V even_q = x[4] - p2 * x[2], odd_q = q * (x[3] - p2 * x[1]);
        t[0] = p2 * q2 * x[0] + (x[4] - (p2 + q2) * x[2]);
        t[1] = even_p + odd_p;
        t[2] = even_p - odd_p;
        t[3] = even_q + odd_q;
        t[4] = even_q - odd_q;
        t[5] = p2 * q2 * x[1] + (x[5] - (p2 + q2) * x[3]);
    }
};

/// One line of the weights' transform: G w.
struct Weight {
    static constexpr int in = 3, out = 6;
    template <class V>
    MTDN_ALWAYS_INLINE static void apply(const V* w, V* t) {
        const V even_p = np * w[0] + (np * p2) * w[2], odd_p = (np * p) * w[1];
        const V even_q = nq * w[0] + (nq * q2) * w[2], odd_q = (nq * q) * w[1];
        t[0] = n0 * w[0];
        t[1] = even_p + odd_p;
        t[2] = even_p - odd_p;
        t[3] = even_q + odd_q;
        t[4] = even_q - odd_q;
        t[5] = w[2];
    }
};

/// One line of the way to the output: Aᵀ m.
struct Output {
    static constexpr int in = 6, out = 4;
    template <class V>
    MTDN_ALWAYS_INLINE static void apply(const V* m, V* y) {
        const V even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
        y[0] = m[0] + even_p + even_q;
        y[1] = p * odd_p + q * odd_q;
        y[2] = p2 * even_p + q2 * even_q;
        y[3] = p3 * odd_p + (q3 * odd_q + m[5]);
    }
};

/// One line of the output gradient's transform: A dy.
struct OutputGradient {
    static constexpr int in = 4, out = 6;
    template <class V>
    MTDN_ALWAYS_INLINE static void apply(const V* y, V* t) {
        const V even_p = y[0] + p2 * y[2], odd_p = p * y[1] + p3 * y[3];
        const V even_q = y[0] + q2 * y[2], odd_q = q * y[1] + q3 * y[3];
        t[0] = y[0];
        t[1] = even_p + odd_p;
        t[2] = even_p - odd_p;
        t[3] = even_q + odd_q;
        t[4] = even_q - odd_q;
        t[5] = y[3];
    }
};

/// One line of the way to the weights' gradient: Gᵀ g.
struct Gradient {
    static constexpr int in = 6, out = 3;
    template <class V>
    MTDN_ALWAYS_INLINE static void apply(const V* g, V* w) {
        const V even_p = np * (g[1] + g[2]), odd_p = np * (g[1] - g[2]);
        const V even_q = nq * (g[3] + g[4]), odd_q = nq * (g[3] - g[4]);
        w[0] = n0 * g[0] + even_p + even_q;
        w[1] = p * odd_p + q * odd_q;
        w[2] = p2 * even_p + (q2 * even_q + g[5]);
    }
};

/// Both dimensions: `read(i, j, vector)` gives element (i, j), `write(i, j, vector)` takes one of the result. Only one
/// of the two indices is written out: with both, addresses would outnumber the registers.
template <class I, class Line, class Read, class Write>
MTDN_ALWAYS_INLINE inline void transform(Read&& read, Write&& write) {
    Vector<I> half[Line::out][Line::in];
#pragma GCC unroll 1
    for (Index i = 0; i < Line::in; ++i) {
        Vector<I> x[Line::in], t[Line::out];
        unroll<Line::in>([&](auto j) MTDN_ALWAYS_INLINE { read(i, Index{j}, x[j]); });
        Line::apply(x, t);
        unroll<Line::out>([&](auto j) MTDN_ALWAYS_INLINE { half[j][i] = t[j]; });
    }
#pragma GCC unroll 1
    for (Index j = 0; j < Line::out; ++j) {
        Vector<I> t[Line::out];
        Line::apply(half[j], t);
        unroll<Line::out>([&](auto i) MTDN_ALWAYS_INLINE { write(Index{i}, j, t[i]); });
    }
}

/// The tiles of `frames` images of outputs, counted over frames, rows and columns.
struct Tiles {
    Index frames = 0, height = 0, width = 0;  ///< outputs

    Index rows() const { return ceil_div(height, tile); }
    Index columns() const { return ceil_div(width, tile); }
    Index count() const { return frames * rows() * columns(); }
    /// Row of tile i, counted over all frames.
    Index line(Index i) const { return i / columns(); }

    struct Place {
        Index frame, row, column;  ///< of the first output
    };
    Place operator[](Index i) const {
        return {i / (rows() * columns()), i / columns() % rows() * tile, i % columns() * tile};
    }
};

/// Values of some tiles at the 36 positions, or at six of them: [position][tile][channel]. Channels are filled up to
/// whole vectors, and positions are a cache line further apart than they need be, or all of them would fall into one
/// set of the cache.
template <class I>
struct Transformed {
    Index tiles = 0;     ///< that lie between two positions
    Index channels = 0;  ///< whole vectors
    float* data = nullptr;

    static Index padded(Index channels) { return ceil_div(channels, I::floats) * I::floats; }
    static Index step(Index tiles, Index channels) { return tiles * padded(channels) + 16; }
    static Index floats(Index tiles, Index channels, Index some = positions) { return some * step(tiles, channels); }

    Transformed(Index tiles_, Index channels_, float* data_)
        : tiles(tiles_), channels(padded(channels_)), data(data_) {}
    Index step() const { return tiles * channels + 16; }
    float* at(Index position, Index i) const { return data + position * step() + i * channels; }
};

/// Transforms the patches around a run of tiles in two passes: first the columns of all of them, which neighbours
/// share; then, for one of the six lines that this gives at a time, the rows. What lies outside of the images is zero.
template <class I, class Line>
class PatchTransform {
public:
    PatchTransform(const CpuOperand<I>& x, const Tiles& tiles, Index padding)
        : x_(x), shape_(x.shape()), tiles_(tiles), padding_(padding),
          channels_(Transformed<I>::padded(shape_.channels)) {
        x.for_channels(0, shape_.channels, [&](const auto& part, Index, Index count, Index) {
            in_place_ = in_place_ && count % I::floats == 0 && (!part.pending() || part.activation == Activation::relu);
        });
    }

    /// What the first pass leaves of a run: [line][column][channel].
    struct Columns {
        Range run{};
        float* data = nullptr;
        Index step = 0;  ///< from one line to the next
    };
    /// Floats that the first pass takes for `count` tiles.
    Index floats(Index count) const {
        const Index strips = (count - 1) / tiles_.columns() + 2;
        return Line::out * ((tile * count + shared * strips) * channels_ + 16) + side * some * channels_;
    }

    /// First pass of the tiles `run`; `data` has room for `floats(run.size())`.
    Columns columns(Range run, float* data) const {
        const Index strips = tiles_.line(run.last - 1) - tiles_.line(run.first) + 1;
        const Columns to{run, data, (tile * run.size() + shared * strips) * channels_ + 16};
        float* edge = data + Line::out * to.step;
        for (Index i = run.first; i < run.last;) {
            const Index end = std::min(run.last, (tiles_.line(i) + 1) * tiles_.columns());
            const auto [frame, row, column] = tiles_[i];
            const Index count = tile * (end - i) + shared;
            transform_strip(frame, row - padding_, column - padding_, count, data, to.step, edge);
            data += count * channels_;
            i = end;
        }
        return to;
    }

    /// Second pass of one line and some tiles of the run: six positions of `to` from `position` and tile `first` on.
    void rows(const Columns& from, Index line, Range tiles, const Transformed<I>& to, Index position,
              Index first) const {
        const Index above = tiles_.line(tiles.first) - tiles_.line(from.run.first), step = to.step();
        const Index column = tile * (tiles.first - from.run.first) + shared * above;
        const float* x = from.data + line * from.step + column * channels_;
        Index left = (tiles_.line(tiles.first) + 1) * tiles_.columns() - tiles.first;  // of the tiles in this row
        for (Index i = 0; i < tiles.size(); ++i, x += tile * channels_) {
            if (left-- == 0) {
                left = tiles_.columns() - 1;
                x += shared * channels_;
            }
            float* into = to.at(position, first + i);
            for (Index c = 0; c < channels_; c += I::floats) {
                Vector<I> in[side], out[Line::out];
                unroll<side>([&](auto j) MTDN_ALWAYS_INLINE { load(x + j * channels_ + c, in[j]); });
                Line::apply(in, out);
                unroll<Line::out>([&](auto j) MTDN_ALWAYS_INLINE { store(out[j], into + j * step + c); });
            }
        }
    }

    /// Both passes of the tiles `run`, to all positions of `to` from tile `first` on.
    void all(Workspace& workspace, Range run, const Transformed<I>& to, Index first) const {
        constexpr Index most = 64;
        const Scratch memory = workspace.scratch(floats(std::min(most, run.size())));
        const Index cuts = ceil_div(run.size(), most);
        for (Index cut = 0; cut < cuts; ++cut) {
            const Range part = part_of(run.size(), cuts, cut);
            const Range tiles{run.first + part.first, run.first + part.last};
            const Columns half = columns(tiles, memory.data());
            for (Index line = 0; line < Line::out; ++line)
                rows(half, line, tiles, to, line * Line::out, first + part.first);
        }
    }

private:
    static constexpr Index side = Line::in, shared = side - tile;
    static constexpr Index some = 32;  // columns that are put together at the images' edges

    // `count` columns of the images from (row, column) on.
    void transform_strip(Index frame, Index row, Index column, Index count, float* to, Index step, float* edge) const {
        const Index left = std::clamp<Index>(-column, 0, count), right = std::clamp(shape_.width - column, left, count);
        if (!in_place_ || row < 0 || row + side > shape_.height) {
            for (Index first = 0; first < count; first += some) {
                const Index pixels = std::min(some, count - first);
                gather(frame, row, column + first, pixels, edge);
                transform_columns(edge, pixels * channels_, channels_, pixels, channels_, to + first * channels_, step,
                                  [](Index, Vector<I>&) {});
            }
            return;
        }
        for (Index line = 0; line < Line::out; ++line) {
            std::fill_n(to + line * step, left * channels_, 0.0F);
            std::fill_n(to + line * step + right * channels_, (count - right) * channels_, 0.0F);
        }
        if (right == left) return;
        x_.for_channels(0, shape_.channels, [&](const auto& part, Index, Index some_channels, Index offset) {
            const float* from = part.x.at(frame, row, column + left);
            const Index row_step = shape_.width * part.x.stride;
            float* into = to + left * channels_ + offset;
            if (!part.pending())
                return transform_columns(from, row_step, part.x.stride, right - left, some_channels, into, step,
                                         [](Index, Vector<I>&) {});
            const float* scale = part.scale.pixel(part.group(frame));
            const float* shift = part.shift.pixel(part.group(frame));
            transform_columns(from, row_step, part.x.stride, right - left, some_channels, into, step,
                              [=](Index c, Vector<I>& v) MTDN_ALWAYS_INLINE {
                                  Vector<I> factor, term;
                                  load(scale + c, factor);
                                  load(shift + c, term);
                                  v = factor * v + term;
                                  Activate<I, Activation::relu>::value(v);
                              });
        });
    }

    template <class Finish>
    void transform_columns(const float* from, Index row_step, Index pixel_step, Index pixels, Index count, float* into,
                           Index step, Finish&& finish) const {
        for (Index i = 0; i < pixels; ++i, from += pixel_step, into += channels_)
            for (Index c = 0; c < count; c += I::floats) {
                Vector<I> in[side], out[Line::out];
                unroll<side>([&](auto r) MTDN_ALWAYS_INLINE {
                    load(from + r * row_step + c, in[r]);
                    finish(c, in[r]);
                });
                Line::apply(in, out);
                unroll<Line::out>([&](auto r) MTDN_ALWAYS_INLINE { store(out[r], into + r * step + c); });
            }
    }

    // Columns with zeros around the image: [row][column][channel].
    void gather(Index frame, Index row, Index column, Index pixels, float* edge) const {
        std::fill_n(edge, side * pixels * channels_, 0.0F);
        const Index left = std::clamp<Index>(-column, 0, pixels),
                    right = std::clamp(shape_.width - column, left, pixels);
        if (right == left) return;
        for (Index r = std::max<Index>(0, -row); r < std::min(side, shape_.height - row); ++r)
            x_.for_channels(0, shape_.channels, [&](const auto& part, Index, Index count, Index offset) {
                float* to = edge + (r * pixels + left) * channels_ + offset;
                for (Index s = left; s < right; ++s)
                    copy_floats<I>(part.x.at(frame, row + r, column + s), count, to + (s - left) * channels_);
                apply_pending<I>(part, frame, 0, count, right - left, channels_, to);
            });
    }

    CpuOperand<I> x_;
    Shape shape_;
    Tiles tiles_;
    Index padding_, channels_;
    bool in_place_ = true;
};

}  // namespace mtdn::detail::cpu::winograd
