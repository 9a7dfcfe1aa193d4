#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <mtdn/backend/reference.hpp>
#include <mtdn/backend/testing/table.hpp>

namespace mtdn::testing {

/// A tensor's values on the host, in the order of its pixels.
template <Backend B, class T>
std::vector<T> values_of(const Tensor<B, T>& x) {
    std::vector<T> values(static_cast<std::size_t>(x.shape().size()));
    x.backend().download(View<B, const T>(x), std::span<T>(values));
    return values;
}

/// How far values are from what is expected, relative to the latter's size.
struct Deviation {
    double rms = 0;      ///< root mean square error over root mean square
    double largest = 0;  ///< largest error over largest value
};

/// The deviation; infinite where a value is no number, or where 0 is expected and something else came.
template <class T>
Deviation deviation(const std::vector<T>& ours, const std::vector<double>& expected) {
    double error = 0, norm = 0, largest_error = 0, largest = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        if (!std::isfinite(ours[i])) return {HUGE_VAL, HUGE_VAL};
        const double difference = std::abs(ours[i] - expected[i]);
        error += difference * difference;
        norm += expected[i] * expected[i];
        largest_error = std::max(largest_error, difference);
        largest = std::max(largest, std::abs(expected[i]));
    }
    const auto relative = [](double a, double b) { return a == 0 ? 0 : b == 0 ? HUGE_VAL : a / b; };
    return {relative(std::sqrt(error), std::sqrt(norm)), relative(largest_error, largest)};
}

/// Where the backend's results are not those of `Reference<double>`, over the table of cases; empty if nowhere.
///
/// `tolerance` bounds the relative root mean square error, five times as much the largest error; where `convolutions`
/// is larger, it takes its place for these. For single precision:
/// a sum of n products is off by about √n · 2⁻²⁴ of their root mean square, 2e-6 for the longest sum of the table;
/// transformed convolutions lose up to a factor of 4 more; errors spread like a normal variate, whose largest of some
/// thousand stays below five deviations. What is wrong is off by far more.
template <Backend B>
std::vector<std::string> check_backend(B& backend, double tolerance = 1e-5, double convolutions = 0) {
    std::vector<std::string> failures;
    Reference<double> exact;
    const auto ours = cases::table<B>();
    const auto expected = cases::table<Reference<double>>();
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const auto a = ours[i].prepare(backend);
        const auto b = expected[i].prepare(exact);
        a.run();
        b.run();
        const bool convolution = ours[i].operation.find("convolve") != std::string::npos;
        const double allowed = convolution ? std::max(tolerance, convolutions) : tolerance;
        for (std::size_t k = 0; k < a.results.size(); ++k) {
            const auto [rms, largest] = deviation(values_of(a.results[k]), values_of(b.results[k]));
            if (!(rms <= allowed && largest <= 5 * allowed))
                failures.push_back(concatenate(ours[i].name(), ": result ", k, " is off by ", rms, " (rms), ", largest,
                                               " (largest), relative to what is expected; at most ", allowed, ", ",
                                               5 * allowed, " are allowed"));
        }
        for (std::size_t k = 0; k < a.codes.size(); ++k)
            if (values_of(a.codes[k]) != values_of(b.codes[k]))
                failures.push_back(ours[i].name() + ": labels differ from what is expected");
    }
    return failures;
}

/// Where two backends, say of different numbers of threads, differ in any bit over the table of cases.
template <Backend B>
std::vector<std::string> check_equal_bits(B& first, B& second) {
    std::vector<std::string> failures;
    for (const auto& that : cases::table<B>()) {
        const auto a = that.prepare(first), b = that.prepare(second);
        a.run();
        b.run();
        bool equal = true;
        for (std::size_t k = 0; k < a.results.size(); ++k)
            equal = equal && values_of(a.results[k]) == values_of(b.results[k]);
        for (std::size_t k = 0; k < a.codes.size(); ++k)
            equal = equal && values_of(a.codes[k]) == values_of(b.codes[k]);
        if (!equal) failures.push_back(that.name() + ": the two backends' results differ");
    }
    return failures;
}

}  // namespace mtdn::testing
