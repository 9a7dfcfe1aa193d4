#pragma once

#include <span>
#include <utility>

#include <mtdn/autograd/variable.hpp>

namespace mtdn {

namespace detail {
inline void require_frames_to_combine(const Shape& a, std::span<const Index> of_a, const Shape& b,
                                      std::span<const Index> of_b) {
    require<ShapeError>(a.with_frames(0) == b.with_frames(0), "combine_frames: ", a, " and ", b,
                        " differ in more than their frames");
    require<ShapeError>(of_a.size() == of_b.size(), "combine_frames: ", of_a.size(), " and ", of_b.size(), " indices");
    for (const Index i : of_a)
        require<ShapeError>(i >= 0 && i < a.frames, "combine_frames: frame ", i, " of ", a.frames);
    for (const Index i : of_b)
        require<ShapeError>(i >= 0 && i < b.frames, "combine_frames: frame ", i, " of ", b.frames);
}
}  // namespace detail

/// α a + β b of frames named: frame i is α a[of_a[i]] + β b[of_b[i]].
///
/// @shape a (N, H, W, C), b (M, H, W, C) → (number of indices, H, W, C)
/// @throws ShapeError if an index is out of range, their numbers differ, or the shapes in more than the frames
template <Backend B>
Variable<B> combine_frames(double alpha, const Variable<B>& a, std::span<const Index> of_a, double beta,
                           const Variable<B>& b, std::span<const Index> of_b) {
    detail::require_frames_to_combine(a.shape(), of_a, b.shape(), of_b);
    require_common_tape(a, b);
    Tape<B>* tape = b.needs_gradient() || !a.tape() ? b.tape() : a.tape();
    const bool needed = a.needs_gradient() || b.needs_gradient();
    Tensor<B> y(a.backend(), a.shape().with_frames(static_cast<Index>(of_a.size())));
    a.backend().combine_frames(alpha, value_of(a), of_a, beta, value_of(b), of_b, Tensor<B>{}, Activation::identity, y);
    struct Side {
        GradientPlaces<B> places;
        bool needed;
        Shape shape;
        double factor;
        std::span<const Index> indices;

        void carry(Tape<B>& t, const Tensor<B>& dy) const {
            if (!needed) return;
            const Tensor<B> dx = places.room(t, shape);
            t.backend().fill(dx, 0);
            t.backend().gather_frames_backward(dy, indices, dx);
            if (factor != 1) t.backend().scale(dx, factor);
            places.add(t, dx);
        }
    };
    const auto side = [&](const Variable<B>& x, double factor, std::span<const Index> indices) {
        return Side{GradientPlaces<B>(x), x.needs_gradient(), x.shape(), factor,
                    needed ? tape->keep(indices) : indices};
    };
    return record_result<B>(tape, needed, std::move(y),
                            [left = side(a, alpha, of_a), right = side(b, beta, of_b)](Tape<B>& t,
                                                                                       const Tensor<B>& dy) {
                                left.carry(t, dy);
                                right.carry(t, dy);
                            });
}

}  // namespace mtdn
