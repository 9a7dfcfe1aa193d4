// expect: shows_its_state
#include <mtdn/backend/reference.hpp>
#include <mtdn/optim/optimizer.hpp>

using B = mtdn::Reference<double>;

struct Descent {
    void step(const mtdn::Tensor<B>&, const mtdn::Tensor<B>&, std::span<const mtdn::ParameterGroup>, double) {}
#ifndef MTDN_SHOULD_FAIL
    mtdn::OptimizerState<B> state(const mtdn::Tensor<B>&) { return {}; }
#endif
};
static_assert(mtdn::Optimizer<Descent, B>);
