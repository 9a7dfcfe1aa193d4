#pragma once

#include <mtdn/backend/pending_slopes.hpp>

namespace mtdn {

/// A gradient that waits for a batch norm's way back, as `PendingSlopes` say, with its values; or none.
template <Backend B>
struct WaitingSlopes {
    Tensor<B> dy, x, scale, shift, factor, offset;
    Activation activation = Activation::identity;

    explicit operator bool() const { return !dy.empty(); }
    PendingSlopes<B> view() const { return {dy, x, scale, shift, factor, offset, activation}; }
    /// The gradient, in the memory of dy where nobody else has it.
    Tensor<B> finished() const {
        const Tensor<B> dx = dy.alone() ? dy : Tensor<B>(dy.backend(), dy.shape());
        dy.backend().finish_slopes(view(), dx);
        return dx;
    }
};

}  // namespace mtdn
