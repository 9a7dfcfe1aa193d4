// Prints how far single precision and bfloat16 are from double on the 3×3 convolutions of the published network: root
// mean square and largest error, both relative to the root mean square of what is expected. Channels are the network's;
// images are cut to at most 32 pixels a side, which changes no sum of the first two passes; the third sums over pixels.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/core/random.hpp>

namespace {

using namespace mtdn;

std::vector<float> normal_values(const Shape& shape, double deviation, Random& random) {
    std::vector<float> values(static_cast<std::size_t>(shape.size()));
    for (auto& value : values) value = static_cast<float>(deviation * random.normal());
    return values;
}

/// y, dx and dw.
template <Backend B>
std::vector<std::vector<double>> all_passes(B& backend, const Shape& image, Index out) {
    using T = typename B::Scalar;
    Random random(1);
    const auto tensor = [&](const Shape& shape, double deviation) {
        const auto floats = normal_values(shape, deviation, random);
        const std::vector<T> values(floats.begin(), floats.end());
        Tensor<B> made(backend, shape);
        backend.upload(std::span<const T>(values), View<B, T>(made));
        return made;
    };
    const auto x = tensor(image, 1), w = tensor({3, 3, image.channels, out}, 0.05),
               dy = tensor(image.with_channels(out), 1);
    const Tensor<B> y(backend, dy.shape()), dx(backend, x.shape()), dw(backend, w.shape());
    const Window window{.kernel = 3, .padding = 1};
    backend.convolve(x, w, {}, {}, window, Activation::identity, y);
    backend.convolve_backward_data(dy, w, window, dx);
    backend.fill(dw, 0);
    backend.convolve_backward_weights(x, dy, window, dw, Tensor<B>());
    std::vector<std::vector<double>> results;
    for (const auto& result : {y, dx, dw}) {
        std::vector<T> values(static_cast<std::size_t>(result.shape().size()));
        backend.download(View<B, const T>(result), std::span<T>(values));
        results.emplace_back(values.begin(), values.end());
    }
    return results;
}

std::string error(const std::vector<double>& ours, const std::vector<double>& expected) {
    double squares = 0, largest = 0, norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double off = std::abs(ours[i] - expected[i]);
        squares += off * off;
        norm += expected[i] * expected[i];
        largest = std::max(largest, off);
    }
    char text[64];
    std::snprintf(text, sizeof text, "%.1e %.1e", std::sqrt(squares / norm),
                  largest / std::sqrt(norm / static_cast<double>(expected.size())));
    return text;
}

}  // namespace

int main() {
    std::printf(
        "| side, channels | algorithm | forward: rms, largest | by data | by weights |\n|---|---|---|---|---|\n");
    for (const auto& [side, in, out] : {std::tuple<Index, Index, Index>{32, 32, 32}, {32, 64, 32}, {32, 64, 64},
                                        {32, 32, 16}, {32, 16, 3}, {32, 128, 64}, {32, 128, 128}, {32, 256, 128},
                                        {32, 256, 256}, {32, 512, 256}, {16, 512, 512}}) {
        const Shape image{1, side, side, in};
        Reference<double> exact;
        const auto expected = all_passes(exact, image, out);
        for (const auto& [name, options] : {std::pair<const char*, CpuOptions>
                 {"direct", {.convolution = ConvolutionAlgorithm::direct}},
                 {"winograd", {.convolution = ConvolutionAlgorithm::winograd}},
                 {"bfloat16", {.precision = Precision::bfloat16}}}) {
            Cpu cpu(options);
            const auto ours = all_passes(cpu, image, out);
            std::printf("| %td², %td → %td | %s |", side, in, out, name);
            for (std::size_t pass = 0; pass < 3; ++pass)
                std::printf(" %s |", error(ours[pass], expected[pass]).c_str());
            std::printf("\n");
            std::fflush(stdout);
        }
    }
}
