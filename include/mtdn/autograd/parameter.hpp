#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// What a parameter is, which decides its layout in PyTorch's files.
enum class ParameterKind : std::uint8_t {
    vector,                  ///< (C): a bias, or a normalisation's weight
    convolution,             ///< here (k, k, in, out), there (out, in, k, k)
    transposed_convolution,  ///< here (k, k, in, out), there (in, out, k, k)
};

/// Values that training changes, a view into the model's one flat buffer once the model has been flattened.
///
/// `gradient` is empty until `enable_gradients(model)`.
template <Backend B>
struct Parameter {
    Tensor<B> value;
    Tensor<B> gradient;
    ParameterKind kind = ParameterKind::vector;
    bool trainable = true;
    std::uint64_t version = 0;  ///< raised whenever the value changes

    Parameter() = default;
    [[gnu::cold]] Parameter(B& backend, const Shape& shape, ParameterKind of_kind)
        : value(backend, shape), kind(of_kind) {}

    bool wants_gradient() const { return trainable && !gradient.empty(); }
};

/// Running statistics of a batch normalisation: state that a pass stages and `Pass::commit` writes.
///
/// @shape mean, variance (1, 1, 1, C)
template <Backend B>
struct RunningStatistics {
    Tensor<B> mean;
    Tensor<B> variance;
    std::unique_ptr<std::int64_t> batches = std::make_unique<std::int64_t>(0);  ///< how many were tracked

    RunningStatistics() = default;
    [[gnu::cold]] RunningStatistics(B& backend, Index channels)
        : mean(backend, vector_shape(channels)), variance(backend, vector_shape(channels)) {
        backend.fill(mean, 0);
        backend.fill(variance, 1);
    }
};

/// Copies host values, in the order of the tensor, to a tensor.
template <Backend B, class T>
void upload(std::span<const T> values, const Tensor<B, T>& tensor) {
    require<ShapeError>(static_cast<Index>(values.size()) == tensor.shape().size(), "upload: ", values.size(),
                        " values for a tensor ", tensor.shape());
    tensor.backend().upload(values, tensor);
}

/// The value of a tensor of one element.
template <Backend B>
double number_in(const Tensor<B>& tensor) {
    typename B::Scalar value{};
    tensor.backend().download(tensor, std::span(&value, 1));
    return static_cast<double>(value);
}

/// A tensor's values on the host.
template <Backend B, class T>
std::vector<T> download(const Tensor<B, T>& tensor) {
    std::vector<T> values(static_cast<std::size_t>(tensor.shape().size()));
    if (!values.empty()) tensor.backend().download(tensor, std::span<T>(values));
    return values;
}

}  // namespace mtdn
