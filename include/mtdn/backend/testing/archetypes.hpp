#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <mtdn/backend/backend.hpp>

namespace mtdn::testing {

/// Every operation of a backend `Self`, declared and not defined: to be compiled against, not run.
template <class Self>
struct BackendOperations {
    using Scalar = float;
    using In = View<Self, const float>;
    using Out = View<Self, float>;
    using InLabels = View<Self, const std::uint8_t>;
    using OutLabels = View<Self, std::uint8_t>;
    using Indices = std::span<const Index>;

    BackendOperations() = default;
    BackendOperations(const BackendOperations&) = delete;
    BackendOperations& operator=(const BackendOperations&) = delete;

    MemoryPool& memory();
    void upload(std::span<const float> values, Out y);
    void upload(std::span<const std::uint8_t> values, OutLabels y);
    void download(In x, std::span<float> values);
    void download(InLabels x, std::span<std::uint8_t> values);
    std::string describe() const;

    void convolve(const Operand<Self>& x, In w, In scale, In bias, const Window&, Activation, Out y);
    void convolve_with_statistics(const Operand<Self>& x, In w, const Window&, Out y, Out mean, Out variance);
    void convolve_backward_data(In dy, In w, const Window&, Out dx);
    void convolve_backward_weights(const Operand<Self>& x, In dy, const Window&, Out dw, Out dbias);
    void transposed_convolve(In x, In w, In bias, Out y);
    void transposed_convolve_backward_data(In dy, In w, Out dx);
    void transposed_convolve_backward_weights(In x, In dy, Out dw, Out dbias);

    void batch_statistics(In x, Out mean, Out variance);
    void update_running(In mean, In variance, Index count, double momentum, Out running_mean, Out running_variance);
    void normalisation(In mean, In variance, In weight, In bias, double epsilon, Out scale, Out shift);
    void normalise(In x, In scale, In shift, Activation, Out y);
    void normalise_backward(In x, In dy, In mean, In variance, In weight, In bias, double epsilon, Activation,
                            bool own_statistics, Out dx, Out dweight, Out dbias);

    void fill(Out y, double value);
    void copy(In x, Out y);
    void accumulate(In x, Out y);
    void scale(Out y, double factor);
    void combine(double alpha, In a, double beta, In b, Out y);
    void multiply(In a, In b, Out y);
    void multiply_add(In a, In b, Out y);
    void activate(In x, Activation, Out y);
    void activate_backward(In x, In dy, Activation, Out dx);
    void round(In x, View<Self, BFloat16> z);
    void widen(View<Self, const BFloat16> z, Out y);

    void max_pool(const Operand<Self>& x, const Window&, Out y);
    void max_pool_backward(const Operand<Self>& x, In dy, const Window&, Out dx);
    void average_pool(In x, const Window&, Out y);
    void average_pool_backward(In dy, const Window&, Out dx);
    void resize_nearest(In x, Out y);
    void resize_nearest_backward(In dy, Out dx);
    void resize_bilinear(In x, Out y);
    void resize_bilinear_backward(In dy, Out dx);
    void pad_edge(In x, Out y);
    void crop(In x, Out y);
    void crop_backward(In dy, Out dx);

    void gather_frames(In x, Indices indices, Out y);
    void gather_frames_backward(In dy, Indices indices, Out dx);
    void combine_frames(double alpha, In a, Indices of_a, double beta, In b, Indices of_b, In shift, Activation, Out y);

    void softmax(In x, Out y);
    void softmax_backward(In y, In dy, Out dx);
    void log_softmax(In x, Out y);
    void log_softmax_backward(In y, In dy, Out dx);
    void arg_max(In x, OutLabels codes);
    void focal_loss(In logits, InLabels, In weights, const FocalOptions&, Out loss, Out divisor);
    void focal_loss_backward(In logits, InLabels, In weights, const FocalOptions&, In divisor, In dloss, Out dlogits);
    void overlap_sums(In logits, InLabels, Out sums);
    void overlap_backward(In logits, InLabels, In gradients, Out dlogits);

    void adamw(const AdamWStep&, In gradient, Out parameter, Out first_moment, Out second_moment);
    void sgd(const SgdStep&, In gradient, Out parameter, Out velocity);
    double sum_of_squares(In x);
};

/// The smallest backend: what the concept asks for, and nothing else.
struct BackendArchetype : BackendOperations<BackendArchetype> {};
static_assert(Backend<BackendArchetype>);

}  // namespace mtdn::testing
