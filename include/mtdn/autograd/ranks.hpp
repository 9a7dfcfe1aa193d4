#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/autograd/variable.hpp>

// What one step shares between ranks, each of which has some of its frames and pairs: sums over all pixels. Gradients
// need no more: every rank's are the sum over its own pixels, and the trainer adds the ranks'.
namespace mtdn::detail {

/// Makes the mean and the variance over this rank's pixels those over the pixels of all ranks.
///
/// Sums travel as doubles, so Σ x² − (Σ x)²/n, with variances found without cancellation before, is good enough.
///
/// @param pixels  of this rank, a group
/// @return of all ranks, a group
template <Backend B>
Index join_statistics(const Tape<B>& tape, Index pixels, const Tensor<B>& mean, const Tensor<B>& variance) {
    auto means = download(mean), variances = download(variance);
    const std::size_t size = means.size();
    const double own = tape.counts() ? static_cast<double>(pixels) : 0;
    std::vector<double> sums(2 * size + 1, own);
    for (std::size_t i = 0; i < size; ++i) {
        const double m = means[i];
        sums[i] = own * m;
        sums[size + i] = own * (variances[i] + m * m);
    }
    tape.ranks().all_reduce(sums);
    const double all = sums.back();
    using Scalar = typename B::Scalar;
    for (std::size_t i = 0; i < size; ++i) {
        const double m = sums[i] / all;
        means[i] = static_cast<Scalar>(m);
        variances[i] = static_cast<Scalar>(std::max(0.0, sums[size + i] / all - m * m));
    }
    upload(std::span<const Scalar>(means), mean);
    upload(std::span<const Scalar>(variances), variance);
    return static_cast<Index>(all);
}

/// The way back through a normalisation by the statistics of all ranks, `pixels` of them a group, and its activation.
///
/// As the backend's `normalise_backward` with statistics of its own, in three parts: the gradient with the statistics
/// held fast, which gives this rank's sums of gradients as well; their sum over ranks; the gradient by the statistics,
/// which is of the form factor · x + term.
template <Backend B>
void normalise_backward_over_ranks(const Tape<B>& tape, const Tensor<B>& x, const Tensor<B>& dy, const Tensor<B>& mean,
                                   const Tensor<B>& variance, const Tensor<B>& weight, const Tensor<B>& bias,
                                   double epsilon, Activation activation, Index pixels, const Tensor<B>& dx,
                                   const Tensor<B>& dweight, const Tensor<B>& dbias) {
    using Scalar = typename B::Scalar;
    B& backend = tape.backend();
    const Index groups = mean.shape().frames, frames = x.shape().frames / groups;
    // Per group and channel, of the gradients by what the activation is applied to: products with the standardised x,
    // sums.
    const Tensor<B> own(backend, {2 * groups, 1, 1, mean.shape().channels});
    backend.fill(own, 0);
    for (Index g = 0; g < groups; ++g) {
        const Tensor<B> products = own.frames(g, 1), gradients = own.frames(groups + g, 1);
        backend.normalise_backward(x.frames(g * frames, frames), dy.frames(g * frames, frames), mean.frames(g, 1),
                                   variance.frames(g, 1), weight, bias, epsilon, activation, false,
                                   dx.frames(g * frames, frames), products, gradients);
        if (!dweight.empty()) backend.accumulate(products, dweight);
        if (!dbias.empty()) backend.accumulate(gradients, dbias);
    }
    const auto of_rank = download(own);
    std::vector<double> sums(of_rank.begin(), of_rank.end());
    tape.ranks().all_reduce(sums);
    if (!tape.counts()) return backend.fill(dx, 0);

    const auto means = download(mean), variances = download(variance), weights = download(weight);
    const std::size_t size = means.size();
    std::vector<Scalar> factors(size), terms(size);
    for (std::size_t i = 0; i < size; ++i) {
        const double inverse = 1 / std::sqrt(variances[i] + epsilon);
        const double scale = -weights[i % weights.size()] * inverse / static_cast<double>(pixels);
        const double factor = scale * inverse * sums[i];
        factors[i] = static_cast<Scalar>(factor);
        terms[i] = static_cast<Scalar>(scale * sums[size + i] - factor * means[i]);
    }
    const Tensor<B> factor(backend, mean.shape()), term(backend, mean.shape()), by_statistics(backend, x.shape());
    upload(std::span<const Scalar>(factors), factor);
    upload(std::span<const Scalar>(terms), term);
    backend.normalise(x, factor, term, Activation::identity, by_statistics);
    backend.accumulate(by_statistics, dx);
}

}  // namespace mtdn::detail
