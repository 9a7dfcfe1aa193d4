#pragma once

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/autograd/pass.hpp>
#include <mtdn/autograd/ranks.hpp>
#include <mtdn/autograd/variable.hpp>

namespace mtdn {

/// Batch normalisation followed by an activation; writes nothing but the statistics: the result is pending.
///
/// Statistics are those that the pass says. From the batch they are taken over each of the pass's groups, unless they
/// are `known`, and staged for the running ones; where the tape is shared by ranks, they are those of all ranks'
/// frames.
///
/// @shape x (N, H, W, C), weight and bias (1, 1, 1, C) → like x
/// @throws ShapeError if N is not a multiple of the number of groups, or the channels differ
/// @source Ioffe and Szegedy 2015, Algorithms 1 and 2
template <Backend B>
Variable<B> batch_normalise(const Variable<B>& input, const Parameter<B>& weight, const Parameter<B>& bias,
                            const RunningStatistics<B>& running, double epsilon, double momentum,
                            Activation activation, Pass<B>& pass, const BatchStatistics<B>& known = {}) {
    const Variable<B> x = materialise(input);
    const Shape shape = x.shape();
    B& backend = x.backend();
    require<ShapeError>(shape.channels == weight.value.shape().channels, "batch_normalise: the input ", shape, " has ",
                        shape.channels, " channels, the weights ", weight.value.shape().channels);
    const bool own = pass.statistics() == Statistics::batch;
    const Index groups = own ? pass.groups() : 1;
    require<ShapeError>(shape.frames % groups == 0, "batch_normalise: ", shape.frames, " frames cannot be cut into ",
                        groups, " equal groups");
    const Tensor<B> value = x.parts().front().tensor;
    const Shape statistic{groups, 1, 1, shape.channels};
    Tensor<B> mean = running.mean, variance = running.variance;
    const bool shared = own && pass.tape() && pass.tape()->shared();
    Index pixels = shape.pixels() / groups;
    if (own) {
        mean = known ? known.mean : Tensor<B>(backend, statistic);
        variance = known ? known.variance : Tensor<B>(backend, statistic);
        if (!known) backend.batch_statistics(value, mean, variance);
        if (shared) pixels = detail::join_statistics(*pass.tape(), pixels, mean, variance);
        pass.stage(running, mean, variance, pixels, momentum);
    }
    PendingNormalisation<B> pending{Tensor<B>(backend, statistic), Tensor<B>(backend, statistic), activation};
    if constexpr (reads_pending_gradients<B>)
        if (own && !shared) pending.mean = mean;
    backend.normalisation(mean, variance, weight.value, bias.value, epsilon, pending.scale, pending.shift);

    Tape<B>* tape = x.tape();
    const Tensor<B> dw = gradient_of(weight, tape);
    const Tensor<B> db = gradient_of(bias, tape);
    ChannelPart<B> part{value, pending, Tape<B>::no_place};
    if (tape && (x.needs_gradient() || !dw.empty() || !db.empty())) {
        part.place = tape->new_place();
        tape->record(part.place, [place = part.place, places = GradientPlaces<B>(x), kept = tape->keep(value), mean,
                                  variance, w = weight.value, b = bias.value, dw, db, epsilon, pending, own, shared,
                                  pixels](Tape<B>& t, const Tensor<B>& dy) {
            static_cast<void>(place);  // used by some backends alone
            const Tensor<B> raw = t.kept(kept);
            if constexpr (reads_pending_gradients<B>)
                if (own && !shared) {
                    const Tensor<B> factor(t.backend(), mean.shape()), offset(t.backend(), mean.shape());
                    WaitingSums<B> norm{
                        raw, mean, pending.scale, pending.shift, pending.activation, t.take_sums(place)};
                    const bool summed = !norm.sums.empty();
                    if (!summed) norm.sums = norm.sums_for(mean);
                    t.backend().normalise_backward_later(dy, variance, epsilon, norm.view(), summed, factor, offset, dw,
                                                         db);
                    return places.add_waiting(
                        t, {dy, raw, pending.scale, pending.shift, factor, offset, pending.activation});
                }
            const Tensor<B> dx = dy.alone() ? dy : Tensor<B>(t.backend(), raw.shape());
            if (shared)
                detail::normalise_backward_over_ranks(t, raw, dy, mean, variance, w, b, epsilon, pending.activation,
                                                      pixels, dx, dw, db);
            else
                t.backend().normalise_backward(raw, dy, mean, variance, w, b, epsilon, pending.activation, own, dx, dw,
                                               db);
            places.add(t, dx);
        });
    }
    return {std::move(part), tape};
}

}  // namespace mtdn
