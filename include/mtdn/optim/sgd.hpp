#pragma once

#include <mtdn/optim/optimizer.hpp>

namespace mtdn {

/// Options of stochastic gradient descent.
struct SgdOptions {
    double momentum = 0;    ///< weight of the velocity
    double decay = 0;       ///< weight decay, added to the gradient
    bool nesterov = false;  ///< look ahead by one momentum step
};

/// Stochastic gradient descent with momentum, as PyTorch has it.
///
/// @source Sutskever et al. 2013
template <Backend B>
class Sgd {
public:
    explicit Sgd(const SgdOptions& options = {}) : options_(options) {
        require<OptionError>(options.momentum >= 0 && options.decay >= 0 && (!options.nesterov || options.momentum > 0),
                             "Sgd: momentum and decay must not be negative, Nesterov needs momentum");
    }

    /// Changes `values` by one step.
    [[gnu::cold]]
    void step(const Tensor<B>& values, const Tensor<B>& gradients, std::span<const ParameterGroup> groups,
              double rate) {
        prepare(values);
        ++step_;
        for (const auto& group : groups) {
            const Shape shape = vector_shape(group.count);
            values.backend().sgd({rate * group.rate_factor, options_.momentum, options_.decay * group.decay_factor,
                                  options_.nesterov, step_ == 1},
                                 gradients.piece(group.offset, shape), values.piece(group.offset, shape),
                                 velocity_.empty() ? Tensor<B>{} : velocity_.piece(group.offset, shape));
        }
    }

    OptimizerState<B> state(const Tensor<B>& values) {
        prepare(values);
        OptimizerState<B> state;
        if (!velocity_.empty()) state.tensors.emplace_back("velocity", velocity_);
        state.step = &step_;
        return state;
    }

private:
    void prepare(const Tensor<B>& values) {
        if (options_.momentum == 0 || !velocity_.empty()) return;
        velocity_ = Tensor<B>(values.backend(), values.shape());
        values.backend().fill(velocity_, 0);
    }

    SgdOptions options_;
    Tensor<B> velocity_;
    std::int64_t step_ = 0;
};

}  // namespace mtdn
