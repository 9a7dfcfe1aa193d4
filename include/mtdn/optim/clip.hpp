#pragma once

#include <cmath>

#include <mtdn/backend/queued.hpp>

namespace mtdn {

/// Scales gradients so that their Euclidean norm is at most `limit`; returns the norm before.
///
/// @throws OptionError if the limit is not positive
template <Backend B>
double clip_gradients(const Tensor<B>& gradients, double limit) {
    require<OptionError>(limit > 0, "clip_gradients: the limit must be positive, got ", limit);
    const double norm = std::sqrt(gradients.backend().sum_of_squares(gradients));
    if (norm > limit) gradients.backend().scale(gradients, limit / norm);
    return norm;
}

/// The same without telling the norm, for which the host would have to wait.
///
/// @throws OptionError if the limit is not positive
template <Backend B>
void limit_gradients(const Tensor<B>& gradients, double limit) {
    if constexpr (limits_norms<B>) {
        require<OptionError>(limit > 0, "limit_gradients: the limit must be positive, got ", limit);
        gradients.backend().limit_norm(gradients, limit);
    } else {
        clip_gradients(gradients, limit);
    }
}

}  // namespace mtdn
