#pragma once

// Extremes of squares that come with a convolution, against those of what it stored.
#include <algorithm>
#include <string>
#include <vector>

#include <mtdn/backend/pooled_convolutions.hpp>

#include "exact_convolutions.hpp"

namespace mtdn::testing {

/// What a convolution stores in training, with its statistics, and in evaluation; each with its squares' extremes, and
/// without.
template <class T>
struct PooledResults {
    std::vector<T> sign, raw, raw_extremes, mean, variance, value, extremes, pooled;
    bool alone_equal = true;  // whether all but the extremes is the same to the bit where these are not wanted
    friend bool operator==(const PooledResults&, const PooledResults&) = default;
};

template <Backend B>
PooledResults<typename B::Scalar> pooled_results(B& backend, const ExactConvolution& c, Activation activation,
                                                 bool played = false) {
    cases::Operands<B> operands(backend, c.name);
    const ExactOperand<B> x(operands, c);
    const Shape vectors{c.frames.frames % 2 == 0 ? 2 : 1, 1, 1, c.out};
    const Shape half{c.y().frames, c.y().height / 2, c.y().width / 2, c.out};
    const auto w = operands.random(c.w()), sign = operands.random(vector_shape(c.out));
    const auto scale = operands.random(vector_shape(c.out)), shift = operands.random(vector_shape(c.out));
    const auto raw = operands.result(c.y(), c.layout), raw_extremes = operands.result(half, c.layout);
    const auto value = operands.result(c.y(), c.layout), extremes = operands.result(half, c.layout);
    const auto alone = operands.result(c.y()), pooled = operands.result(half);
    const auto mean = operands.result(vectors), variance = operands.result(vectors);
    require<Error>(backend.pools_convolution(w, c.window, activation), c.name, ": the backend does not pool it");
    const auto convolve = [&] {
        backend.convolve_with_statistics(x.operand(), w, c.window, raw, mean, variance,
                                         SquareExtremes<B>{sign, raw_extremes});
        backend.convolve(x.operand(), w, scale, shift, c.window, activation, value, SquareExtremes<B>{{}, extremes});
    };
    if (played) backend.replay(backend.record(convolve));
    else convolve();
    backend.max_pool(Operand<B>(value), {.kernel = 2, .stride = 2}, pooled);
    PooledResults<typename B::Scalar> results{values_of(sign),  values_of(raw),      values_of(raw_extremes),
                                              values_of(mean),  values_of(variance), values_of(value),
                                              values_of(extremes), values_of(pooled)};
    backend.convolve(x.operand(), w, scale, shift, c.window, activation, alone);
    results.alone_equal = values_of(alone) == results.value;
    const auto other_mean = operands.result(vectors), other_variance = operands.result(vectors);
    backend.convolve_with_statistics(x.operand(), w, c.window, alone, other_mean, other_variance);
    results.alone_equal = results.alone_equal && values_of(alone) == results.raw &&
                          values_of(other_mean) == results.mean && values_of(other_variance) == results.variance;
    return results;
}

/// Convolutions whose results have squares.
inline std::vector<ExactConvolution> pooled_cases() {
    std::vector<ExactConvolution> cases;
    for (const auto& c : exact_convolutions())
        if (c.window.kernel == 3 && c.y().height > 1 && c.y().width > 1) cases.push_back(c);
    return cases;
}

template <Backend B>
    requires pools_convolutions<B>
std::vector<std::string> check_pooled_convolutions(B& backend) {
    std::vector<std::string> failures;
    for (const auto& c : pooled_cases()) {
        const auto results = pooled_results(backend, c, Activation::leaky_relu);
        if (!results.alone_equal) failures.push_back(c.name + ": with extremes something else is stored");
        if (results.extremes != results.pooled)
            failures.push_back(c.name + ": the largest values are not those of pooling");
        // In training: the largest, or smallest, of each four.
        const Index height = c.y().height, width = c.y().width, out = c.out;
        std::vector<typename B::Scalar> expected;
        for (Index frame = 0; frame < c.y().frames; ++frame)
            for (Index i = 0; i + 1 < height; i += 2)
                for (Index j = 0; j + 1 < width; j += 2)
                    for (Index channel = 0; channel < out; ++channel) {
                        const auto at = [&](Index row, Index column) {
                            return results.raw[static_cast<std::size_t>(
                                ((frame * height + row) * width + column) * out + channel)];
                        };
                        const auto of_square = {at(i, j), at(i, j + 1), at(i + 1, j), at(i + 1, j + 1)};
                        const bool least = results.sign[static_cast<std::size_t>(channel)] < 0;
                        expected.push_back(least ? std::min(of_square) : std::max(of_square));
                    }
        if (results.raw_extremes != expected)
            failures.push_back(c.name + ": extremes of raw values are not those of their squares");
    }
    return failures;
}

}  // namespace mtdn::testing
