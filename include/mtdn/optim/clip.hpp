#pragma once

#include <cmath>

#include <mtdn/backend/backend.hpp>

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

}  // namespace mtdn
