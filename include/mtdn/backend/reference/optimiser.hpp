#pragma once

#include <cmath>

#include <mtdn/backend/reference/wide.hpp>

namespace mtdn::detail::reference {

template <class B, class T>
void adamw(const AdamWStep& step, View<B, const T> gradient, View<B, T> parameter, View<B, T> first_moment,
           View<B, T> second_moment) {
    using W = Wide<T>;
    const W correction1 = 1 - std::pow(W(step.beta1), W(step.step));
    const W correction2 = 1 - std::pow(W(step.beta2), W(step.step));
    for (Index i = 0; i < gradient.shape.size(); ++i) {
        const W g = gradient.data[i];
        const W m = W(step.beta1) * first_moment.data[i] + (1 - W(step.beta1)) * g;
        const W v = W(step.beta2) * second_moment.data[i] + (1 - W(step.beta2)) * g * g;
        const W p = parameter.data[i] * (1 - W(step.rate) * step.decay);
        const W direction = (m / correction1) / (std::sqrt(v / correction2) + step.epsilon);
        parameter.data[i] = static_cast<T>(p - step.rate * direction);
        first_moment.data[i] = static_cast<T>(m);
        second_moment.data[i] = static_cast<T>(v);
    }
}

template <class B, class T>
void sgd(const SgdStep& step, View<B, const T> gradient, View<B, T> parameter, View<B, T> velocity) {
    using W = Wide<T>;
    for (Index i = 0; i < gradient.shape.size(); ++i) {
        const W g = gradient.data[i] + W(step.decay) * parameter.data[i];
        W v = g;
        if (velocity) {
            if (!step.first) v += W(step.momentum) * velocity.data[i];
            velocity.data[i] = static_cast<T>(v);
        }
        parameter.data[i] = static_cast<T>(parameter.data[i] - step.rate * (step.nesterov ? g + step.momentum * v : v));
    }
}

template <class B, class T>
double sum_of_squares(View<B, const T> x) {
    Wide<T> sum = 0;
    for (Index i = 0; i < x.shape.size(); ++i) sum += Wide<T>(x.data[i]) * x.data[i];
    return static_cast<double>(sum);
}

}  // namespace mtdn::detail::reference
