#pragma once

#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/packing.hpp>
#include <mtdn/backend/cpu/simd.hpp>

/// Winograd's F(4×4, 3×3): the 4×4 outputs of a 3×3 correlation that one 6×6 patch of its input gives, by 36 products
/// instead of 144. With w the window, x the patch and ⊙ the product of elements,
///
///     y = Aᵀ ((G w Gᵀ) ⊙ (Bᵀ x B)) A
///
/// and, dy being the slopes of y, dw = Gᵀ ((Bᵀ x B) ⊙ (A dy Aᵀ)) G. The matrices follow from six points at which
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

/// One line of the slopes' transform: A dy.
struct Slope {
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

    struct Place {
        Index frame, row, column;  ///< of the first output
    };
    Place operator[](Index i) const {
        return {i / (rows() * columns()), i / columns() % rows() * tile, i % columns() * tile};
    }
};

/// Values of some tiles at the 36 positions: [position][tile][channel]. Channels are filled up to whole vectors, and
/// positions are a cache line further apart than they need be, or all of them would fall into one set of the cache.
template <class I>
struct Transformed {
    Index tiles = 0;     ///< that lie between two positions
    Index channels = 0;  ///< whole vectors
    float* data = nullptr;

    static Index padded(Index channels) { return ceil_div(channels, I::floats) * I::floats; }
    static Index step(Index tiles, Index channels) { return tiles * padded(channels) + 16; }
    static Index floats(Index tiles, Index channels) { return positions * step(tiles, channels); }

    Transformed(Index tiles_, Index channels_, float* data_)
        : tiles(tiles_), channels(padded(channels_)), data(data_) {}
    Index step() const { return tiles * channels + 16; }
    float* at(Index position, Index i) const { return data + position * step() + i * channels; }
    /// The same from tile `i` on.
    Transformed from(Index i) const {
        Transformed rest = *this;
        rest.data += i * channels;
        return rest;
    }
};

/// Transforms squares of an operand's images, `Line::in` pixels a side, all channels.
template <class I, class Line>
class SquareTransform {
public:
    explicit SquareTransform(const CpuOperand<I>& x) : x_(x), shape_(x.shape()) {
        x.for_channels(0, shape_.channels, [&](const auto& part, Index, Index count, Index) {
            in_place_ = in_place_ && count % I::floats == 0 && (!part.pending() || part.activation == Activation::relu);
        });
    }

    /// Square whose first pixel is (row, column), which may lie outside, where all is zero, to tile i. `edge` has room
    /// for one square.
    void operator()(Index frame, Index row, Index column, const Transformed<I>& to, Index i, float* edge) const {
        const bool inside = row >= 0 && column >= 0 && row + side <= shape_.height && column + side <= shape_.width;
        if (!inside || !in_place_) {
            gather(frame, row, column, to.channels, edge);
            return transform_channels(edge, side * to.channels, to.channels, to.channels, to.at(0, i), to.step(),
                                      [](Index, Vector<I>&) {});
        }
        x_.for_channels(0, shape_.channels, [&](const auto& part, Index, Index count, Index offset) {
            const float* from = part.x.at(frame, row, column);
            const Index row_step = shape_.width * part.x.stride;
            // What the square to the right does not share with this one.
            for (Index r = 0; r < side; ++r)
                for (Index s = side; s < side + tile; ++s)
                    for (Index c = 0; c < count; c += 16) __builtin_prefetch(from + r * row_step + s * part.x.stride + c);
            float* into = to.at(0, i) + offset;
            if (!part.pending())
                return transform_channels(from, row_step, part.x.stride, count, into, to.step(),
                                          [](Index, Vector<I>&) {});
            const float* scale = part.scale.pixel(part.group(frame));
            const float* shift = part.shift.pixel(part.group(frame));
            transform_channels(from, row_step, part.x.stride, count, into, to.step(),
                               [=](Index c, Vector<I>& v) MTDN_ALWAYS_INLINE {
                                   Vector<I> factor, term;
                                   load(scale + c, factor);
                                   load(shift + c, term);
                                   v = factor * v + term;
                                   Activate<I, Activation::relu>::value(v);
                               });
        });
    }

private:
    static constexpr Index side = Line::in;

    template <class Finish>
    static void transform_channels(const float* from, Index row_step, Index pixel_step, Index count, float* into,
                                   Index step, Finish&& finish) {
        for (Index c = 0; c < count; c += I::floats)
            transform<I, Line>(
                [&](Index r, Index s, Vector<I>& v) MTDN_ALWAYS_INLINE {
                    load(from + r * row_step + s * pixel_step + c, v);
                    finish(c, v);
                },
                [&](Index r, Index s, const Vector<I>& v) MTDN_ALWAYS_INLINE {
                    store(v, into + (r * Line::out + s) * step + c);
                });
    }

    void gather(Index frame, Index row, Index column, Index step, float* edge) const {
        std::fill_n(edge, side * side * step, 0.0F);
        const Index left = std::max<Index>(0, -column), right = std::min(side, shape_.width - column);
        for (Index r = std::max<Index>(0, -row); r < std::min(side, shape_.height - row); ++r)
            x_.for_channels(0, shape_.channels, [&](const auto& part, Index, Index count, Index offset) {
                float* to = edge + (r * side + left) * step + offset;
                for (Index s = left; s < right; ++s)
                    copy_floats<I>(part.x.at(frame, row + r, column + s), count, to + (s - left) * step);
                apply_pending<I>(part, frame, 0, count, right - left, step, to);
            });
    }

    CpuOperand<I> x_;
    Shape shape_;
    bool in_place_ = true;
};

}  // namespace mtdn::detail::cpu::winograd
