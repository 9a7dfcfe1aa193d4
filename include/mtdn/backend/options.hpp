#pragma once

#include <cstdint>
#include <string_view>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// Geometry of a square convolution or pooling window.
struct Window {
    Index kernel = 3;   ///< side of the window, pixels
    Index stride = 1;   ///< step from one output pixel to the next, input pixels
    Index padding = 0;  ///< rows and columns of zeros around the input

    /// Output pixels along a side of `input` pixels.
    ///
    /// @throws ShapeError if the window does not fit
    constexpr Index output(Index input) const {
        require<ShapeError>(kernel > 0 && stride > 0 && padding >= 0 && input + 2 * padding >= kernel,
                            "Window: a side of ", input, " pixels with padding ", padding,
                            " is smaller than the kernel ", kernel);
        return (input + 2 * padding - kernel) / stride + 1;
    }

    friend constexpr bool operator==(const Window&, const Window&) = default;
};

/// How a backend computes 3×3 convolutions of stride 1, where it has several ways.
enum class ConvolutionAlgorithm : std::uint8_t {
    automatic,  ///< the faster one, by a rule of the shape
    direct,     ///< as defined: in single precision some 3·10⁻⁷ of the output's size off (root mean square)
    winograd,   ///< by Winograd's F(4×4, 3×3): a fraction of the products, some 8·10⁻⁷ off
};

/// How precisely numbers are stored, or multiplied, where there is a choice.
enum class Precision : std::uint8_t {
    single,    ///< 24 significant bits
    bfloat16,  ///< 8 significant bits, rounded to the nearest
    tf32,      ///< 11 significant bits, rounded to the nearest: what an NVIDIA GPU multiplies of single precision
    tf32x3,    ///< nearly single: each factor the sum of two in TF32, multiplied by three products of those
};

/// Function applied to every element after a normalisation or on its own.
enum class Activation : std::uint8_t {
    identity,
    relu,        ///< max(x, 0)
    leaky_relu,  ///< x if x > 0, else 0.01 x
    sigmoid,     ///< 1 / (1 + exp(-x))
    tanh,
    silu,      ///< x · sigmoid(x)
    gelu,      ///< x Φ(x), by the error function
    absolute,  ///< |x|, derivative 0 at 0
};

/// What the sum of a loss over the pixels that count is divided by.
enum class Reduction : std::uint8_t {
    pixels,   ///< the number of pixels that count
    none,     ///< nothing: the sum
    weights,  ///< the sum of their class weights
};

/// Focal loss of softmax over the channels: −α_y (1 − p_y)^γ log p_y; with γ = 0 the weighted cross-entropy.
///
/// @source Lin et al. 2017, Eq. 5; paper §2.3, Eq. 1
struct FocalOptions {
    double gamma = 2;                          ///< focusing exponent γ ≥ 0
    Reduction reduction = Reduction::pixels;   ///< what the sum is divided by
    /// 0 for the loss as defined. s > 0: the published experiment's variant, with y one-hot clamped to
    /// [s/(C−1), 1−s], q = Σ_c y_c p_c + s and loss −α_y (1 − q)^γ log q.
    double smoothing = 0;
};

/// Options of the Tversky loss; the defaults are the Dice loss.
struct TverskyOptions {
    double false_positives = 0.5;  ///< weight of what is predicted and not there
    double false_negatives = 0.5;  ///< weight of what is there and not predicted
    double smoothing = 1;          ///< added to twice the overlap and to the sum it is divided by
};

/// One step of Adam with decoupled weight decay.
///
/// @source Loshchilov and Hutter 2019, Algorithm 2
struct AdamWStep {
    double rate = 1e-3;      ///< learning rate of this step
    double beta1 = 0.9;      ///< decay of the first moment
    double beta2 = 0.999;    ///< decay of the second moment
    double epsilon = 1e-8;   ///< added to the root of the second moment
    double decay = 0.01;     ///< weight decay, times the rate
    std::int64_t step = 1;   ///< number of this step, from 1
};

/// One step of stochastic gradient descent: v ← m v + (g + decay · p), p ← p − rate · v (or g + m v if Nesterov).
struct SgdStep {
    double rate = 1e-2;     ///< learning rate of this step
    double momentum = 0;    ///< m
    double decay = 0;       ///< weight decay, added to the gradient
    bool nesterov = false;  ///< look ahead by one momentum step
    bool first = false;     ///< the first step, where v is g
};

}  // namespace mtdn
