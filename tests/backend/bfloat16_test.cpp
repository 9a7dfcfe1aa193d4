#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/testing/checks.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace mtdn;
using mtdn::testing::values_of;

namespace {

/// The nearest bfloat16, of two equally near the even one, by the definition: 8 significant bits.
double rounded(double value) {
    if (value == 0 || !std::isfinite(value)) return value;
    const int exponent = std::max(std::ilogb(value), -126) - 7;
    const double nearest = std::ldexp(std::nearbyint(std::ldexp(value, -exponent)), exponent);
    return std::abs(nearest) < std::ldexp(1.0, 128) ? nearest : std::copysign(HUGE_VAL, value);
}

/// What the words of the kernels hold for each value: in the lower half and in the upper.
template <class I>
std::pair<std::vector<float>, std::vector<float>> halves(const std::vector<float>& values) {
    std::vector<float> words(values.size()), lower, upper;
    const auto count = static_cast<Index>(values.size());
    detail::cpu::pair_values<I>(values.data(), values.data(), count, count, words.data());
    for (const float word : words) {
        lower.push_back(std::bit_cast<float>(std::bit_cast<std::uint32_t>(word) << 16));
        upper.push_back(std::bit_cast<float>(std::bit_cast<std::uint32_t>(word) & 0xffff0000U));
    }
    return {lower, upper};
}

struct Layer {
    Shape x;
    Index out = 1;
    Window window{};

    Shape y() const { return {x.frames, window.output(x.height), window.output(x.width), out}; }
    Shape w() const { return {window.kernel, window.kernel, x.channels, out}; }
};

/// A tensor of values that bfloat16 holds exactly, the same for every backend, times a factor.
template <class B>
Tensor<B> exact_values(B& backend, const Shape& shape, std::uint64_t seed, double factor) {
    Random random(seed);
    std::vector<typename B::Scalar> values(static_cast<std::size_t>(shape.size()));
    for (auto& value : values) value = static_cast<typename B::Scalar>(factor * rounded(random.normal()));
    Tensor<B> tensor(backend, shape);
    backend.upload(std::span<const typename B::Scalar>(values), View<B, typename B::Scalar>(tensor));
    return tensor;
}

/// Every pass of a layer, and of the transposed convolution that doubles its side.
template <class B>
std::vector<std::vector<double>> passes(B& backend, const Layer& layer, double factor = 1) {
    const Shape doubled{layer.x.frames, 2 * layer.x.height, 2 * layer.x.width, layer.out};
    const Shape wt{2, 2, layer.x.channels, layer.out};
    const auto values = [&](const Shape& shape, std::uint64_t seed) {
        return exact_values(backend, shape, seed, factor);
    };
    const auto x = values(layer.x, 1), w = values(layer.w(), 2), dy = values(layer.y(), 3);
    const auto transposed = values(wt, 4), gradients = values(doubled, 5);
    const Tensor<B> y(backend, layer.y()), dx(backend, layer.x), dw(backend, layer.w()), up(backend, doubled),
        down(backend, layer.x), dt(backend, wt), none;
    backend.convolve(x, w, none, none, layer.window, Activation::identity, y);
    backend.convolve_backward_data(dy, w, layer.window, dx);
    backend.fill(dw, 0);
    backend.convolve_backward_weights(x, dy, layer.window, dw, none);
    backend.transposed_convolve(x, transposed, none, up);
    backend.transposed_convolve_backward_data(gradients, transposed, down);
    backend.fill(dt, 0);
    backend.transposed_convolve_backward_weights(x, gradients, dt, none);
    std::vector<std::vector<double>> results;
    for (const auto& tensor : {y, dx, dw, up, down, dt}) {
        const auto numbers = values_of(tensor);
        results.emplace_back(numbers.begin(), numbers.end());
    }
    return results;
}

}  // namespace

TEMPLATE_TEST_CASE("values are rounded to the nearest bfloat16, ties to the even one", "", isa::Baseline, isa::Avx2,
                   isa::Avx512) {
    using Limits = std::numeric_limits<float>;
    std::vector<float> values{0.0F, -0.0F, 1.0F, Limits::infinity(), -Limits::infinity(), Limits::max(),
                              Limits::lowest()};
    for (const float tie : {1 + 0x1p-8F, 1 + 3 * 0x1p-8F, -1 - 0x1p-8F, 0x1.ffp127F, 0x1.01p-100F, 0x1p-134F,
                            3 * 0x1p-134F})
        for (const float towards : {-Limits::max(), tie, Limits::max()}) values.push_back(std::nextafter(tie, towards));
    Random random(3);
    for (int i = 0; i < 1000; ++i)
        values.push_back(static_cast<float>(std::ldexp(random.normal(), static_cast<int>(random.below(280)) - 150)));
    const auto [lower, upper] = halves<TestType>(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
        INFO("value " << values[i] << ", which is " << std::bit_cast<std::uint32_t>(values[i]));
        const auto expected = std::bit_cast<std::uint32_t>(static_cast<float>(rounded(values[i])));
        CHECK(std::bit_cast<std::uint32_t>(lower[i]) == expected);
        CHECK(std::bit_cast<std::uint32_t>(upper[i]) == expected);
    }
    // Of all that is no number, what rounding as if it were one would make infinite or 0.
    for (const std::uint32_t bits : {0x7f800001U, 0x7fffffffU, 0xff800001U, 0xffffffffU})
        CHECK(std::isnan(halves<TestType>({std::bit_cast<float>(bits)}).first[0]));
}

// Factors that bfloat16 holds have exact products in single precision. What is left is the rounding of sums, as in the
// table of cases: about √n · 2⁻²⁴ for n products, here up to 10 000. A pair put together wrongly is off by far more.
TEMPLATE_TEST_CASE("sums of exact products are those of the reference to single precision", "", isa::Baseline,
                   isa::Avx2, isa::Avx512, isa::Avx512Bf16) {
    CpuFor<TestType> backend({.threads = 2, .precision = Precision::bfloat16});
    Reference<double> reference;
    for (const Layer& layer : {Layer{{1, 1, 1, 1}, 1, {.kernel = 1}},
                               Layer{{2, 9, 7, 3}, 5, {.kernel = 3, .padding = 1}},
                               Layer{{1, 8, 6, 16}, 16, {.kernel = 3, .padding = 1}},
                               Layer{{1, 6, 5, 17}, 33, {.kernel = 1}},
                               Layer{{1, 5, 6, 131}, 40, {.kernel = 3, .padding = 1}},
                               Layer{{3, 4, 3, 300}, 8, {.kernel = 1}},
                               Layer{{2, 9, 8, 6}, 17, {.kernel = 3, .stride = 2, .padding = 1}},
                               Layer{{1, 7, 5, 9}, 24, {.kernel = 1, .stride = 2}},
                               Layer{{1, 11, 12, 5}, 12, {.kernel = 5, .padding = 2}},
                               Layer{{1, 9, 257, 4}, 3, {.kernel = 3, .padding = 1}},
                               Layer{{2, 70, 66, 8}, 16, {.kernel = 3, .padding = 1}}}) {
        const auto ours = passes(backend, layer), expected = passes(reference, layer);
        for (std::size_t pass = 0; pass < ours.size(); ++pass) {
            INFO(layer.x << " to " << layer.out << " channels, window " << layer.window.kernel << ", pass " << pass);
            const auto [rms, largest] = testing::deviation(ours[pass], expected[pass]);
            CHECK(rms <= 1e-6);
            CHECK(largest <= 5e-6);
        }
    }
}

// Odd channels and columns are paired with zeros, on both sides: 0 times what lies there would be no number.
TEST_CASE("what fills up a pair is nothing that lies beside the operands or was there before") {
    Cpu backend({.threads = 1, .precision = Precision::bfloat16});
    Reference<double> reference;
    for (const Index channels : {3, 33}) {
        backend.fill(Tensor<Cpu>(backend, vector_shape(1 << 20)), NAN);  // operands are cut from it
        const Layer odd{{1, 6, 7, channels}, 5, {.kernel = 3, .padding = 1}};
        passes(backend, {{1, 6, 8, channels + 1}, 5, odd.window}, NAN);
        const auto ours = passes(backend, odd), expected = passes(reference, odd);
        for (std::size_t pass = 0; pass < ours.size(); ++pass) {
            INFO(channels << " channels, pass " << pass);
            CHECK(testing::deviation(ours[pass], expected[pass]).rms <= 1e-6);
        }
    }
}

TEST_CASE("convolutions in bfloat16 by the transform are refused") {
    const auto make = [](ConvolutionAlgorithm algorithm) {
        Cpu({.threads = 1, .convolution = algorithm, .precision = Precision::bfloat16});
    };
    CHECK_NOTHROW(make(ConvolutionAlgorithm::direct));
    CHECK_THROWS_AS(make(ConvolutionAlgorithm::winograd), OptionError);
    CHECK_THROWS_WITH(make(ConvolutionAlgorithm::winograd), Catch::Contains("bfloat16") && Catch::Contains("Winograd"));
}
