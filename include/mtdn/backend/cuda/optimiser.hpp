#pragma once

#include <cmath>

#include <mtdn/backend/cuda/channel_sums.hpp>

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

struct AdamW {
    float beta1, beta2, rest1, rest2;  // the rests are 1 − beta
    float kept, rate, root, epsilon;   // corrections for the first steps are in `rate` and `root`
    const float* gradient;
    float *parameter, *first_moment, *second_moment;
    MTDN_DEVICE void operator()(Index i) const {
        const float g = gradient[i];
        const float m = beta1 * first_moment[i] + rest1 * g;
        const float v = beta2 * second_moment[i] + rest2 * g * g;
        first_moment[i] = m;
        second_moment[i] = v;
        parameter[i] = kept * parameter[i] - rate * m / (std::sqrt(v) * root + epsilon);
    }
};

struct Sgd {
    float rate, momentum, decay;
    bool first, nesterov;
    const float* gradient;
    float *parameter, *velocity;
    MTDN_DEVICE void operator()(Index i) const {
        const float decayed = gradient[i] + decay * parameter[i];
        float v = decayed;
        if (velocity) {
            if (!first) v += momentum * velocity[i];
            velocity[i] = v;
        }
        parameter[i] -= rate * (nesterov ? decayed + momentum * v : v);
    }
};

/// Squares of a contiguous vector taken as rows of `width` elements, the last one perhaps short.
struct Square {
    static constexpr int quantities = 1;
    static constexpr Index width = 32;
    const float* x;
    Index size;
    MTDN_DEVICE void operator()(Index row, Index column, float (&numbers)[1]) const {
        const Index i = row * width + column;
        numbers[0] = i < size ? x[i] * x[i] : 0.0F;
    }
};

/// What a vector is multiplied by so that its norm is at most `limit`, from its squares' sums by column.
struct NormFactor {
    const double* columns;
    double limit;
    float* factor;
    MTDN_DEVICE void operator()(Index) const {
        double sum = 0;
        for (Index c = 0; c < Square::width; ++c) sum += columns[c];
        const double norm = std::sqrt(sum);
        *factor = norm > limit ? static_cast<float>(limit / norm) : 1.0F;
    }
};
struct ScaleBy {
    const float* factor;
    float* x;
    MTDN_DEVICE void operator()(Index i) const { x[i] = *factor * x[i]; }
};

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
void CudaFor<D>::adamw(const AdamWStep& step, In gradient, Out parameter, Out first_moment, Out second_moment) {
    const auto times = static_cast<double>(step.step);
    const double correction1 = 1 - std::pow(step.beta1, times), correction2 = 1 - std::pow(step.beta2, times);
    const auto single = [](double value) { return static_cast<float>(value); };
    detail::cuda::for_each(
        *queue_, gradient.shape.size(),
        detail::cuda::AdamW{single(step.beta1), single(step.beta2), single(1 - step.beta1), single(1 - step.beta2),
                            single(1 - step.rate * step.decay), single(step.rate / correction1),
                            single(1 / std::sqrt(correction2)), single(step.epsilon), gradient.data, parameter.data,
                            first_moment.data, second_moment.data});
}

template <class D>
void CudaFor<D>::sgd(const SgdStep& step, In gradient, Out parameter, Out velocity) {
    detail::cuda::for_each(*queue_, gradient.shape.size(),
                           detail::cuda::Sgd{static_cast<float>(step.rate), static_cast<float>(step.momentum),
                                             static_cast<float>(step.decay), step.first, step.nesterov, gradient.data,
                                             parameter.data, velocity.data});
}

template <class D>
double CudaFor<D>::sum_of_squares(In x) {
    using namespace detail::cuda;
    const Index size = x.shape.size(), rows = ceil_div(size, Square::width);
    const auto sums = channel_sums(*queue_, 1, rows, Square::width, Square{x.data, size});
    double columns[Square::width], sum = 0;
    queue_->copy_out(sums.data(), columns, Rows(sizeof(columns)));
    for (const double column : columns) sum += column;
    return sum;
}

template <class D>
void CudaFor<D>::limit_norm(Out x, double limit) {
    using namespace detail::cuda;
    const Index size = x.shape.size(), rows = ceil_div(size, Square::width);
    const auto sums = channel_sums(*queue_, 1, rows, Square::width, Square{x.data, size});
    const Scratch<float> factor(*queue_, 1);
    for_each(*queue_, 1, NormFactor{sums.data(), limit, factor.data()});
    for_each(*queue_, size, ScaleBy{factor.data(), x.data});
}

}  // namespace mtdn
