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
        return batch_normalise(x, weight_, bias_, running_, options_.epsilon, options_.momentum, activation, pass,
                               known);
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

/// What a normalisation by running statistics is to every channel: x → scale · x + shift.
///
/// @shape scale, shift (1, 1, 1, C)
template <Backend B>
struct ScaleAndShift {
    Tensor<B> scale;
    Tensor<B> shift;
};

template <Backend B>
[[gnu::cold]] void by_running_statistics(const BatchNorm2d<B>& norm, const ScaleAndShift<B>& result) {
    result.scale.backend().normalisation(norm.running().mean, norm.running().variance, norm.weight().value,
                                         norm.bias().value, norm.options().epsilon, result.scale, result.shift);
}
template <Backend B>
[[gnu::cold]] ScaleAndShift<B> by_running_statistics(const BatchNorm2d<B>& norm) {
    B& backend = norm.weight().value.backend();
    const Shape vector = norm.weight().value.shape();
    const ScaleAndShift<B> result{Tensor<B>(backend, vector), Tensor<B>(backend, vector)};
    by_running_statistics(norm, result);
    return result;
}

/// activation(norm(conv(x))). The convolution finds its result's statistics as it stores. In evaluation the
/// normalisation and the activation are done as the convolution stores.
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
    const auto [scale, shift] = by_running_statistics(norm);
    const Window window = conv.window();
    Tensor<B> y(backend, {in.frames, window.output(in.height), window.output(in.width), w.channels});
    backend.convolve(operand_of(x), conv.weight().value, scale, shift, window, activation, y);
    return Variable<B>(std::move(y));
}

}  // namespace mtdn
