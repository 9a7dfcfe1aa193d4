#pragma once

#include <cmath>
#include <vector>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/core/random.hpp>

namespace mtdn {

/// How weights begin.
enum class Initialiser : std::uint8_t {
    uniform,    ///< U(±1/√fan_in), biases too, as PyTorch's convolutions begin
    he_normal,  ///< N(0, 2/fan_in), biases 0 (He et al. 2015)
};

/// Draws a weight's or bias's first values, in the order of the tensor.
template <Backend B>
void initialise(Parameter<B>& parameter, bool is_bias, Index fan_in, Initialiser initialiser, Random& random) {
    using Scalar = typename B::Scalar;
    std::vector<Scalar> values(static_cast<std::size_t>(parameter.value.shape().size()));
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    for (auto& value : values) {
        if (initialiser == Initialiser::uniform)
            value = static_cast<Scalar>(random.uniform(-bound, bound));
        else
            value = is_bias ? Scalar{0} : static_cast<Scalar>(std::sqrt(2.0) * bound * random.normal());
    }
    upload(std::span<const Scalar>(values), parameter.value);
}

}  // namespace mtdn
