#pragma once

#include <mtdn/backend/reference.hpp>
#include <mtdn/loss/loss.hpp>

namespace mtdn::testing {

/// The smallest loss: always 1, so that nothing is learnt.
//[loss
struct LossArchetype {
    template <Backend B>
    Variable<B> operator()(const Variable<B>& logits, const Tensor<B, std::uint8_t>&) const {
        Tensor<B> one(logits.backend(), vector_shape(1));
        logits.backend().fill(one, 1);
        return record_result<B>(logits.tape(), false, one, [](Tape<B>&, const Tensor<B>&) {});
    }
};
//]
static_assert(Loss<LossArchetype, Reference<double>>);

}  // namespace mtdn::testing
