#pragma once

#include <utility>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/autograd/tape.hpp>
#include <mtdn/backend/joint_convolutions.hpp>
#include <mtdn/core/inline_vector.hpp>

namespace mtdn {

/// A normalisation that the reader of a tensor still has to apply: activation(scale · x + shift).
///
/// @shape scale, shift (g, 1, 1, C), one row for each of g equal runs of frames
template <Backend B>
struct PendingNormalisation {
    Tensor<B> scale;
    Tensor<B> shift;
    Activation activation = Activation::identity;
    Tensor<B> mean{};  ///< like scale, of all that a norm gives whose way back takes `GradientSums`; else empty

    explicit operator bool() const { return !scale.empty(); }
};

/// Some channels of a variable: a tensor, perhaps with a pending normalisation, and the place of its gradient.
template <Backend B>
struct ChannelPart {
    Tensor<B> tensor;
    PendingNormalisation<B> pending{};
    typename Tape<B>::Place place = Tape<B>::no_place;
};

/// Mean and biased variance of a batch, one row for each group of frames; or none.
///
/// @shape mean, variance (g, 1, 1, C)
template <Backend B>
struct BatchStatistics {
    Tensor<B> mean;
    Tensor<B> variance;

    explicit operator bool() const { return !mean.empty(); }
};

template <Backend B>
void require_common_tape(const Variable<B>& a, const Variable<B>& b);

/// A value, (frames, height, width, channels), with a place on a tape, or on none.
///
/// It consists of one or more channel parts, so that concatenation copies nothing and a normalisation writes
/// nothing. Read it by `value_of(x)`; operations of one's own carry gradients by
/// `add_gradient`, or by `GradientPlaces` where the way back does not read x again.
template <Backend B>
class Variable {
public:
    using Place = typename Tape<B>::Place;
    using Parts = InlineVector<ChannelPart<B>, 4>;

    Variable() = default;
    /// A constant: on no tape.
    explicit Variable(Tensor<B> value) { parts_.push_back({std::move(value), {}, Tape<B>::no_place}); }
    /// A value on a tape.
    Variable(Tensor<B> value, Tape<B>* tape, Place place) : Variable({std::move(value), {}, place}, tape) {}
    /// A part on a tape.
    Variable(ChannelPart<B> part, Tape<B>* tape) : tape_(tape), recording_(tape ? tape->recording() : 0) {
        parts_.push_back(std::move(part));
    }

    bool empty() const { return parts_.empty(); }
    B& backend() const { return parts_.front().tensor.backend(); }
    const Parts& parts() const { return parts_; }

    Shape shape() const {
        Shape shape = parts_.front().tensor.shape();
        for (std::size_t i = 1; i < parts_.size(); ++i) shape.channels += parts_[i].tensor.shape().channels;
        return shape;
    }

    /// The tape that operations on this value record on, or null.
    Tape<B>* tape() const { return tape_; }
    std::uint64_t recording() const { return recording_; }

    /// Whether a gradient is wanted for any part.
    ///
    /// @throws Error if one is, and the value is of an earlier recording of its tape
    bool needs_gradient() const {
        for (const auto& part : parts_) {
            if (part.place == Tape<B>::no_place) continue;
            require<Error>(recording_ == tape_->recording(),
                           "Variable: the value is of an earlier recording of its tape; compute it anew, or go on from "
                           "Variable(value_of(x)), a constant");
            return true;
        }
        return false;
    }

    /// Whether the value is one tensor with nothing pending.
    bool is_plain() const { return parts_.size() == 1 && !parts_.front().pending; }

    /// More channels behind these.
    ///
    /// @throws Error if gradients of both are wanted on different tapes
    void append(const Variable& other) {
        const bool follow = !tape_ || other.needs_gradient();
        require_common_tape(*this, other);
        for (const auto& part : other.parts_) parts_.push_back(part);
        if (follow) {
            tape_ = other.tape_;
            recording_ = other.recording_;
        }
    }

private:
    Parts parts_;
    Tape<B>* tape_ = nullptr;
    std::uint64_t recording_ = 0;
};

/// @throws Error if gradients of both are wanted on different tapes
template <Backend B>
void require_common_tape(const Variable<B>& a, const Variable<B>& b) {
    require<Error>(!a.needs_gradient() || !b.needs_gradient() || a.tape() == b.tape(),
                   "Variable: operands of one operation are on different tapes");
}

/// The value of a variable as one tensor: its own if it is plain, else a fresh one with its parts side by side and
/// pending normalisations applied.
template <Backend B>
Tensor<B> value_of(const Variable<B>& x) {
    if (x.is_plain()) return x.parts().front().tensor;
    B& backend = x.backend();
    Tensor<B> value(backend, x.shape());
    Index channel = 0;
    for (const auto& part : x.parts()) {
        const Index count = part.tensor.shape().channels;
        const Tensor<B> slice = value.channels(channel, count);
        if (part.pending)
            backend.normalise(part.tensor, part.pending.scale, part.pending.shift, part.pending.activation, slice);
        else
            backend.copy(part.tensor, slice);
        channel += count;
    }
    return value;
}

/// A variable as an operation reads it that takes an `Operand`: its parts, pending normalisations as they are.
template <Backend B>
Operand<B> operand_of(const Variable<B>& x) {
    InlineVector<OperandPart<B>, 4> parts;
    for (const auto& part : x.parts())
        parts.push_back({part.tensor, part.pending.scale, part.pending.shift, part.pending.activation});
    return Operand<B>(parts);
}

/// Where the gradient of a variable goes, without its value: what the way back of an operation captures of an
/// operand that it does not read again.
template <Backend B>
class GradientPlaces {
public:
    explicit GradientPlaces(const Variable<B>& x) {
        for (const auto& part : x.parts()) places_.push_back({part.place, part.tensor.shape().channels});
    }

    /// Adds the gradient of the variable's value, which may share its values with others, to its parts' places.
    void add(Tape<B>& tape, const Tensor<B>& dx) const {
        Index channel = 0;
        for (const auto& [place, count] : places_) {
            tape.add_gradient(place, dx.channels(channel, count));
            channel += count;
        }
    }

    /// A tensor for the gradient that is added next, which all of it is to be written to.
    Tensor<B> room(Tape<B>& tape, const Shape& shape) const {
        if constexpr (joins_convolutions<B>)
            if (places_.size() == 1) return tape.room_for(places_.front().first, shape);
        return Tensor<B>(tape.backend(), shape);
    }

    /// Adds what waits for a batch norm's way back to the place of a variable of one part.
    void add_waiting(Tape<B>& tape, WaitingGradients<B> gradients) const {
        tape.add_waiting(first(), std::move(gradients));
    }
    /// Of the first part.
    typename Tape<B>::Place first() const { return places_.front().first; }

private:
    InlineVector<std::pair<typename Tape<B>::Place, Index>, 4> places_;
};

/// The value of a variable as the way back of an operation reads it again: kept by the tape, in the precision that it
/// keeps values in.
template <Backend B>
class KeptVariable {
public:
    /// @param needed  false: nothing is kept, and `value` is not called
    KeptVariable(const Variable<B>& x, bool needed) {
        if (!needed) return;
        for (const auto& part : x.parts()) parts_.push_back({x.tape()->keep(part.tensor), part.pending});
    }

    /// The same value with no place for gradients.
    Variable<B> value(Tape<B>& tape) const {
        Variable<B> x;
        for (const auto& [kept, pending] : parts_) {
            Variable<B> part({tape.kept(kept), pending, Tape<B>::no_place}, &tape);
            if (x.empty()) x = std::move(part);
            else x.append(part);
        }
        return x;
    }

private:
    struct Part {
        Index kept = 0;
        PendingNormalisation<B> pending{};
    };
    InlineVector<Part, 4> parts_;
};

/// Adds the gradient of a variable's value to its parts' places. For the way back of an operation that keeps x.
///
/// @shape dx like x
template <Backend B>
void add_gradient(Tape<B>& tape, const Variable<B>& x, const Tensor<B>& dx) {
    GradientPlaces<B>(x).add(tape, dx);
}

/// The gradient of a parameter that learns, to which the operation recorded next adds on its way back; else nothing.
template <Backend B>
Tensor<B> gradient_of(const Parameter<B>& parameter, Tape<B>* tape) {
    if (!tape || !parameter.wants_gradient()) return {};
    tape->adds_to(parameter.gradient);
    return parameter.gradient;
}

/// Records an operation with one result: `way_back(tape, dy)` gets the result's gradient if one has arrived.
/// Where nothing wants a gradient (`needed` is false, or there is no tape) nothing is recorded.
///
/// @return the result as a variable on the tape
template <Backend B, class WayBack>
Variable<B> record_result(Tape<B>* tape, bool needed, Tensor<B> result, WayBack&& way_back) {
    if (!tape || !needed) return {std::move(result), tape, Tape<B>::no_place};
    const auto place = tape->new_place();
    tape->record(place, std::forward<WayBack>(way_back));
    return {std::move(result), tape, place};
}

/// The same variable as one tensor with nothing pending.
template <Backend B>
Variable<B> materialise(const Variable<B>& x) {
    if (x.is_plain()) return x;
    return record_result<B>(x.tape(), x.needs_gradient(), value_of(x),
                            [places = GradientPlaces<B>(x)](Tape<B>& tape, const Tensor<B>& dy) {
                                places.add(tape, dy);
                            });
}

template <Backend B>
void Tape<B>::backward(const Variable<B>& loss, double factor) {
    require<ShapeError>(!loss.empty() && loss.shape() == Shape{1, 1, 1, 1},
                        "Tape::backward: the loss must be one number");
    require<Error>(loss.tape() == this && loss.recording() == recording_ && loss.is_plain(),
                   "Tape::backward: the loss is not of this tape's present recording; a recording is walked once");
    const Place place = loss.parts().front().place;
    if (place != no_place) {
        Tensor<B> seed(*backend_, loss.shape());
        backend_->fill(seed, factor);
        add_gradient(place, std::move(seed));
        while (!nodes_.empty()) {
            go_back();
            drop_last();
            if (step_) step_();
        }
    }
    clear();
}

}  // namespace mtdn
