#pragma once

#include <span>

#include <mtdn/autograd/variable.hpp>

namespace mtdn {

/// The frames named, in the order named; a frame may be named any number of times.
///
/// @shape (N, H, W, C) → (number of indices, H, W, C)
/// @throws ShapeError if an index is not in [0, N)
template <Backend B>
Variable<B> gather_frames(const Variable<B>& x, std::span<const Index> indices) {
    const Shape in = x.shape();
    for (const Index i : indices)
        require<ShapeError>(i >= 0 && i < in.frames, "gather_frames: frame ", i, " of ", in.frames);
    Tensor<B> y(x.backend(), in.with_frames(static_cast<Index>(indices.size())));
    x.backend().gather_frames(value_of(x), indices, y);
    const bool needed = x.needs_gradient();
    return record_result<B>(x.tape(), needed, std::move(y),
                            [places = GradientPlaces<B>(x), in,
                             kept = needed ? x.tape()->keep(indices) : indices](Tape<B>& tape, const Tensor<B>& dy) {
                                Tensor<B> dx(tape.backend(), in);
                                tape.backend().fill(dx, 0);
                                tape.backend().gather_frames_backward(dy, kept, dx);
                                places.add(tape, dx);
                            });
}

}  // namespace mtdn
