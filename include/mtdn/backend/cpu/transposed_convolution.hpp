#pragma once

#include <mtdn/backend/cpu/convolution_backward_weights.hpp>
#include <mtdn/backend/cpu/convolution_forward.hpp>

namespace mtdn::detail::cpu {

/// Four 1×1 convolutions, each writing every other row and column.
template <class I>
void transposed_convolve(Workspace& workspace, CpuIn<I> x, CpuIn<I> w, CpuIn<I> bias, CpuOut<I> y) {
    for (Index tap = 0; tap < 4; ++tap)
        Correlation<I>{.x = x,
                       .weights = {w.data + tap * x.shape.channels * w.stride, 1, 0, w.stride, 1},
                       .bias = bias,
                       .y = y,
                       .height = x.shape.height,
                       .width = x.shape.width,
                       .scatter = {2, tap / 2, tap % 2}}
            .run(workspace);
}

/// A 2×2 convolution of dy with stride 2.
template <class I>
void transposed_convolve_backward_data(Workspace& workspace, CpuIn<I> dy, CpuIn<I> w, CpuOut<I> dx) {
    Correlation<I>{.x = dy,
                   .weights = {w.data, 4, dx.shape.channels * w.stride, 1, w.stride},
                   .bias = {},
                   .kernel = 2,
                   .stride = 2,
                   .y = dx,
                   .height = dx.shape.height,
                   .width = dx.shape.width}
        .run(workspace);
}

/// Those of a 2×2 convolution from dy to x with stride 2, transposed.
template <class I>
void transposed_convolve_backward_weights(Workspace& workspace, CpuIn<I> x, CpuIn<I> dy, CpuOut<I> dw,
                                          CpuOut<I> dbias) {
    WeightGradient<I>{.x = dy,
                      .dy = x,
                      .kernel = 2,
                      .stride = 2,
                      .padding = 0,
                      .dw = dw.data,
                      .tap_step = x.shape.channels * dw.stride,
                      .in_step = 1,
                      .out_step = dw.stride}
        .run(workspace);
    if (dbias) add_channel_sums<I>(workspace, dy, dbias.data);
}

}  // namespace mtdn::detail::cpu
