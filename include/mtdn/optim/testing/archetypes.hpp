#pragma once

#include <cmath>

#include <mtdn/backend/reference.hpp>
#include <mtdn/optim/optimizer.hpp>
#include <mtdn/optim/schedule.hpp>

namespace mtdn::testing {

/// The smallest optimizer: plain gradient descent, which remembers no more than the number of steps.
//[optimizer
template <Backend B>
struct OptimizerArchetype {
    std::int64_t steps = 0;

    void step(const Tensor<B>& values, const Tensor<B>& gradients, std::span<const ParameterGroup> groups,
              double rate) {
        ++steps;
        for (const auto& group : groups) {
            const Shape shape = vector_shape(group.count);
            const auto p = values.piece(group.offset, shape), g = gradients.piece(group.offset, shape);
            values.backend().combine(1, p, -rate * group.rate_factor, g, p);
        }
    }
    OptimizerState<B> state(const Tensor<B>&) { return {{}, &steps}; }
};
//]
static_assert(Optimizer<OptimizerArchetype<Reference<double>>, Reference<double>>);

/// The smallest schedule: half the rate in every further epoch.
//[schedule
struct ScheduleArchetype {
    double operator()(Index epoch) const { return std::pow(0.5, static_cast<double>(epoch)); }
};
//]
static_assert(Schedule<ScheduleArchetype>);

}  // namespace mtdn::testing
