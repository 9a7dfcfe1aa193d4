#pragma once

#include <span>
#include <vector>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/data/resize.hpp>

namespace mtdn {

/// Channels that a backbone takes a frame with: its `in_channels()`, or those of the frames where it says nothing.
template <class Backbone>
Index input_channels(const Backbone& backbone, Index of_frames) {
    if constexpr (requires { backbone.in_channels(); })
        return backbone.in_channels();
    else
        return of_frames;
}

/// Frames at the size that a model was trained at: the longer side scaled to `model.size()`, unless that is 0.
template <class Model>
Images at_model_size(const Model& model, const Images& frames) {
    if (model.size() == 0) return frames;
    return resize_frames(frames, fitted({extent(frames, 1), extent(frames, 2)}, model.size()));
}

/// Some frames as a network takes them: (x − ½)/½, a grey frame copied to as many channels as wanted.
///
/// @shape (N, H, W, c) in [0, 1] → (indices, H, W, channels) in [−1, 1]; c is 1 or `channels`
/// @param values memory to use, of any size
/// @param input  overwritten
/// @throws ShapeError if c is neither
template <Backend B>
void network_input(const Images& frames, std::span<const Index> indices, std::vector<typename B::Scalar>& values,
                   const Tensor<B>& input) {
    const Shape shape = shape_of(frames);
    const Index channels = input.shape().channels;
    require<ShapeError>(shape.channels == 1 || shape.channels == channels, "network_input: frames of ", shape.channels,
                        " channels for a network of ", channels);
    using Scalar = typename B::Scalar;
    const Index pixels = shape.height * shape.width;
    values.resize(static_cast<std::size_t>(static_cast<Index>(indices.size()) * pixels * channels));
    Scalar* to = values.data();
    for (const Index frame : indices) {
        const float* from = frame_data(frames, frame);
        for (Index i = 0; i < pixels; ++i, from += shape.channels)
            for (Index c = 0; c < channels; ++c)
                *to++ = (static_cast<Scalar>(from[shape.channels == 1 ? 0 : c]) - Scalar(0.5)) / Scalar(0.5);
    }
    upload(std::span<const Scalar>(values), input);
}

/// The same in a tensor of its own.
template <Backend B>
Tensor<B> network_input(B& backend, const Images& frames, std::span<const Index> indices, Index channels) {
    std::vector<typename B::Scalar> values;
    Tensor<B> input(backend, {static_cast<Index>(indices.size()), extent(frames, 1), extent(frames, 2), channels});
    network_input(frames, indices, values, input);
    return input;
}

}  // namespace mtdn
