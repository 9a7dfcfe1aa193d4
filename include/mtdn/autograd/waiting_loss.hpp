#pragma once

#include <mtdn/backend/pending_loss.hpp>

namespace mtdn {

/// A gradient of logits that waits for a focal loss's way back, as `PendingLoss` says, with its values.
template <Backend B>
struct WaitingLoss {
    Tensor<B> logits;
    Tensor<B, std::uint8_t> labels;
    Tensor<B> weights;
    FocalOptions options;
    Tensor<B> divisor, dloss;

    PendingLoss<B> view() const { return {logits, labels, weights, options, divisor, dloss}; }
    /// The gradient.
    Tensor<B> finished() const {
        const Tensor<B> dlogits(logits.backend(), logits.shape());
        logits.backend().focal_loss_backward(logits, labels, weights, options, divisor, dloss, dlogits);
        return dlogits;
    }
};

}  // namespace mtdn
