#pragma once

#include <mtdn/autograd/normalisation.hpp>
#include <mtdn/nn/convolution.hpp>

namespace mtdn {

/// Options of a batch normalisation.
struct BatchNormOptions {
    double epsilon = 1e-5;  ///< added to the variance
    double momentum = 0.1;  ///< weight of a batch in the running statistics
};

/// Batch normalisation with weight and bias, over each of the pass's groups.
///
/// @shape (N, H, W, C) → the same
template <Backend B>
class BatchNorm2d {
public:
    [[gnu::cold]] BatchNorm2d(B& backend, Index channels, const BatchNormOptions& options = {})
        : options_(options), weight_(backend, vector_shape(channels), ParameterKind::vector),
          bias_(backend, vector_shape(channels), ParameterKind::vector), running_(backend, channels) {
        backend.fill(weight_.value, 1);
        backend.fill(bias_.value, 0);
    }

    /// The normalised input after an activation.
    Variable<B> operator()(const Variable<B>& x, Pass<B>& pass, Activation activation = Activation::identity,
                           const BatchStatistics<B>& known = {}) const {
        return batch_normalise(x, weight_, bias_, running_, options_.epsilon, options_.momentum, activation, pass, known);
    }

    const BatchNormOptions& options() const { return options_; }
    const Parameter<B>& weight() const { return weight_; }
    const Parameter<B>& bias() const { return bias_; }
    const RunningStatistics<B>& running() const { return running_; }

    static void visit(auto& self, auto&& visitor) {
        visitor("weight", self.weight_);
        visitor("bias", self.bias_);
        visitor("", self.running_);
    }

private:
    BatchNormOptions options_;
    Parameter<B> weight_;
    Parameter<B> bias_;
    RunningStatistics<B> running_;
};

/// A convolution's weights with a normalisation by running statistics folded in, and the term that remains to be added.
template <Backend B>
struct FoldedConvolution {
    Tensor<B> weight;
    Tensor<B> shift;
};

/// @param conv without a bias
template <Backend B>
[[gnu::cold]] FoldedConvolution<B> fold(const Conv2d<B>& conv, const BatchNorm2d<B>& norm) {
    const Tensor<B>& weight = conv.weight().value;
    B& backend = weight.backend();
    const Shape vector = vector_shape(weight.shape().channels);
    Tensor<B> scale(backend, vector), shift(backend, vector), zero(backend, vector), folded(backend, weight.shape());
    backend.normalisation(norm.running().mean, norm.running().variance, norm.weight().value, norm.bias().value,
                          norm.options().epsilon, scale, shift);
    backend.fill(zero, 0);
    backend.normalise(weight, scale, zero, Activation::identity, folded);
    return {folded, shift};
}

/// activation(norm(conv(x))). The convolution finds its result's statistics as it stores. In evaluation the normalisation
/// is folded into the convolution's weights, and the activation is done as the convolution stores.
template <Backend B>
Variable<B> convolve_and_normalise(const Conv2d<B>& conv, const BatchNorm2d<B>& norm, Activation activation,
                                   const Variable<B>& x, Pass<B>& pass) {
    B& backend = pass.backend();
    if (pass.statistics() == Statistics::batch && !conv.bias() && x.shape().frames % pass.groups() == 0) {
        const Shape statistic{pass.groups(), 1, 1, conv.options().out};
        const BatchStatistics<B> found{Tensor<B>(backend, statistic), Tensor<B>(backend, statistic)};
        return norm(convolve(x, conv.weight(), nullptr, conv.window(), found), pass, activation, found);
    }
    if (pass.tape() || pass.statistics() != Statistics::running || conv.bias())
        return norm(conv(x, pass), pass, activation);
    const Shape w = conv.weight().value.shape(), in = x.shape();
    require<ShapeError>(in.channels == w.width, "convolve: the input ", in, " has ", in.channels,
                        " channels, the weights ", w, " take ", w.width);
    const auto [folded, shift] = fold(conv, norm);
    const Window window = conv.window();
    Tensor<B> y(backend, {in.frames, window.output(in.height), window.output(in.width), w.channels});
    backend.convolve(operand_of(x), folded, shift, window, activation, y);
    return Variable<B>(std::move(y));
}

}  // namespace mtdn
