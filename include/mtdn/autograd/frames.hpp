#pragma once

#include <span>

#include <mtdn/autograd/variable.hpp>

namespace mtdn {

/// `count` frames from `first` on; shares the values, pending normalisations as they are, unless a group of theirs is
/// cut.
///
/// @shape (N, H, W, C) → (count, H, W, C)
/// @throws ShapeError if there are not so many
template <Backend B>
Variable<B> slice_frames(const Variable<B>& x, Index first, Index count) {
    const Index frames = x.shape().frames;
    require<ShapeError>(first >= 0 && count >= 0 && first + count <= frames, "slice_frames: frames ", first, " to ",
                        first + count, " of a value of ", frames);
    for (const auto& part : x.parts()) {
        const Index group = part.pending ? frames / part.pending.scale.shape().frames : frames;
        const bool whole = first % group == 0 && count % group == 0, within = first % group + count <= group;
        if (!whole && !within) return slice_frames(materialise(x), first, count);
    }
    const bool needed = x.needs_gradient();
    Variable<B> slice;
    for (const auto& part : x.parts()) {
        ChannelPart<B> piece{part.tensor.frames(first, count)};
        if (part.pending) {
            const Index group = frames / part.pending.scale.shape().frames, groups = (count + group - 1) / group;
            // Without the mean: the norm sums the gradients of all frames at once.
            piece.pending = {part.pending.scale.frames(first / group, groups),
                             part.pending.shift.frames(first / group, groups), part.pending.activation};
        }
        if (needed && part.place != Tape<B>::no_place) {
            piece.place = x.tape()->new_place();
            x.tape()->record([from = piece.place, to = part.place, shape = part.tensor.shape(), first](Tape<B>& tape) {
                if (const Tensor<B> dy = tape.take_gradient(from); !dy.empty())
                    tape.add_gradient_of_frames(to, shape, first, dy);
            });
        }
        Variable<B> next(std::move(piece), x.tape());
        if (slice.empty()) slice = std::move(next);
        else slice.append(next);
    }
    return slice;
}

/// Whether indices count up by one.
inline bool are_consecutive(std::span<const Index> indices) {
    for (std::size_t i = 1; i < indices.size(); ++i)
        if (indices[i] != indices[i - 1] + 1) return false;
    return !indices.empty();
}

/// The frames named, in the order named; a frame may be named any number of times. Consecutive ones share the values.
///
/// @shape (N, H, W, C) → (number of indices, H, W, C)
/// @throws ShapeError if an index is not in [0, N)
template <Backend B>
Variable<B> gather_frames(const Variable<B>& x, std::span<const Index> indices) {
    const Shape in = x.shape();
    for (const Index i : indices)
        require<ShapeError>(i >= 0 && i < in.frames, "gather_frames: frame ", i, " of ", in.frames);
    if (are_consecutive(indices)) return slice_frames(x, indices.front(), static_cast<Index>(indices.size()));
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
