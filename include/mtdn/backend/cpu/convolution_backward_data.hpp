#pragma once

#include <mtdn/backend/cpu/convolution_forward.hpp>

namespace mtdn::detail::cpu {

/// dx = dy ⋆ flipped, transposed w; where the stride is above 1, dy is spread out with zeros between its pixels.
template <class I>
void convolve_backward_data(Workspace& workspace, CpuIn<I> dy, CpuIn<I> w, const Window& window, CpuOut<I> dx) {
    const Index k = window.kernel, tap = dx.shape.channels * w.stride;
    Correlation<I>{.x = dy,
                   .weights = {w.data + (k * k - 1) * tap, k * k, -tap, 1, w.stride},
                   .bias = {},
                   .kernel = k,
                   .stride = 1,
                   .padding = k - 1 - window.padding,
                   .dilation = window.stride,
                   .y = dx,
                   .height = dx.shape.height,
                   .width = dx.shape.width}
        .run(workspace);
}

}  // namespace mtdn::detail::cpu
