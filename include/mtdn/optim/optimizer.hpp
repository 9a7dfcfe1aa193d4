#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// A run of the flat buffer that is updated in one way. What is in no group stays as it is.
struct ParameterGroup {
    Index offset = 0;         ///< first element
    Index count = 0;          ///< elements
    double rate_factor = 1;   ///< times the learning rate
    double decay_factor = 1;  ///< times the optimizer's weight decay; 0 for norms and biases, say
};

/// What an optimizer remembers between steps, for checkpoints.
template <Backend B>
struct OptimizerState {
    std::vector<std::pair<std::string, Tensor<B>>> tensors;  ///< shared with the optimizer, layout of the parameters
    std::int64_t* step = nullptr;                            ///< number of steps done
};

namespace detail {
template <class O, class B>
concept steps_down_the_gradient = requires(O& optimizer, const Tensor<B>& values, const Tensor<B>& gradients,
                                           std::span<const ParameterGroup> groups, double rate) {
    { optimizer.step(values, gradients, groups, rate) } -> std::same_as<void>;
};
template <class O, class B>
concept shows_its_state = requires(O& optimizer, const Tensor<B>& values) {
    { optimizer.state(values) } -> std::same_as<OptimizerState<B>>;
};
}  // namespace detail

/// How a step changes the parameters: `step(values, gradients, groups, rate)` on the flat buffers, and
/// `state(values)`, made to their measure if there is none yet.
template <class O, class B>
concept Optimizer = Backend<B> && detail::steps_down_the_gradient<O, B> && detail::shows_its_state<O, B>;

/// An optimizer that is chosen at run time.
template <Backend B>
class AnyOptimizer {
public:
    template <class O>
        requires(!std::same_as<O, AnyOptimizer>) && Optimizer<O, B>
    AnyOptimizer(O optimizer) : self_(std::make_unique<Model<O>>(std::move(optimizer))) {}

    void step(const Tensor<B>& values, const Tensor<B>& gradients, std::span<const ParameterGroup> groups,
              double rate) {
        self_->step(values, gradients, groups, rate);
    }
    OptimizerState<B> state(const Tensor<B>& values) { return self_->state(values); }

private:
    struct Interface {
        virtual ~Interface() = default;
        virtual void step(const Tensor<B>&, const Tensor<B>&, std::span<const ParameterGroup>, double) = 0;
        virtual OptimizerState<B> state(const Tensor<B>&) = 0;
    };
    template <class O>
    struct Model final : Interface {
        explicit Model(O o) : optimizer(std::move(o)) {}
        void step(const Tensor<B>& v, const Tensor<B>& g, std::span<const ParameterGroup> p, double rate) override {
            optimizer.step(v, g, p, rate);
        }
        OptimizerState<B> state(const Tensor<B>& values) override { return optimizer.state(values); }
        O optimizer;
    };
    std::unique_ptr<Interface> self_;
};

}  // namespace mtdn
