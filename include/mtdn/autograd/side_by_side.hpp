#pragma once

#include <span>
#include <utility>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/autograd/variable.hpp>

namespace mtdn {

/// Parameters as one, side by side, for one pass: a copy, whose gradient is added to theirs on the way back.
///
/// @shape each (a, b, c, O_j) → (a, b, c, Σ O_j)
template <Backend B>
Parameter<B> side_by_side(std::span<const Parameter<B>* const> parameters, Tape<B>* tape) {
    B& backend = parameters.front()->value.backend();
    Shape shape = parameters.front()->value.shape().with_channels(0);
    for (const auto* p : parameters) shape.channels += p->value.shape().channels;
    Parameter<B> all;
    all.value = Tensor<B>(backend, shape);
    InlineVector<std::pair<Tensor<B>, Index>, 4> gradients;  // of those that learn, and their first channels
    Index first = 0;
    for (const auto* p : parameters) {
        const Index count = p->value.shape().channels;
        backend.copy(p->value, all.value.channels(first, count));
        if (Tensor<B> gradient = gradient_of(*p, tape); !gradient.empty())
            gradients.push_back({std::move(gradient), first});
        first += count;
    }
    if (gradients.empty()) return all;
    all.gradient = Tensor<B>(backend, shape);
    backend.fill(all.gradient, 0);
    tape->record([gradients = std::move(gradients), sum = all.gradient](Tape<B>& t) {
        for (const auto& [gradient, begin] : gradients)
            t.backend().accumulate(sum.channels(begin, gradient.shape().channels), gradient);
    });
    return all;
}

/// A variable of one part, cut into runs of so many channels, which share its values. Gradients of convolutions'
/// operands are written where they belong in the whole's.
///
/// @shape x (N, H, W, Σ count_j) → each (N, H, W, count_j)
template <Backend B>
InlineVector<Variable<B>, 4> split_channels(const Variable<B>& x, std::span<const Index> counts) {
    const ChannelPart<B>& whole = x.parts().front();
    const Shape shape = x.shape();
    Tape<B>* tape = x.tape();
    const bool needed = tape && x.needs_gradient();
    const auto joint = needed ? tape->new_place() : Tape<B>::no_place;
    struct Run {
        typename Tape<B>::Place place;
        Index first, count;
    };
    InlineVector<Run, 4> runs;
    InlineVector<Variable<B>, 4> result;
    Index first = 0;
    for (const Index count : counts) {
        ChannelPart<B> part{whole.tensor.channels(first, count)};
        if (whole.pending)
            part.pending = {whole.pending.scale.channels(first, count), whole.pending.shift.channels(first, count),
                            whole.pending.activation};
        if (needed) part.place = tape->new_place_of_channels(joint, shape, first, count);
        runs.push_back({part.place, first, count});
        result.push_back({std::move(part), tape});
        first += count;
    }
    if (!needed) return result;
    tape->record([joint, shape, runs, places = GradientPlaces<B>(x)](Tape<B>& t) {
        Tensor<B> all = t.take_gradient(joint);
        bool any = false;
        for (const Run& run : runs) {
            const Tensor<B> dy = t.take_gradient(run.place);
            any = any || !dy.empty();
            if (all.empty()) all = Tensor<B>(t.backend(), shape);
            const Tensor<B> own = all.channels(run.first, run.count);
            if (dy.empty()) t.backend().fill(own, 0);
            else if (dy.data() != own.data()) t.backend().copy(dy, own);
        }
        if (any) places.add(t, all);
    });
    return result;
}

}  // namespace mtdn
