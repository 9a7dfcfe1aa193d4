#pragma once

#include <mtdn/backend/pending_gradients.hpp>

namespace mtdn {

/// A gradient that waits for a batch norm's way back, as `PendingGradients` say, with its values; or none.
template <Backend B>
struct WaitingGradients {
    Tensor<B> dy, x, scale, shift, factor, offset;
    Activation activation = Activation::identity;

    explicit operator bool() const { return !dy.empty(); }
    PendingGradients<B> view() const { return {dy, x, scale, shift, factor, offset, activation}; }
    /// The gradient, in the memory of dy where nobody else has it.
    Tensor<B> finished() const {
        const Tensor<B> dx = dy.alone() ? dy : Tensor<B>(dy.backend(), dy.shape());
        dy.backend().finish_gradients(view(), dx);
        return dx;
    }
};

/// Sums of a batch norm's way back, with their values, as `GradientSums` say; or none.
template <Backend B>
struct WaitingSums {
    Tensor<B> x, mean, scale, shift;
    Activation activation = Activation::identity;
    Tensor<B, double> sums{};

    explicit operator bool() const { return !x.empty(); }
    GradientSums<B> view() const { return {x, mean, scale, shift, activation, sums}; }
    static Tensor<B, double> sums_for(const Tensor<B>& mean) {
        const Shape shape = mean.shape();
        return {mean.backend(), shape.with_frames(2 * shape.frames)};
    }
};

}  // namespace mtdn
