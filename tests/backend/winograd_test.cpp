#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/testing/checks.hpp>
#include <mtdn/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace mtdn;
using mtdn::testing::values_of;

namespace {

struct Network {
    Shape x;
    Index out = 1;
};

/// Convolution with statistics and both ways back, computed in one way.
struct Passes {
    Index groups;
    std::vector<float> y, dx, dw, mean, variance;

    Passes(ConvolutionAlgorithm algorithm, const Network& n) : groups(n.x.frames % 2 == 0 ? 2 : 1) {
        Cpu cpu({.convolution = algorithm});
        Random random(7);
        const auto normal = [&](const Shape& shape) {
            std::vector<float> values(static_cast<std::size_t>(shape.size()));
            for (auto& value : values) value = static_cast<float>(random.normal());
            Tensor<Cpu> tensor(cpu, shape);
            cpu.upload(std::span<const float>(values), View<Cpu, float>(tensor));
            return tensor;
        };
        const Shape out = n.x.with_channels(n.out), statistic{groups, 1, 1, n.out};
        const auto x = normal(n.x), w = normal({3, 3, n.x.channels, n.out}), gradients = normal(out);
        const Tensor<Cpu> result(cpu, out), back(cpu, n.x), gradient(cpu, w.shape()), m(cpu, statistic),
            v(cpu, statistic);
        const Window window{.kernel = 3, .padding = 1};
        cpu.convolve_with_statistics(x, w, window, result, m, v);
        cpu.convolve_backward_data(gradients, w, window, back);
        cpu.fill(gradient, 0);
        cpu.convolve_backward_weights(x, gradients, window, gradient, Tensor<Cpu>());
        y = values_of(result);
        dx = values_of(back);
        dw = values_of(gradient);
        mean = values_of(m);
        variance = values_of(v);
    }
};

/// Largest error of mean and variance, the one relative to the deviation, the other to itself.
std::pair<double, double> statistics_error(const Passes& p) {
    const std::size_t channels = p.mean.size() / static_cast<std::size_t>(p.groups);
    const std::size_t pixels = p.y.size() / channels / static_cast<std::size_t>(p.groups);
    double worst_mean = 0, worst_variance = 0;
    for (std::size_t i = 0; i < p.mean.size(); ++i) {
        const float* y = p.y.data() + i / channels * pixels * channels + i % channels;
        const auto count = static_cast<double>(pixels);
        double mean = 0, variance = 0;
        for (std::size_t pixel = 0; pixel < pixels; ++pixel) mean += y[pixel * channels] / count;
        for (std::size_t pixel = 0; pixel < pixels; ++pixel)
            variance += (y[pixel * channels] - mean) * (y[pixel * channels] - mean) / count;
        worst_mean = std::max(worst_mean, std::abs(p.mean[i] - mean) / std::sqrt(variance));
        worst_variance = std::max(worst_variance, std::abs(p.variance[i] / variance - 1));
    }
    return {worst_mean, worst_variance};
}

const std::vector<Network> networks{{{2, 70, 66, 16}, 16},  {{4, 33, 47, 64}, 32},   {{1, 108, 108, 128}, 128},
                                    {{260, 4, 4, 16}, 16},  {{6, 33, 32, 256}, 128}, {{2, 8, 8, 512}, 256}};

}  // namespace

// The table of cases has small shapes, compared with double precision. These are as large as work is cut in every way:
// several runs of tiles, several slabs, weights that do not fit beside them. Direct sums are off by some 2e-7 (root
// mean square); the transform's products by four times that.
TEST_CASE("Winograd's convolutions agree with direct ones on shapes that are cut in every way") {
    for (const Network& n : networks) {
        INFO(n.x << " to " << n.out << " channels");
        const Passes ours(ConvolutionAlgorithm::winograd, n), expected(ConvolutionAlgorithm::direct, n);
        const auto check = [](const std::vector<float>& a, const std::vector<float>& b) {
            const auto [rms, largest] = testing::deviation(a, std::vector<double>(b.begin(), b.end()));
            CHECK(rms <= 2e-6);
            CHECK(largest <= 1e-5);
        };
        check(ours.y, expected.y);
        check(ours.dx, expected.dx);
        check(ours.dw, expected.dw);
    }
}

// Sums in single precision of a few hundred values about one of them, joined in double: some units in the last place.
TEST_CASE("A convolution's statistics are those of its result") {
    for (const Network& n : networks)
        for (const auto algorithm : {ConvolutionAlgorithm::winograd, ConvolutionAlgorithm::direct}) {
            INFO(n.x << " to " << n.out << " channels");
            const auto [mean, variance] = statistics_error({algorithm, n});
            CHECK(mean <= 5e-7);
            CHECK(variance <= 1e-6);
        }
}

TEST_CASE("A convolution that has no transformed way is computed directly, whatever is asked for") {
    using detail::cpu::by_winograd;
    const Shape image{1, 64, 64, 64};
    for (const auto algorithm : {ConvolutionAlgorithm::automatic, ConvolutionAlgorithm::winograd}) {
        CHECK(by_winograd(algorithm, {.kernel = 3, .padding = 1}, 64, image));
        CHECK_FALSE(by_winograd(algorithm, {.kernel = 3, .stride = 2, .padding = 1}, 64, image));
        CHECK_FALSE(by_winograd(algorithm, {.kernel = 5, .padding = 2}, 64, image));
    }
    CHECK_FALSE(by_winograd(ConvolutionAlgorithm::direct, {.kernel = 3, .padding = 1}, 64, image));
    CHECK_FALSE(by_winograd(ConvolutionAlgorithm::automatic, {.kernel = 3, .padding = 1}, 3, image));
}
