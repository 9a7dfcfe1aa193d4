#pragma once

#include <cmath>

#include <mtdn/backend/cuda/activations.hpp>
#include <mtdn/backend/cuda/block.hpp>
#include <mtdn/backend/pending_gradients.hpp>

namespace mtdn::detail::cuda {

/// Whether an activation's derivative has one value above 0 and one elsewhere.
constexpr bool two_slopes(Activation activation) {
    return activation == Activation::identity || activation == Activation::relu || activation == Activation::leaky_relu;
}

inline namespace MTDN_KERNELS {

/// An activation of two slopes has this one below 0.
MTDN_DEVICE constexpr float slope_below(Activation activation) {
    return activation == Activation::identity ? 1.0F : activation == Activation::relu ? 0.0F : 0.01F;
}

/// One channel of a group in `NormOfGradients`.
struct NormOfChannel {
    Pixels<const float> x;
    float scale, shift, mean;
    Activation activation;

    /// The norm's result, as `Parts` have it.
    MTDN_DEVICE float at(Index, Index pixel, Index c) const {
        return activated(activation, scale * x.at(pixel, c) + shift);
    }
    /// What a pixel's gradient adds to the sums.
    MTDN_DEVICE void add(Index pixel, Index c, float dy, float (&numbers)[2]) const {
        const float value = x.at(pixel, c);
        numbers[0] = dy * activation_derivative(activation, std::fma(scale, value, shift));
        numbers[1] = numbers[0] * (value - mean);
    }
};

/// `GradientSums` as kernels take them.
struct NormOfGradients {
    Pixels<const float> x, mean, scale, shift;
    Index frames_in_group = 1, group_pixels = 1;
    Activation activation = Activation::identity;

    NormOfGradients() = default;
    template <class B>
    explicit NormOfGradients(const GradientSums<B>& norm)
        : x(norm.x), mean(norm.mean), scale(norm.scale), shift(norm.shift),
          frames_in_group(norm.x.shape.frames / norm.mean.shape.frames),
          group_pixels(norm.x.shape.pixels() / norm.mean.shape.frames), activation(norm.activation) {}

    MTDN_DEVICE NormOfChannel at(Index pixel, Index c) const {
        const Index g = split(pixel, group_pixels).quotient;
        return {x, scale.at(g, c), shift.at(g, c), mean.at(g, c), activation};
    }
};

/// For sums over the pixels.
struct GradientToSum {
    static constexpr int quantities = 2;
    NormOfGradients norm;
    Pixels<const float> dy;
    MTDN_DEVICE void operator()(Index p, Index c, float (&numbers)[2]) const {
        norm.at(p, c).add(p, c, dy.at(p, c), numbers);
    }
};

/// What the reader takes for gradients that wait for a batch norm's way back; fused, so that it is the same in every
/// kernel.
struct LateGradient {
    float scale, shift, factor, offset;

    MTDN_DEVICE float activated_at(float x) const { return std::fma(scale, x, shift); }
    /// @param gradient  the activation's derivative at `activated_at(x)`
    MTDN_DEVICE float at(float dy, float x, float gradient) const {
        return std::fma(scale, dy * gradient, std::fma(factor, x, offset));
    }
};

struct FourLateGradients;

/// `PendingGradients` as kernels read them.
struct LateGradients {
    using Fours = FourLateGradients;
    static constexpr int values = 2;  // that are read for one

    Pixels<const float> dy, x, scale, shift, factor, offset;
    int channels;
    Index frames_in_group, group_pixels;
    Activation activation;

    template <class B>
    explicit LateGradients(const PendingGradients<B>& gradients)
        : dy(gradients.dy), x(gradients.x), scale(gradients.scale), shift(gradients.shift), factor(gradients.factor),
          offset(gradients.offset), channels(static_cast<int>(gradients.x.shape.channels)),
          frames_in_group(gradients.x.shape.frames / gradients.scale.shape.frames),
          group_pixels(gradients.x.shape.pixels() / gradients.scale.shape.frames), activation(gradients.activation) {}

    MTDN_DEVICE float operator()(Index p, Index c) const {
        const Index g = split(p, group_pixels).quotient;
        const LateGradient late{scale.at(g, c), shift.at(g, c), factor.at(g, c), offset.at(g, c)};
        const float value = x.at(p, c);
        return late.at(dy.at(p, c), value, activation_derivative(activation, late.activated_at(value)));
    }
};

/// For sums over the pixels.
struct LateGradientValue {
    static constexpr int quantities = 1;
    LateGradients gradients;
    MTDN_DEVICE void operator()(Index p, Index c, float (&numbers)[1]) const { numbers[0] = gradients(p, c); }
};

/// Four neighbouring channels of such gradients, of one frame, where the activation has two slopes.
struct FourLateGradients {
    const float* data[2];  // of dy and of x
    Index stride[2];
    int count;  // of the four that there are
    LateGradient late[4] = {};
    float below;  // the activation's slope there

    MTDN_DEVICE FourLateGradients(const LateGradients& of, int frame, int channel)
        : data{of.dy.data + channel, of.x.data + channel}, stride{of.dy.stride, of.x.stride},
          count(of.channels - channel < 4 ? of.channels - channel : 4),
          below(slope_below(of.activation)) {
        const Index g = split(frame, of.frames_in_group).quotient;
        MTDN_UNROLL
        for (int i = 0; i < 4; ++i)
            if (i < count)
                late[i] = {of.scale.at(g, channel + i), of.shift.at(g, channel + i), of.factor.at(g, channel + i),
                           of.offset.at(g, channel + i)};
    }

    /// Starts the way of a pixel's four of dy (v = 0) or x (1) to shared memory; zeros where there is none.
    template <class Block, class To>
    MTDN_DEVICE void fetch(Block& block, To& to, int v, int pixel, bool there) const {
        block.copy(&to, there ? data[v] + pixel * stride[v] : data[v], there ? 4 * count : 0);
    }
    template <class From>
    MTDN_DEVICE void apply(const From (&raw)[2], float (&values)[4]) const {
        MTDN_UNROLL
        for (int i = 0; i < 4; ++i) {
            const float gradient = late[i].activated_at(raw[1].values[i]) > 0 ? 1.0F : below;
            values[i] = late[i].at(raw[0].values[i], raw[1].values[i], gradient);
        }
    }
};

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
