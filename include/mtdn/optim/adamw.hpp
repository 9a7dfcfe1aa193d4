#pragma once

#include <mtdn/optim/optimizer.hpp>

namespace mtdn {

/// Options of AdamW.
struct AdamWOptions {
    double beta1 = 0.9;     ///< decay of the first moment
    double beta2 = 0.999;   ///< decay of the second moment
    double epsilon = 1e-8;  ///< added to the root of the second moment
    double decay = 0.01;    ///< decoupled weight decay, times the rate
};

/// Adam with decoupled weight decay.
///
/// @source Loshchilov and Hutter 2019, Algorithm 2
template <Backend B>
class AdamW {
public:
    explicit AdamW(const AdamWOptions& options = {}) : options_(options) {
        require<OptionError>(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1 &&
                                 options.epsilon > 0 && options.decay >= 0,
                             "AdamW: betas must be in [0, 1), epsilon positive, decay not negative");
    }

    /// Changes `values` by one step.
    [[gnu::cold]]
    void step(const Tensor<B>& values, const Tensor<B>& gradients, std::span<const ParameterGroup> groups,
              double rate) {
        prepare(values);
        ++step_;
        for (const auto& group : groups) {
            const Shape shape = vector_shape(group.count);
            values.backend().adamw({rate * group.rate_factor, options_.beta1, options_.beta2, options_.epsilon,
                                    options_.decay * group.decay_factor, step_},
                                   gradients.piece(group.offset, shape), values.piece(group.offset, shape),
                                   first_.piece(group.offset, shape), second_.piece(group.offset, shape));
        }
    }

    OptimizerState<B> state(const Tensor<B>& values) {
        prepare(values);
        return {{{"first_moment", first_}, {"second_moment", second_}}, &step_};
    }

private:
    void prepare(const Tensor<B>& values) {
        if (!first_.empty()) return;
        first_ = Tensor<B>(values.backend(), values.shape());
        second_ = Tensor<B>(values.backend(), values.shape());
        values.backend().fill(first_, 0);
        values.backend().fill(second_, 0);
    }

    AdamWOptions options_;
    Tensor<B> first_, second_;
    std::int64_t step_ = 0;
};

}  // namespace mtdn
