#pragma once

#include <mtdn/backend/cpu/winograd_backward_weights.hpp>
#include <mtdn/backend/cpu/winograd_forward.hpp>

namespace mtdn::detail::cpu {

/// Whether a convolution goes by Winograd's transform: where it may, and where its arithmetic outweighs its transforms.
///
/// The line was drawn where the measured times cross, one core with AVX2, four frames, in GFLOP/s (direct): at 128²,
/// 8 → 8 channels 70 (65), 16 → 8 82 (68), 32 → 4 54 (33), 3 → 32 35 (78); weights 8 → 8 79 (68), 3 → 32 49 (61);
/// 64 → 64 at 8² 198 (50), at 5² 80 (61) but weights 46 (64).
/// @param outputs  the shape that the window slides to: of y, or of dx on the way back
constexpr bool by_winograd(ConvolutionAlgorithm algorithm, const Window& window, Index inputs, const Shape& outputs) {
    const bool possible = window.kernel == 3 && window.stride == 1 && window.padding <= 2;
    if (algorithm != ConvolutionAlgorithm::automatic || !possible)
        return possible && algorithm == ConvolutionAlgorithm::winograd;
    return inputs >= 8 && outputs.channels >= 3 && outputs.height >= 6 && outputs.width >= 6;
}

template <class I>
Correlation<I> direct_correlation(const CpuOperand<I>& x, const Weights& weights, CpuIn<I> bias, const Window& window,
                                  Activation activation, CpuOut<I> y) {
    return {.x = x,
            .weights = weights,
            .bias = bias,
            .kernel = window.kernel,
            .stride = window.stride,
            .padding = window.padding,
            .activation = activation,
            .y = y,
            .height = y.shape.height,
            .width = y.shape.width};
}

template <class I>
void convolve(Workspace& workspace, const CpuOperand<I>& x, CpuIn<I> w, CpuIn<I> scale, CpuIn<I> bias,
              const Window& window, Activation activation, CpuOut<I> y) {
    const Weights weights = Weights::of(w, scale.data);
    if (by_winograd(workspace.convolution, window, x.shape().channels, y.shape))
        winograd::Correlation3x3<I>(x, weights, window.padding, y).run(workspace, bias, activation);
    else
        direct_correlation<I>(x, weights, bias, window, activation, y).run(workspace);
}

template <class I>
void convolve_with_statistics(Workspace& workspace, const CpuOperand<I>& x, CpuIn<I> w, const Window& window,
                              CpuOut<I> y, CpuOut<I> mean, CpuOut<I> variance) {
    if (by_winograd(workspace.convolution, window, x.shape().channels, y.shape)) {
        winograd::Correlation3x3<I>(x, Weights::of(w), window.padding, y).run(workspace, mean, variance);
    } else {
        direct_correlation<I>(x, Weights::of(w), {}, window, Activation::identity, y).run(workspace);
        batch_statistics<I>(workspace, y, mean, variance);
    }
}

/// dx = dy ⋆ flipped, transposed w; where the stride is above 1, dy is spread out with zeros between its pixels.
template <class I>
void convolve_backward_data(Workspace& workspace, CpuIn<I> dy, CpuIn<I> w, const Window& window, CpuOut<I> dx) {
    const Index padding = window.kernel - 1 - window.padding;
    if (by_winograd(workspace.convolution, window, dy.shape.channels, dx.shape))
        winograd::Correlation3x3<I>(dy, Weights::flipped(w), padding, dx).run(workspace);
    else
        Correlation<I>{.x = dy,
                       .weights = Weights::flipped(w),
                       .bias = {},
                       .kernel = window.kernel,
                       .stride = 1,
                       .padding = padding,
                       .dilation = window.stride,
                       .y = dx,
                       .height = dx.shape.height,
                       .width = dx.shape.width}
            .run(workspace);
}

/// Adds to dw and, unless it is empty, to dbias.
template <class I>
void convolve_backward_weights(Workspace& workspace, const CpuOperand<I>& x, CpuIn<I> dy, const Window& window,
                               CpuOut<I> dw, CpuOut<I> dbias) {
    const Index inputs = x.shape().channels;
    if (by_winograd(workspace.convolution, window, inputs, dy.shape))
        winograd::WeightGradient3x3<I>(x, dy, window.padding, dw).run(workspace);
    else
        WeightGradient<I>{.x = x,
                          .dy = dy,
                          .kernel = window.kernel,
                          .stride = window.stride,
                          .padding = window.padding,
                          .dw = dw.data,
                          .tap_step = inputs * dw.stride,
                          .in_step = dw.stride,
                          .out_step = 1}
            .run(workspace);
    if (dbias) add_channel_sums<I>(workspace, dy, dbias.data);
}

}  // namespace mtdn::detail::cpu
