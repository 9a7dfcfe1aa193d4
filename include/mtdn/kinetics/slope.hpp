#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// The values of `slope_weights` for one time: the slope is Σ weights[j] · values[first + j].
struct SlopeWeights {
    std::size_t first = 0;
    std::vector<double> weights{};
};

/// How the slope of a curve at each of its times follows from the values around it: that of the parabola fitted to the
/// `window` nearest values in number, at either end the outermost ones. A window of 3 is the central difference for
/// uneven times; a straight line through two values where there are no more.
///
/// @throws OptionError if the window is even or less than 3; DataError unless there are two times, and they rise
/// @source Savitzky and Golay 1964, for uneven times
inline std::vector<SlopeWeights> slope_weights(std::span<const double> times, Index window) {
    require<OptionError>(window >= 3 && window % 2 == 1, "slope_weights: window must be odd and at least 3, got ",
                         window);
    require<DataError>(times.size() >= 2, "slope_weights: a slope needs 2 frames, got ", times.size());
    for (std::size_t i = 1; i < times.size(); ++i)
        require<DataError>(times[i] > times[i - 1], "slope_weights: time does not rise at frame ", i, " (",
                           times[i - 1], " s, then ", times[i], " s)");
    const std::size_t count = std::min(times.size(), static_cast<std::size_t>(window)), half = count / 2;
    std::vector<SlopeWeights> all;
    for (std::size_t i = 0; i < times.size(); ++i) {
        SlopeWeights slope{std::min(i - std::min(i, half), times.size() - count), {}};
        // Polynomials that are orthogonal on the window's times, x being counted from the middle one:
        // p = x − c, q = p² − a p − b.
        const auto x = [&](std::size_t j) { return times[slope.first + j] - times[i]; };
        double c = 0, pp = 0, ppp = 0, qq = 0;
        const auto n = static_cast<double>(count);
        for (std::size_t j = 0; j < count; ++j) c += x(j) / n;
        for (std::size_t j = 0; j < count; ++j)
            pp += (x(j) - c) * (x(j) - c), ppp += (x(j) - c) * (x(j) - c) * (x(j) - c);
        const double a = ppp / pp, b = pp / n;
        const auto q = [&](std::size_t j) { return (x(j) - c) * (x(j) - c) - a * (x(j) - c) - b; };
        for (std::size_t j = 0; j < count; ++j) qq += q(j) * q(j);
        const double slope_of_q = count > 2 ? -2 * c - a : 0;
        for (std::size_t j = 0; j < count; ++j)
            slope.weights.push_back((x(j) - c) / pp + (count > 2 ? slope_of_q * q(j) / qq : 0));
        all.push_back(std::move(slope));
    }
    return all;
}

}  // namespace mtdn
