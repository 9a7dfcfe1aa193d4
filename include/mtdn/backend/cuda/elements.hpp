#pragma once

#include <mtdn/backend/cuda/activations.hpp>
#include <mtdn/backend/cuda/block.hpp>

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

using In = Pixels<const float>;

struct Constant {
    float value;
    MTDN_DEVICE float operator()(Index, Index) const { return value; }
};
struct Copy {
    In x;
    MTDN_DEVICE float operator()(Index p, Index c) const { return x.at(p, c); }
};
struct Scale {
    In x;
    float factor;
    MTDN_DEVICE float operator()(Index p, Index c) const { return factor * x.at(p, c); }
};
struct Combine {
    float alpha;
    In a;
    float beta;
    In b;
    MTDN_DEVICE float operator()(Index p, Index c) const { return alpha * a.at(p, c) + beta * b.at(p, c); }
};
struct Multiply {
    In a, b;
    MTDN_DEVICE float operator()(Index p, Index c) const { return a.at(p, c) * b.at(p, c); }
};
struct MultiplyAdd {
    In before, a, b;
    MTDN_DEVICE float operator()(Index p, Index c) const { return before.at(p, c) + a.at(p, c) * b.at(p, c); }
};
struct Activate {
    In x;
    Activation activation;
    MTDN_DEVICE float operator()(Index p, Index c) const { return activated(activation, x.at(p, c)); }
};
struct ActivateBackward {
    In x, dy;
    Activation activation;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        return dy.at(p, c) * activation_derivative(activation, x.at(p, c));
    }
};

struct Round {
    In x;
    Pixels<BFloat16> z;
    Index channels;
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, channels);
        z.at(at.quotient, at.rest) = BFloat16::nearest(x.at(at.quotient, at.rest));
    }
};
struct Widen {
    Pixels<const BFloat16> z;
    MTDN_DEVICE float operator()(Index p, Index c) const { return z.at(p, c).value(); }
};

/// Frames that a kernel is told of; a longer list takes several kernels.
struct FrameList {
    static constexpr Index capacity = 64;
    int frame[capacity] = {};

    FrameList(std::span<const Index> indices) {
        for (std::size_t i = 0; i < indices.size(); ++i) frame[i] = static_cast<int>(indices[i]);
    }
};

/// Calls `body(first, count)` for runs of at most `FrameList::capacity` of `total` frames, in order.
template <class Body>
void for_frame_lists(Index total, Body&& body) {
    for (Index first = 0; first < total; first += FrameList::capacity)
        body(first, least(FrameList::capacity, total - first));
}
inline std::span<const Index> part_of(std::span<const Index> indices, Index first, Index count) {
    return indices.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
}
/// `count` frames from `first` on.
template <class B, class T>
View<B, T> frames_of(View<B, T> x, Index first, Index count) {
    return {x.data + first * x.shape.height * x.shape.width * x.stride, x.shape.with_frames(count), x.stride};
}

struct GatherFrames {
    In x;
    Index frame_pixels;
    FrameList frames;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const Split at = split(p, frame_pixels);
        return x.at(frames.frame[at.quotient] * frame_pixels + at.rest, c);
    }
};

/// Adds to one element of every frame named, in the list's order.
struct ScatterFrames {
    In dy;
    Pixels<float> dx;
    Index frame_pixels, channels;
    FrameList frames;
    int count;
    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, channels);
        for (int k = 0; k < count; ++k)
            dx.at(frames.frame[k] * frame_pixels + at.quotient, at.rest) +=
                dy.at(k * frame_pixels + at.quotient, at.rest);
    }
};

struct CombineFrames {
    float alpha;
    In a;
    FrameList of_a;
    float beta;
    In b;
    FrameList of_b;
    In shift;
    Activation activation;
    Index frame_pixels;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const Split at = split(p, frame_pixels);
        float sum = alpha * a.at(of_a.frame[at.quotient] * frame_pixels + at.rest, c) +
                    beta * b.at(of_b.frame[at.quotient] * frame_pixels + at.rest, c);
        if (shift.data) sum += shift.at(0, c);
        return activated(activation, sum);
    }
};

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
void CudaFor<D>::fill(Out y, double value) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Constant{static_cast<float>(value)});
}
template <class D>
void CudaFor<D>::copy(In x, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Copy{x});
}
template <class D>
void CudaFor<D>::accumulate(In x, Out y) {
    combine(1, y, 1, x, y);
}
template <class D>
void CudaFor<D>::scale(Out y, double factor) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Scale{y, static_cast<float>(factor)});
}
template <class D>
void CudaFor<D>::combine(double alpha, In a, double beta, In b, Out y) {
    detail::cuda::for_each_element(
        *queue_, y, detail::cuda::Combine{static_cast<float>(alpha), a, static_cast<float>(beta), b});
}
template <class D>
void CudaFor<D>::multiply(In a, In b, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Multiply{a, b});
}
template <class D>
void CudaFor<D>::multiply_add(In a, In b, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::MultiplyAdd{y, a, b});
}
template <class D>
void CudaFor<D>::activate(In x, Activation activation, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Activate{x, activation});
}
template <class D>
void CudaFor<D>::activate_backward(In x, In dy, Activation activation, Out dx) {
    detail::cuda::for_each_element(*queue_, dx, detail::cuda::ActivateBackward{x, dy, activation});
}

template <class D>
void CudaFor<D>::round(In x, View<CudaFor, BFloat16> z) {
    detail::cuda::for_each(*queue_, z.shape.size(), detail::cuda::Round{x, z, z.shape.channels});
}
template <class D>
void CudaFor<D>::widen(View<CudaFor, const BFloat16> z, Out y) {
    detail::cuda::for_each_element(*queue_, y, detail::cuda::Widen{z});
}

template <class D>
void CudaFor<D>::gather_frames(In x, Indices indices, Out y) {
    using namespace detail::cuda;
    for_frame_lists(y.shape.frames, [&](Index first, Index count) {
        for_each_element(*queue_, frames_of(y, first, count),
                         GatherFrames{x, x.shape.height * x.shape.width, part_of(indices, first, count)});
    });
}
template <class D>
void CudaFor<D>::gather_frames_backward(In dy, Indices indices, Out dx) {
    using namespace detail::cuda;
    const Index frame_pixels = dx.shape.height * dx.shape.width;
    for_frame_lists(dy.shape.frames, [&](Index first, Index count) {
        for_each(*queue_, frame_pixels * dx.shape.channels,
                 ScatterFrames{frames_of(dy, first, count), dx, frame_pixels, dx.shape.channels,
                               part_of(indices, first, count), static_cast<int>(count)});
    });
}
template <class D>
void CudaFor<D>::combine_frames(double alpha, In a, Indices of_a, double beta, In b, Indices of_b, In shift,
                                Activation activation, Out y) {
    using namespace detail::cuda;
    for_frame_lists(y.shape.frames, [&](Index first, Index count) {
        for_each_element(*queue_, frames_of(y, first, count),
                         CombineFrames{static_cast<float>(alpha), a, part_of(of_a, first, count),
                                       static_cast<float>(beta), b, part_of(of_b, first, count), shift, activation,
                                       y.shape.height * y.shape.width});
    });
}

}  // namespace mtdn
