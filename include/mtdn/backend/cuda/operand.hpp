#pragma once

#include <mtdn/backend/cuda/activations.hpp>
#include <mtdn/backend/cuda/block.hpp>

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

struct FourChannels;

/// An operand as kernels read it, element by element: its parts side by side, pending normalisations applied.
struct Parts {
    using Fours = FourChannels;       // what reads it by fours
    static constexpr int values = 1;  // that are read for one
    static constexpr std::size_t capacity = 4;

    struct Part {
        const float* data = nullptr;
        Index stride = 0;
        const float* scale = nullptr;  // null where nothing is pending
        const float* shift = nullptr;
        Index vector_stride = 0;
        Index frames_in_group = 1;
        Index begin = 0, end = 0;  // channels of the operand that are this part's
        Activation activation = Activation::identity;
    };
    Part parts[capacity];

    /// Of an operand with no more parts than `capacity`.
    template <class B>
    explicit Parts(const Operand<B>& operand) {
        Index begin = 0;
        std::size_t i = 0;
        for (const auto& from : operand.parts()) {
            Part& part = parts[i++];
            part = {from.x.data, from.x.stride, from.scale.data, from.shift.data, from.scale.stride, 1, begin,
                    begin + from.x.shape.channels, Activation::identity};
            if (from.pending()) {
                part.frames_in_group = from.x.shape.frames / from.scale.shape.frames;
                part.activation = from.activation;
            }
            begin = part.end;
        }
    }

    /// Channel `channel` of pixel `pixel`, which lies in frame `frame`.
    MTDN_DEVICE float at(Index frame, Index pixel, Index channel) const {
        // No subscript that depends on the channel, which would move the parts from registers to memory; and the
        // activation's code is there once.
        float value = 0;
        Activation activation = Activation::identity;
        MTDN_UNROLL
        for (const Part& part : parts)
            if (channel >= part.begin && channel < part.end) {
                const Index c = channel - part.begin;
                value = part.data[pixel * part.stride + c];
                activation = part.activation;
                if (part.scale) {
                    const Index at = split(frame, part.frames_in_group).quotient * part.vector_stride + c;
                    value = part.scale[at] * value + part.shift[at];
                }
            }
        return activated(activation, value);
    }
};

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
Tensor<CudaFor<D>> CudaFor<D>::whole(const Operand<CudaFor>& x) {
    // Tensor cores read by fours.
    const Index channels = x.shape().channels, fours = detail::cuda::ceil_div(channels, 4) * 4;
    const auto all = Tensor<CudaFor>(*this, x.shape().with_channels(fours)).channels(0, channels);
    Index channel = 0;
    for (const auto& part : x.parts()) {
        const Out slice = all.channels(channel, part.x.shape.channels);
        if (part.pending()) normalise(part.x, part.scale, part.shift, part.activation, slice);
        else copy(part.x, slice);
        channel += part.x.shape.channels;
    }
    return all;
}

}  // namespace mtdn
