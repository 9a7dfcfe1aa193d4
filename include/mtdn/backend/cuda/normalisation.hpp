#pragma once

#include <cmath>

#include <mtdn/backend/cuda/activations.hpp>
#include <mtdn/backend/cuda/channel_sums.hpp>
#include <mtdn/backend/cuda/late_gradients.hpp>

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

struct SquaredDistance {
    static constexpr int quantities = 1;
    Pixels<const float> x, mean;
    Index group_pixels;
    MTDN_DEVICE void operator()(Index p, Index c, float (&numbers)[1]) const {
        const float distance = x.at(p, c) - mean.at(split(p, group_pixels).quotient, c);
        numbers[0] = distance * distance;
    }
};

/// The running statistic after all groups', in order.
struct UpdateRunning {
    Pixels<const float> running, statistic;
    Index groups;
    float kept, taken;
    MTDN_DEVICE float operator()(Index, Index c) const {
        float value = running.at(0, c);
        for (Index g = 0; g < groups; ++g) value = kept * value + taken * statistic.at(g, c);
        return value;
    }
};

struct NormalisationScale {
    Pixels<const float> variance, weight;
    float epsilon;
    MTDN_DEVICE float operator()(Index g, Index c) const {
        return weight.at(0, c) / std::sqrt(variance.at(g, c) + epsilon);
    }
};

struct NormalisationShift {
    NormalisationScale scale;
    Pixels<const float> mean, bias;
    MTDN_DEVICE float operator()(Index g, Index c) const { return bias.at(0, c) - mean.at(g, c) * scale(g, c); }
};

struct Normalise {
    Pixels<const float> x, scale, shift;
    Activation activation;
    Index group_pixels;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const Index g = split(p, group_pixels).quotient;
        return activated(activation, scale.at(g, c) * x.at(p, c) + shift.at(g, c));
    }
};

/// The derivative by z = weight · standardised + bias, which the activation is applied to, and `standardised`.
struct NormalisedGradient {
    static constexpr int quantities = 2;
    Pixels<const float> x, dy, mean, variance, weight, bias;
    float epsilon;
    Activation activation;
    Index group_pixels;

    struct Result {
        float dz, standardised, inverse_deviation;
    };
    MTDN_DEVICE Result at(Index p, Index c, Index g) const {
        const float inverse = 1.0F / std::sqrt(variance.at(g, c) + epsilon);
        const float standardised = (x.at(p, c) - mean.at(g, c)) * inverse;
        const float z = weight.at(0, c) * standardised + bias.at(0, c);
        return {dy.at(p, c) * activation_derivative(activation, z), standardised, inverse};
    }
    /// Σ dz and Σ dz · standardised.
    MTDN_DEVICE void operator()(Index p, Index c, float (&numbers)[2]) const {
        const Result found = at(p, c, split(p, group_pixels).quotient);
        numbers[0] = found.dz;
        numbers[1] = found.dz * found.standardised;
    }
};

struct NormaliseBackward {
    NormalisedGradient gradient;
    const double* totals;  // (2, groups, channels), or null where the statistics are constants
    Index groups, channels;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const Index g = split(p, gradient.group_pixels).quotient;
        const auto found = gradient.at(p, c, g);
        float dz = found.dz;
        if (totals) {
            const auto count = static_cast<float>(gradient.group_pixels);
            dz -= (static_cast<float>(totals[g * channels + c]) +
                   found.standardised * static_cast<float>(totals[(groups + g) * channels + c])) /
                  count;
        }
        return gradient.weight.at(0, c) * found.inverse_deviation * dz;
    }
};

/// What is left of a way back once its sums are there: with standardised = (x − mean) / deviation, a gradient less
/// (Σ dz + standardised · Σ dz · standardised) / count, times scale, is scale · dz + factor · x + offset.
///
/// Of Σ dz · (x − mean) it makes Σ dz · standardised.
struct LateTerms {
    Pixels<const float> mean, variance, scale;
    double* totals;  // (2, groups, channels)
    Index groups, channels;
    double count;
    float epsilon;
    Pixels<float> factor, offset;
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, channels);
        const double by = scale.at(at.quotient, at.rest) / count;
        const double deviation = std::sqrt(double{variance.at(at.quotient, at.rest)} + epsilon);
        const double products = totals[groups * channels + i] / deviation, gradient = -by * products / deviation;
        totals[groups * channels + i] = products;
        factor.at(at.quotient, at.rest) = static_cast<float>(gradient);
        offset.at(at.quotient, at.rest) =
            static_cast<float>(-by * totals[i] - gradient * mean.at(at.quotient, at.rest));
    }
};

/// Adds totals of all groups, in order.
struct AddGroups {
    Pixels<float> y;
    const double* totals;
    Index groups, channels;
    MTDN_DEVICE float operator()(Index, Index c) const {
        double sum = 0;
        for (Index g = 0; g < groups; ++g) sum += totals[g * channels + c];
        return y.at(0, c) + static_cast<float>(sum);
    }
};

/// Adds Σ dz to dbias and Σ dz · standardised to dweight, where they are there.
template <class D>
void add_groups(Queue<D>& queue, const double* totals, Index groups, View<CudaFor<D>, float> dweight,
                View<CudaFor<D>, float> dbias) {
    const auto add = [&](View<CudaFor<D>, float> y, Index quantity) {
        const Index channels = y.shape.channels;
        if (y) for_each_element(queue, y, AddGroups{y, totals + quantity * groups * channels, groups, channels});
    };
    add(dbias, 0);
    add(dweight, 1);
}

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
void CudaFor<D>::batch_statistics(In x, Out mean, Out variance) {
    using namespace detail::cuda;
    const Index groups = mean.shape.frames, pixels = x.shape.pixels() / groups, channels = x.shape.channels;
    const auto count = static_cast<double>(pixels);
    const auto sums = channel_sums(*queue_, groups, pixels, channels, Value{x});
    for_each_element(*queue_, mean, Mean{sums.data(), channels, count});
    const auto squares = channel_sums(*queue_, groups, pixels, channels, SquaredDistance{x, mean, pixels});
    for_each_element(*queue_, variance, Mean{squares.data(), channels, count});
}

template <class D>
void CudaFor<D>::update_running(In mean, In variance, Index count, double momentum, Out running_mean,
                                Out running_variance) {
    using namespace detail::cuda;
    const double n = static_cast<double>(count), unbiased = count > 1 ? n / (n - 1) : 1.0;
    const auto kept = static_cast<float>(1 - momentum);
    const auto update = [&](In statistic, double taken, Out running) {
        for_each_element(*queue_, running,
                         UpdateRunning{running, statistic, mean.shape.frames, kept, static_cast<float>(taken)});
    };
    update(mean, momentum, running_mean);
    update(variance, momentum * unbiased, running_variance);
}

template <class D>
void CudaFor<D>::normalisation(In mean, In variance, In weight, In bias, double epsilon, Out scale, Out shift) {
    using namespace detail::cuda;
    const NormalisationScale factor{variance, weight, static_cast<float>(epsilon)};
    for_each_element(*queue_, scale, factor);
    for_each_element(*queue_, shift, NormalisationShift{factor, mean, bias});
}

template <class D>
void CudaFor<D>::normalise(In x, In scale, In shift, Activation activation, Out y) {
    using namespace detail::cuda;
    for_each_element(*queue_, y, Normalise{x, scale, shift, activation, x.shape.pixels() / scale.shape.frames});
}

template <class D>
void CudaFor<D>::normalise_backward(In x, In dy, In mean, In variance, In weight, In bias, double epsilon,
                                    Activation activation, bool own_statistics, Out dx, Out dweight, Out dbias) {
    using namespace detail::cuda;
    const Index groups = mean.shape.frames, pixels = x.shape.pixels() / groups, channels = x.shape.channels;
    const NormalisedGradient gradient{x,          dy,    mean, variance, weight, bias, static_cast<float>(epsilon),
                                      activation, pixels};
    const auto totals = channel_sums(*queue_, groups, pixels, channels, gradient);
    for_each_element(*queue_, dx,
                     NormaliseBackward{gradient, own_statistics ? totals.data() : nullptr, groups, channels});
    add_groups(*queue_, totals.data(), groups, dweight, dbias);
}

template <class D>
void CudaFor<D>::normalise_backward_later(In dy, In variance, double epsilon, const GradientSums<CudaFor>& norm,
                                          bool known, Out factor, Out offset, Out dweight, Out dbias) {
    using namespace detail::cuda;
    const Index groups = variance.shape.frames, pixels = dy.shape.pixels() / groups, channels = dy.shape.channels;
    double* totals = norm.sums.data;
    if (!known) channel_sums(*queue_, groups, pixels, channels, GradientToSum{NormOfGradients(norm), dy}, totals);
    for_each(*queue_, groups * channels,
             LateTerms{norm.mean, variance, norm.scale, totals, groups, channels, static_cast<double>(pixels),
                       static_cast<float>(epsilon), factor, offset});
    add_groups(*queue_, totals, groups, dweight, dbias);
}

template <class D>
void CudaFor<D>::finish_gradients(const PendingGradients<CudaFor>& gradients, Out dx) {
    detail::cuda::for_each_element(*queue_, dx, detail::cuda::LateGradients(gradients));
}

}  // namespace mtdn
