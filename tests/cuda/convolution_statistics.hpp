#pragma once

// Statistics that come with a convolution, against those of what it stored, which the host computes in double
// precision.
#include <cmath>
#include <string>
#include <vector>

#include "exact_convolutions.hpp"

namespace mtdn::testing {

/// What a convolution with statistics gives: y, mean, variance.
template <Backend B>
std::vector<std::vector<typename B::Scalar>> statistics_of(B& backend, const ExactConvolution& c, double offset) {
    cases::Operands<B> operands(backend, c.name);
    const ExactOperand<B> x(operands, c, offset);
    const Shape vectors{c.frames.frames % 2 == 0 ? 2 : 1, 1, 1, c.out};
    const auto w = operands.random(c.w(), cases::Layout::whole, -1, 1, 1.0 / 16);
    const auto y = operands.result(c.y(), c.layout);
    const auto mean = operands.result(vectors), variance = operands.result(vectors);
    backend.convolve_with_statistics(x.operand(), w, c.window, y, mean, variance);
    const auto alone = operands.result(c.y());
    backend.convolve(x.operand(), w, {}, {}, c.window, Activation::identity, alone);
    return {values_of(y), values_of(mean), values_of(variance), values_of(alone)};
}

/// Where they are further off than sums in single precision are, relative to the values' size and to the variance.
template <Backend B>
void check_statistics(B& backend, const ExactConvolution& c, double offset, std::vector<std::string>& failures) {
    const auto results = statistics_of(backend, c, offset);
    const auto &y = results[0], &mean = results[1], &variance = results[2];
    if (y != results[3]) failures.push_back(c.name + ": with statistics it stores something else");
    const auto out = static_cast<std::size_t>(c.out), groups = mean.size() / out, pixels = y.size() / mean.size();
    for (std::size_t i = 0; i < mean.size(); ++i) {
        const std::size_t group = i / out, channel = i % out;
        double expected = 0, squares = 0, size = 0;
        const auto value = [&](std::size_t p) { return double{y[(group * pixels + p) * out + channel]}; };
        for (std::size_t p = 0; p < pixels; ++p) {
            expected += value(p) / static_cast<double>(pixels);
            size = std::max(size, std::abs(value(p)));
        }
        for (std::size_t p = 0; p < pixels; ++p) squares += (value(p) - expected) * (value(p) - expected);
        squares /= static_cast<double>(pixels);
        if (!(std::abs(mean[i] - expected) <= 1e-6 * size && std::abs(variance[i] - squares) <= 2e-6 * squares))
            failures.push_back(concatenate(c.name, ": channel ", channel, " of group ", group, " of ", groups,
                                           " has mean ", mean[i], " and variance ", variance[i], ", expected ",
                                           expected, " and ", squares));
    }
}

template <Backend B>
std::vector<std::string> check_convolution_statistics(B& backend) {
    std::vector<std::string> failures;
    for (const auto& c : exact_convolutions()) check_statistics(backend, c, 0, failures);
    const Window one{.kernel = 1};
    check_statistics(backend, {"more tiles than threads that join them", {2, 3, 560, 0}, {{4}}, 33, one}, 0, failures);
    check_statistics(backend, {"a mean far from 0", {2, 17, 40, 0}, {{8, true}}, 16, one}, 100, failures);
    return failures;
}

}  // namespace mtdn::testing
