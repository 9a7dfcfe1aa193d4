#pragma once

#include <optional>
#include <type_traits>

#include <mtdn/backend/cuda/channel_sums.hpp>
#include <mtdn/backend/cuda/tensor_cores.hpp>

// Convolutions by a library's kernels instead of ours. It takes images (n, h, w, c) and weights (out, k, k, in) without
// gaps, in single precision or bfloat16, and does no more than convolve: parts, pending normalisations, slices, biases
// and activations are ours, before and after.

namespace mtdn::detail::cuda {

/// A convolution of what has no gaps.
struct DenseConvolution {
    Shape x, y;
    Window window;
};

/// A device whose queue has a library. `queue.uses_library()` says whether convolutions are to be its;
/// `convolve(c, x, w, y)`, `convolve_backward_data(c, dy, w, dx)` and `convolve_backward_weights(c, x, dy, dw)`, of
/// floats or of BFloat16, overwrite their last.
template <class D>
concept HasLibrary = requires(const Queue<D>& queue) { queue.uses_library(); };

inline namespace MTDN_KERNELS {

/// Whether convolutions are a library's; if so, calls f with a number of the type that it multiplies.
template <class D, class F>
bool by_library([[maybe_unused]] Queue<D>& queue, [[maybe_unused]] const F& f) {
    if constexpr (HasLibrary<D>)
        if (queue.uses_library()) {
            if (queue.precision() == Precision::bfloat16) f(BFloat16{});
            else f(float{});
            return true;
        }
    return false;
}

template <class T>
MTDN_DEVICE T converted(float value) {
    if constexpr (std::is_same_v<T, BFloat16>) return BFloat16::nearest(value);
    else return value;
}
MTDN_DEVICE inline float widened(float value) { return value; }
MTDN_DEVICE inline float widened(BFloat16 value) { return value.value(); }

/// Writes an operand without gaps.
template <class T>
struct MakeDense {
    Parts x;
    Index channels, frame_pixels;
    T* to;
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, channels);
        to[i] = converted<T>(x.at(split(at.quotient, frame_pixels).quotient, at.quotient, at.rest));
    }
};

/// Writes weights (rows, out), rows being (k, k, in), as (out, rows).
template <class T>
struct TransposeWeights {
    Pixels<const float> w;
    Index rows;
    T* to;
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, rows);
        to[i] = converted<T>(w.at(at.rest, at.quotient));
    }
};
/// Adds a gradient (out, rows) to that of weights (rows, out).
template <class T>
struct AddTransposed {
    const T* from;
    Index rows;
    Pixels<float> dw;
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, rows);
        dw.at(at.rest, at.quotient) += widened(from[i]);
    }
};

/// Hands each element of a result without gaps to where it belongs.
template <class T>
struct StoreDense {
    const T* from;
    Index channels;
    StoreActivated store;
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, channels);
        store(static_cast<int>(at.quotient), static_cast<int>(at.rest), widened(from[i]), 0);
    }
};

/// Whether a library may take it where it lies: without gaps, and from a multiple of 16 bytes on.
template <class B, class T>
bool is_dense(View<B, T> x) {
    return x.contiguous() && reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0;
}

/// An operand as the library takes it: the operand itself if it is so already, or what is made of it.
template <class T>
class Dense {
public:
    template <class D>
    Dense(Queue<D>& queue, const Operand<CudaFor<D>>& x) {
        const Shape shape = x.shape();
        if constexpr (std::is_same_v<T, float>)
            if (x.plain() && is_dense(x.parts().front().x)) {
                data_ = x.parts().front().x.data;
                return;
            }
        T* made = make(queue, shape.size());
        for_each(queue, shape.size(), MakeDense<T>{Parts(x), shape.channels, shape.height * shape.width, made});
    }
    /// Of weights.
    template <class D>
    static Dense of_weights(Queue<D>& queue, View<CudaFor<D>, const float> w) {
        Dense dense;
        T* made = dense.make(queue, w.shape.size());
        for_each(queue, w.shape.size(), TransposeWeights<T>{w, w.shape.pixels(), made});
        return dense;
    }
    const T* data() const { return data_; }

private:
    Dense() = default;
    template <class D>
    T* make(Queue<D>& queue, Index count) {
        T* const made = made_.emplace(queue, count).data();
        data_ = made;
        return made;
    }

    std::optional<Scratch<T>> made_;
    const T* data_ = nullptr;
};

/// Stores what `run` writes without gaps where it is told.
template <class T, class D, class Run>
void store_dense(Queue<D>& queue, View<CudaFor<D>, float> y, const StoreActivated& store, const Run& run) {
    require_countable(y.shape);
    if constexpr (std::is_same_v<T, float>)
        if (is_dense(y) && !store.scale && !store.bias && store.activation == Activation::identity)
            return run(y.data);
    const Scratch<T> result(queue, y.shape.size());
    run(result.data());
    for_each(queue, y.shape.size(), StoreDense<T>{result.data(), y.shape.channels, store});
}

template <class T, class D>
void convolve_by_library(Queue<D>& queue, const Operand<CudaFor<D>>& x, View<CudaFor<D>, const float> w,
                         const Window& window, const StoreActivated& store, View<CudaFor<D>, float> y) {
    const Dense<T> image(queue, x), weights = Dense<T>::of_weights(queue, w);
    const DenseConvolution c{x.shape(), y.shape, window};
    store_dense<T>(queue, y, store, [&](T* result) { queue.convolve(c, image.data(), weights.data(), result); });
}
template <class T, class D>
void convolve_backward_data_by_library(Queue<D>& queue, View<CudaFor<D>, const float> dy,
                                       View<CudaFor<D>, const float> w, const Window& window,
                                       const StoreActivated& store, View<CudaFor<D>, float> dx) {
    const Dense<T> gradients(queue, Operand<CudaFor<D>>(dy)), weights = Dense<T>::of_weights(queue, w);
    const DenseConvolution c{dx.shape, dy.shape, window};
    store_dense<T>(queue, dx, store,
                   [&](T* result) { queue.convolve_backward_data(c, gradients.data(), weights.data(), result); });
}
template <class T, class D>
void add_library_weight_gradient(Queue<D>& queue, const Operand<CudaFor<D>>& x, View<CudaFor<D>, const float> dy,
                                 const Window& window, View<CudaFor<D>, float> dw) {
    const Dense<T> image(queue, x), gradients(queue, Operand<CudaFor<D>>(dy));
    const Scratch<T> result(queue, dw.shape.size());
    queue.convolve_backward_weights(DenseConvolution{x.shape(), dy.shape, window}, image.data(), gradients.data(),
                                    result.data());
    for_each(queue, dw.shape.size(), AddTransposed<T>{result.data(), dw.shape.pixels(), dw});
}

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
