#pragma once

#include <cmath>

#include <mtdn/backend/reference/elements.hpp>
#include <mtdn/backend/reference/wide.hpp>

namespace mtdn::detail::reference {

/// The group, of as many as `vectors` has frames, that a pixel of x belongs to.
template <class B, class T, class U>
Index group_of(View<B, T> x, View<B, U> vectors, Index pixel) {
    return pixel / (x.shape.pixels() / vectors.shape.frames);
}

template <class B, class T>
void batch_statistics(View<B, const T> x, View<B, T> mean, View<B, T> variance) {
    const Index count = x.shape.pixels() / mean.shape.frames;
    Sums<T> sums(mean.shape), squares(mean.shape);
    for (Index p = 0; p < x.shape.pixels(); ++p)
        for (Index c = 0; c < x.shape.channels; ++c)
            sums.pixel(group_of(x, mean, p))[c] += Wide<T>(x.pixel(p)[c]) / count;
    // The squares are of the distances from the mean before it is rounded.
    for (Index p = 0; p < x.shape.pixels(); ++p)
        for (Index c = 0; c < x.shape.channels; ++c) {
            const Index group = group_of(x, mean, p);
            const Wide<T> distance = x.pixel(p)[c] - sums.pixel(group)[c];
            squares.pixel(group)[c] += distance * distance / count;
        }
    sums.store(mean);
    squares.store(variance);
}

template <class B, class T>
void update_running(View<B, const T> mean, View<B, const T> variance, Index count, double momentum,
                    View<B, T> running_mean, View<B, T> running_variance) {
    const Wide<T> unbiased = count > 1 ? Wide<T>(count) / (count - 1) : Wide<T>(1);
    const Wide<T> taken = momentum, kept = 1 - taken;
    for (Index g = 0; g < mean.shape.frames; ++g) {
        for_each_element(running_mean, [&](Index, Index c) {
            return kept * running_mean.data[c] + taken * mean.pixel(g)[c];
        });
        for_each_element(running_variance, [&](Index, Index c) {
            return kept * running_variance.data[c] + taken * unbiased * variance.pixel(g)[c];
        });
    }
}

template <class B, class T>
void normalisation(View<B, const T> mean, View<B, const T> variance, View<B, const T> weight, View<B, const T> bias,
                   double epsilon, View<B, T> scale, View<B, T> shift) {
    const auto factor = [&](Index g, Index c) {
        return weight.data[c] / std::sqrt(variance.pixel(g)[c] + Wide<T>(epsilon));
    };
    for_each_element(scale, factor);
    for_each_element(shift, [&](Index g, Index c) { return bias.data[c] - mean.pixel(g)[c] * factor(g, c); });
}

template <class B, class T>
void normalise(View<B, const T> x, View<B, const T> scale, View<B, const T> shift, Activation activation,
               View<B, T> y) {
    for_each_element(y, [&](Index p, Index c) {
        const Index g = group_of(x, scale, p);
        return activated(activation, Wide<T>(scale.pixel(g)[c]) * x.pixel(p)[c] + shift.pixel(g)[c]);
    });
}

template <class B, class T>
void normalise_backward(View<B, const T> x, View<B, const T> dy, View<B, const T> mean, View<B, const T> variance,
                        View<B, const T> weight, View<B, const T> bias, double epsilon, Activation activation,
                        bool own_statistics, View<B, T> dx, View<B, T> dweight, View<B, T> dbias) {
    const Index count = x.shape.pixels() / mean.shape.frames;
    const auto inverse_deviation = [&](Index g, Index c) {
        return 1 / std::sqrt(variance.pixel(g)[c] + Wide<T>(epsilon));
    };
    const auto standardised = [&](Index p, Index c) {
        const Index g = group_of(x, mean, p);
        return (Wide<T>(x.pixel(p)[c]) - mean.pixel(g)[c]) * inverse_deviation(g, c);
    };
    // Derivative by what the activation is applied to, z = weight · standardised + bias.
    const auto dz = [&](Index p, Index c) {
        const Wide<T> z = weight.data[c] * standardised(p, c) + bias.data[c];
        return dy.pixel(p)[c] * activation_derivative(activation, z);
    };
    Sums<T> dz_sums(mean.shape), product_sums(mean.shape);
    for (Index p = 0; p < x.shape.pixels(); ++p)
        for (Index c = 0; c < x.shape.channels; ++c) {
            const Index g = group_of(x, mean, p);
            dz_sums.pixel(g)[c] += dz(p, c);
            product_sums.pixel(g)[c] += dz(p, c) * standardised(p, c);
        }
    for_each_element(dx, [&](Index p, Index c) {
        const Index g = group_of(x, mean, p);
        Wide<T> gradient = dz(p, c);
        if (own_statistics)
            gradient -= dz_sums.pixel(g)[c] / count + standardised(p, c) * product_sums.pixel(g)[c] / count;
        return weight.data[c] * inverse_deviation(g, c) * gradient;
    });
    Sums<T> dweight_sums(weight.shape), dbias_sums(weight.shape);
    for (Index g = 0; g < mean.shape.frames; ++g)
        for (Index c = 0; c < x.shape.channels; ++c) {
            dweight_sums.pixel(0)[c] += product_sums.pixel(g)[c];
            dbias_sums.pixel(0)[c] += dz_sums.pixel(g)[c];
        }
    if (dweight) dweight_sums.add_to(dweight);
    if (dbias) dbias_sums.add_to(dbias);
}

}  // namespace mtdn::detail::reference
