#pragma once

// Convolutions of random numbers that a backend rounds to fewer bits before it multiplies them, against another backend
// that gets them rounded: what is left is how sums round, and a lost pixel or a wrong tap is far above that.
#include <bit>
#include <string>
#include <vector>

#include <mtdn/backend/cuda/testing/warp.hpp>
#include <mtdn/backend/testing/checks.hpp>

namespace mtdn::testing {

/// What a convolution of this precision multiplies in place of x.
inline float rounded(Precision precision, float x) {
    if (precision == Precision::bfloat16) return BFloat16::nearest(x).value();
    return precision == Precision::tf32 ? std::bit_cast<float>(detail::cuda::nearest_tf32(x)) : x;
}

/// y, dx and dw of a convolution of normal variates, which are rounded to `precision` first.
template <Backend B>
std::vector<std::vector<typename B::Scalar>> random_passes(B& backend, const cases::Convolution& c,
                                                           Precision precision) {
    using T = typename B::Scalar;
    Random random(1);
    const auto some = [&](const Shape& shape) {
        std::vector<T> values(static_cast<std::size_t>(shape.size()));
        for (T& value : values) value = rounded(precision, static_cast<float>(random.normal()));
        const Tensor<B> tensor(backend, shape);
        backend.upload(std::span<const T>(values), View<B, T>(tensor));
        return tensor;
    };
    const auto x = some(c.x), w = some(c.w()), dy = some(c.y());
    const Tensor<B> y(backend, c.y()), dx(backend, c.x), dw(backend, c.w());
    backend.convolve(x, w, {}, {}, c.window, Activation::identity, y);
    backend.convolve_backward_data(dy, w, c.window, dx);
    backend.fill(dw, 0);
    backend.convolve_backward_weights(x, dy, c.window, dw, Tensor<B>());
    return {values_of(y), values_of(dx), values_of(dw)};
}

/// How far a backend may be from another whose operands were rounded first, relative, root mean square.
struct RoundedBounds {
    double forward;  ///< y and dx
    double weights;  ///< dw
};

/// Where a backend of this precision is further from another one.
template <Backend B, Backend Other>
std::vector<std::string> check_rounded_convolution(B& backend, Other& exact, const cases::Convolution& c,
                                                   Precision precision, const RoundedBounds& bounds) {
    std::vector<std::string> failures;
    const auto ours = random_passes(backend, c, Precision::single);
    const auto expected = random_passes(exact, c, precision);
    const char* passes[] = {"y", "dx", "dw"};
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const double allowed = i == 2 ? bounds.weights : bounds.forward;
        const double off = deviation(ours[i], std::vector<double>(expected[i].begin(), expected[i].end())).rms;
        if (!(off <= allowed))
            failures.push_back(concatenate(c.label(), " of operands rounded first: ", passes[i], " is off by ", off,
                                           "; at most ", allowed, " is allowed"));
    }
    return failures;
}

/// Every convolution of stride 1 of the published network, of two frames of 256 pixels' side.
inline std::vector<cases::Convolution> network_convolutions() {
    std::vector<cases::Convolution> all;
    const auto add = [&](Index side, Index in, Index out) {
        all.push_back({.x = {2, side, side, in}, .out = out, .window = {.kernel = 3, .padding = 1}});
    };
    add(256, 3, 32);
    add(256, 32, 32);
    for (Index side = 128, width = 64; width <= 512; side /= 2, width *= 2) {
        add(side, width / 2, width);
        add(side, width, width);
        if (width < 512) add(side, 2 * width, width);
    }
    add(256, 64, 32);  // the last step up, and a head
    add(256, 64, 64);
    add(256, 32, 16);
    add(256, 16, 3);
    all.push_back({.x = {2, 256, 256, 3}, .out = 4, .window = {.kernel = 1}});
    return all;
}

}  // namespace mtdn::testing
