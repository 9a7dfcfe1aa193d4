#pragma once

#include <utility>

#include <mtdn/nn/pooled_convolution.hpp>

namespace mtdn {

/// U-Net's block: [convolution 3×3 without bias → batch normalisation → ReLU] twice.
///
/// @shape (N, H, W, in) → (N, H, W, out)
/// @source Ronneberger et al. 2015 with batch normalisation; paper §2.2, Fig. 5
template <Backend B>
class ConvBlock {
public:
    [[gnu::cold]]
    ConvBlock(B& backend, Index in, Index out, Random& random, Initialiser initialiser = Initialiser::uniform)
        : conv1_(backend, {.in = in, .out = out, .bias = false, .initialiser = initialiser}, random),
          norm1_(backend, out),
          conv2_(backend, {.in = out, .out = out, .bias = false, .initialiser = initialiser}, random),
          norm2_(backend, out) {}

    Variable<B> operator()(Variable<B> x, Pass<B>& pass) const {
        x = convolve_and_normalise(conv1_, norm1_, Activation::relu, x, pass);
        return convolve_and_normalise(conv2_, norm2_, Activation::relu, x, pass);
    }

    /// Its result, and `max_pool2` of that.
    Pooled<B> pooled(Variable<B> x, Pass<B>& pass) const {
        x = convolve_and_normalise(conv1_, norm1_, Activation::relu, x, pass);
        return convolve_normalise_and_pool(conv2_, norm2_, Activation::relu, std::move(x), pass);
    }

    static void visit(auto& self, auto&& visitor) {
        visitor("conv1", self.conv1_);
        visitor("norm1", self.norm1_);
        visitor("conv2", self.conv2_);
        visitor("norm2", self.norm2_);
    }

private:
    Conv2d<B> conv1_;
    BatchNorm2d<B> norm1_;
    Conv2d<B> conv2_;
    BatchNorm2d<B> norm2_;
};

}  // namespace mtdn
