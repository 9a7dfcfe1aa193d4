// expect: steps_down_the_gradient
#include <mtdn/backend/reference.hpp>
#include <mtdn/optim/optimizer.hpp>

using B = mtdn::Reference<double>;

struct Descent {
#ifdef MTDN_SHOULD_FAIL
    void step(const mtdn::Tensor<B>&, const mtdn::Tensor<B>&) {}
#else
    void step(const mtdn::Tensor<B>&, const mtdn::Tensor<B>&, std::span<const mtdn::ParameterGroup>, double) {}
#endif
    mtdn::OptimizerState<B> state(const mtdn::Tensor<B>&) { return {}; }
};
static_assert(mtdn::Optimizer<Descent, B>);
