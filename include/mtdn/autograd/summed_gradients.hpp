#pragma once

#include <mtdn/autograd/variable.hpp>

namespace mtdn::detail {

/// What the batch norm sums whose result a value is, all of it and nothing else; none where it does not, or the value
/// was not kept.
template <Backend B>
WaitingSums<B> sums_wanted(Tape<B>& tape, const KeptVariable<B>& kept) {
    const Variable<B> value = kept.value(tape);
    if (value.parts().size() != 1) return {};
    const auto& [raw, pending, place] = value.parts().front();
    if (pending.mean.empty()) return {};
    return {raw, pending.mean, pending.scale, pending.shift, pending.activation,
            WaitingSums<B>::sums_for(pending.mean)};
}

/// Adds dx to the gradient of a value. `carry(norm)` computes dx, and says whether it has taken the norm's sums, if
/// there is one.
template <Backend B, class Carry>
void add_summed(Tape<B>& tape, const KeptVariable<B>& kept, const GradientPlaces<B>& places, const Tensor<B>& dx,
                const Carry& carry) {
    const auto norm = tape.is_empty(places.first()) ? sums_wanted(tape, kept) : WaitingSums<B>{};
    if (carry(norm.view())) tape.add_summed(places.first(), dx, norm.sums);
    else places.add(tape, dx);
}

}  // namespace mtdn::detail
