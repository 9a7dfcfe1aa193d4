#pragma once

#include <cmath>
#include <numbers>

#include <mtdn/backend/cuda/block.hpp>
#include <mtdn/backend/options.hpp>

namespace mtdn::detail::cuda {

/// Whether more never comes to less.
constexpr bool never_decreases(Activation activation) {
    return activation != Activation::silu && activation != Activation::gelu && activation != Activation::absolute;
}

inline namespace MTDN_KERNELS {

MTDN_DEVICE inline float sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

/// The distribution function of a normal variate.
MTDN_DEVICE inline float normal(float x) { return 0.5F * std::erfc(-x * static_cast<float>(1 / std::numbers::sqrt2)); }

/// The activation's value at x.
MTDN_DEVICE inline float activated(Activation activation, float x) {
    switch (activation) {
        case Activation::identity: return x;
        case Activation::relu: return x < 0 ? 0.0F : x;  // so that NaN stays
        case Activation::leaky_relu: return x > 0 ? x : 0.01F * x;
        case Activation::sigmoid: return sigmoid(x);
        case Activation::tanh: return std::tanh(x);
        case Activation::silu: return x * sigmoid(x);
        case Activation::gelu: return x * normal(x);
        case Activation::absolute: return std::abs(x);
    }
    return x;
}

/// The activation's derivative at x.
MTDN_DEVICE inline float activation_derivative(Activation activation, float x) {
    switch (activation) {
        case Activation::identity: return 1.0F;
        case Activation::relu: return x > 0 ? 1.0F : 0.0F;
        case Activation::leaky_relu: return x > 0 ? 1.0F : 0.01F;
        case Activation::sigmoid: return sigmoid(x) * sigmoid(-x);
        case Activation::tanh: return 1.0F - std::tanh(x) * std::tanh(x);
        case Activation::silu: return sigmoid(x) * (1.0F + x * sigmoid(-x));
        case Activation::gelu: {
            constexpr auto density = static_cast<float>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
            return normal(x) + x * density * std::exp(-0.5F * x * x);
        }
        case Activation::absolute: return x > 0 ? 1.0F : x < 0 ? -1.0F : 0.0F;
    }
    return 1.0F;
}

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
