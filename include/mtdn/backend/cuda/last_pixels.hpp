#pragma once

#include <mtdn/backend/cuda/classification.hpp>
#include <mtdn/backend/cuda/library_convolution.hpp>
#include <mtdn/backend/cuda/operand.hpp>
#include <mtdn/backend/pending_loss.hpp>

// The way back from a focal loss through the 1×1 convolution before it, each pixel by one thread that keeps its
// gradients.

namespace mtdn {

namespace detail::cuda {

/// Input channels and classes that a thread has in registers.
inline constexpr int last_channels = 4;

inline namespace MTDN_KERNELS {

/// What a pixel adds to the gradients of weights, (in, classes), and then of biases; its gradients by x go to dx.
struct LastPixels {
    static constexpr int quantities = last_channels * last_channels + last_channels;
    FocalBackward loss;
    Parts x;
    Pixels<const float> w;
    Pixels<float> dx;  // or null
    int in;
    Index frame_pixels;

    MTDN_DEVICE void operator()(Index p, Index, float (&numbers)[quantities]) const {
        const FocalLoss& focal = loss.focal;
        const int label = focal.labels(p), classes = focal.labels.classes;
        float gradients[last_channels] = {};
        if (label >= 0) {
            const FocalPixel pixel = focal.pixel(p, label);
            const float share = loss.share() * focal.weight(label);
            MTDN_UNROLL
            for (int c = 0; c < last_channels; ++c)
                if (c < classes) gradients[c] = share * pixel.gradient(c);
        }
        const Index frame = split(p, frame_pixels).quotient;
        MTDN_UNROLL
        for (int i = 0; i < last_channels; ++i) {
            const float value = i < in ? x.at(frame, p, i) : 0.0F;
            float back = 0;
            MTDN_UNROLL
            for (int c = 0; c < last_channels; ++c) {
                numbers[i * last_channels + c] = value * gradients[c];
                if (i < in && c < classes) back += w.at(i, c) * gradients[c];
            }
            if (dx.data && i < in) dx.at(p, i) = back;
        }
        MTDN_UNROLL
        for (int c = 0; c < last_channels; ++c) numbers[last_channels * last_channels + c] = gradients[c];
    }
};

/// Adds totals of `LastPixels`, the rows of weights first, then biases.
struct AddLastPixels {
    const double* totals;
    Pixels<float> dw, dbias;
    int in, classes;
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, classes);
        const bool weight = at.quotient < in;
        float& sum = weight ? dw.at(at.quotient, at.rest) : dbias.at(0, at.rest);
        sum += static_cast<float>(totals[(weight ? at.quotient : Index{last_channels}) * last_channels + at.rest]);
    }
};

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
bool CudaFor<D>::joins_loss(In w, const Window& window) const {
    using namespace detail::cuda;
    return !by_library(*queue_, [](auto) {}) && queue_->precision() != Precision::single && window.kernel == 1 &&
           window.stride == 1 && window.padding == 0 && w.shape.width <= last_channels &&
           w.shape.channels <= last_channels;
}

template <class D>
void CudaFor<D>::convolve_backward_with_loss(const Operand<CudaFor>& x, const PendingLoss<CudaFor>& loss, In w, Out dx,
                                             Out dw, Out dbias) {
    using namespace detail::cuda;
    const Shape shape = x.shape();
    const auto in = static_cast<int>(shape.channels), classes = static_cast<int>(w.shape.channels);
    const FocalBackward back{focal_of<D>(loss.logits, loss.labels, loss.weights, loss.options), loss.divisor,
                             loss.dloss};
    const auto totals = channel_sums(*queue_, 1, shape.pixels(), 1,
                                     LastPixels{back, Parts(x), w, dx, in, shape.height * shape.width});
    for_each(*queue_, (dbias ? in + 1 : in) * classes, AddLastPixels{totals.data(), dw, dbias, in, classes});
}

}  // namespace mtdn
