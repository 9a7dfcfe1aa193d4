#pragma once

#include <optional>

#include <mtdn/autograd/convolution.hpp>
#include <mtdn/autograd/pass.hpp>
#include <mtdn/nn/initialise.hpp>

namespace mtdn {

/// Options of a convolution.
struct Conv2dOptions {
    Index in = 1;          ///< input channels
    Index out = 1;         ///< output channels
    Index kernel = 3;      ///< side of the window, pixels
    Index stride = 1;      ///< step, pixels
    Index padding = -1;    ///< zeros around the input, pixels; −1: half the kernel, which keeps the size
    bool bias = true;      ///< add a bias
    Initialiser initialiser = Initialiser::uniform;  ///< first values
};

/// Convolution with zero padding.
///
/// @shape (N, H, W, in) → (N, H', W', out)
template <Backend B>
class Conv2d {
public:
    /// @throws OptionError if a size is out of range
    [[gnu::cold]] Conv2d(B& backend, const Conv2dOptions& options, Random& random)
        : options_(options), weight_(backend, {options.kernel, options.kernel, options.in, options.out},
                                     ParameterKind::convolution) {
        require<OptionError>(options.in > 0 && options.out > 0 && options.kernel > 0 && options.stride > 0 &&
                                 options.padding >= -1,
                             "Conv2d: sizes must be positive, got in ", options.in, ", out ", options.out, ", kernel ",
                             options.kernel, ", stride ", options.stride, ", padding ", options.padding);
        const Index fan_in = options.in * options.kernel * options.kernel;
        initialise(weight_, false, fan_in, options.initialiser, random);
        if (options.bias) {
            bias_.emplace(backend, vector_shape(options.out), ParameterKind::vector);
            initialise(*bias_, true, fan_in, options.initialiser, random);
        }
    }

    Variable<B> operator()(const Variable<B>& x, Pass<B>&) const {
        return convolve(x, weight_, bias_ ? &*bias_ : nullptr, window());
    }

    /// Geometry of the window.
    Window window() const {
        return {options_.kernel, options_.stride, options_.padding < 0 ? options_.kernel / 2 : options_.padding};
    }
    const Conv2dOptions& options() const { return options_; }
    const Parameter<B>& weight() const { return weight_; }
    const std::optional<Parameter<B>>& bias() const { return bias_; }

    static void visit(auto& self, auto&& visitor) {
        visitor("weight", self.weight_);
        visitor("bias", self.bias_);
    }

private:
    Conv2dOptions options_;
    Parameter<B> weight_;
    std::optional<Parameter<B>> bias_;
};

/// Transposed convolution 2×2 of stride 2 with a bias: twice the rows and columns.
///
/// @shape (N, H, W, in) → (N, 2H, 2W, out)
template <Backend B>
class ConvTranspose2d {
public:
    [[gnu::cold]]
    ConvTranspose2d(B& backend, Index in, Index out, Random& random, Initialiser initialiser = Initialiser::uniform)
        : weight_(backend, {2, 2, in, out}, ParameterKind::transposed_convolution),
          bias_(backend, vector_shape(out), ParameterKind::vector) {
        const Index fan_in = out * 4;  // as PyTorch counts it
        initialise(weight_, false, fan_in, initialiser, random);
        initialise(bias_, true, fan_in, initialiser, random);
    }

    Variable<B> operator()(const Variable<B>& x, Pass<B>&) const { return transposed_convolve(x, weight_, &bias_); }

    static void visit(auto& self, auto&& visitor) {
        visitor("weight", self.weight_);
        visitor("bias", self.bias_);
    }

private:
    Parameter<B> weight_;
    Parameter<B> bias_;
};

}  // namespace mtdn
