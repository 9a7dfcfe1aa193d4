#pragma once

#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include <mtdn/backend/backend.hpp>
#include <mtdn/backend/reference/classification.hpp>
#include <mtdn/backend/reference/convolution.hpp>
#include <mtdn/backend/reference/elements.hpp>
#include <mtdn/backend/reference/normalisation.hpp>
#include <mtdn/backend/reference/optimiser.hpp>
#include <mtdn/backend/reference/pooling.hpp>

namespace mtdn {

/// The backend that exists to be believed: plain loops that read like the formulas, summing in wider arithmetic.
///
/// Every other backend is tested against it. One thread; slow. `backend.hpp` says what each operation does.
template <std::floating_point T>
class Reference {
public:
    using Scalar = T;
    using In = View<Reference, const T>;
    using Out = View<Reference, T>;
    using InLabels = View<Reference, const std::uint8_t>;
    using OutLabels = View<Reference, std::uint8_t>;

    Reference() = default;
    Reference(const Reference&) = delete;
    Reference& operator=(const Reference&) = delete;

    MemoryPool& memory() { return *memory_; }
    int threads() const { return 1; }
    std::string describe() const {
        return concatenate("reference loops on one thread, ", sizeof(T) == 4 ? "single" : "double", " precision");
    }

    void upload(std::span<const T> values, Out y) { to_view(values, y); }
    void upload(std::span<const std::uint8_t> values, OutLabels y) { to_view(values, y); }
    void download(In x, std::span<T> values) { from_view(x, values); }
    void download(InLabels x, std::span<std::uint8_t> values) { from_view(x, values); }

    void convolve(const Operand<Reference>& x, In w, In scale, In bias, const Window& window, Activation activation,
                  Out y) {
        detail::reference::convolve(In(whole(x)), w, scale, bias, window, activation, y);
    }
    void convolve_with_statistics(const Operand<Reference>& x, In w, const Window& window, Out y, Out mean,
                                  Out variance) {
        convolve(x, w, In{}, In{}, window, Activation::identity, y);
        batch_statistics(y, mean, variance);
    }
    void convolve_backward_data(In dy, In w, const Window& window, Out dx) {
        detail::reference::convolve_backward_data(dy, w, window, dx);
    }
    void convolve_backward_weights(const Operand<Reference>& x, In dy, const Window& window, Out dw, Out dbias) {
        detail::reference::convolve_backward_weights(In(whole(x)), dy, window, dw, dbias);
    }
    void transposed_convolve(In x, In w, In bias, Out y) { detail::reference::transposed_convolve(x, w, bias, y); }
    void transposed_convolve_backward_data(In dy, In w, Out dx) {
        detail::reference::transposed_convolve_backward_data(dy, w, dx);
    }
    void transposed_convolve_backward_weights(In x, In dy, Out dw, Out dbias) {
        detail::reference::transposed_convolve_backward_weights(x, dy, dw, dbias);
    }

    void batch_statistics(In x, Out mean, Out variance) { detail::reference::batch_statistics(x, mean, variance); }
    void update_running(In mean, In variance, Index count, double momentum, Out running_mean, Out running_variance) {
        detail::reference::update_running(mean, variance, count, momentum, running_mean, running_variance);
    }
    void normalisation(In mean, In variance, In weight, In bias, double epsilon, Out scale, Out shift) {
        detail::reference::normalisation(mean, variance, weight, bias, epsilon, scale, shift);
    }
    void normalise(In x, In scale, In shift, Activation activation, Out y) {
        detail::reference::normalise(x, scale, shift, activation, y);
    }
    void normalise_backward(In x, In dy, In mean, In variance, In weight, In bias, double epsilon,
                            Activation activation, bool own_statistics, Out dx, Out dweight, Out dbias) {
        detail::reference::normalise_backward(x, dy, mean, variance, weight, bias, epsilon, activation, own_statistics,
                                              dx, dweight, dbias);
    }

    void fill(Out y, double value) { detail::reference::fill(y, value); }
    void copy(In x, Out y) { detail::reference::copy(x, y); }
    void accumulate(In x, Out y) { detail::reference::accumulate(x, y); }
    void scale(Out y, double factor) { detail::reference::scale(y, factor); }
    void combine(double alpha, In a, double beta, In b, Out y) { detail::reference::combine(alpha, a, beta, b, y); }
    void multiply(In a, In b, Out y) { detail::reference::multiply(a, b, y); }
    void multiply_add(In a, In b, Out y) { detail::reference::multiply_add(a, b, y); }
    void activate(In x, Activation activation, Out y) { detail::reference::activate(x, activation, y); }
    void activate_backward(In x, In dy, Activation activation, Out dx) {
        detail::reference::activate_backward(x, dy, activation, dx);
    }

    void round(In x, View<Reference, BFloat16> z) {
        detail::reference::for_each_element(
            z, [&](Index p, Index c) { return BFloat16::nearest(static_cast<float>(x.pixel(p)[c])); });
    }
    void widen(View<Reference, const BFloat16> z, Out y) {
        detail::reference::for_each_element(y, [&](Index p, Index c) { return z.pixel(p)[c].value(); });
    }

    void max_pool(const Operand<Reference>& x, const Window& window, Out y) {
        detail::reference::max_pool(In(whole(x)), window, y);
    }
    void max_pool_backward(const Operand<Reference>& x, In dy, const Window& window, Out dx) {
        detail::reference::max_pool_backward(In(whole(x)), dy, window, dx);
    }
    void average_pool(In x, const Window& window, Out y) { detail::reference::average_pool(x, window, y); }
    void average_pool_backward(In dy, const Window& window, Out dx) {
        detail::reference::average_pool_backward(dy, window, dx);
    }
    void resize_nearest(In x, Out y) { detail::reference::resize(x, detail::reference::nearest<Wide>, y); }
    void resize_nearest_backward(In dy, Out dx) {
        detail::reference::resize_backward(dy, detail::reference::nearest<Wide>, dx);
    }
    void resize_bilinear(In x, Out y) { detail::reference::resize(x, detail::reference::bilinear<Wide>, y); }
    void resize_bilinear_backward(In dy, Out dx) {
        detail::reference::resize_backward(dy, detail::reference::bilinear<Wide>, dx);
    }
    void pad_edge(In x, Out y) { detail::reference::pad_edge(x, y); }
    void crop(In x, Out y) { detail::reference::crop(x, y); }
    void crop_backward(In dy, Out dx) { detail::reference::crop_backward(dy, dx); }

    void gather_frames(In x, std::span<const Index> indices, Out y) { detail::reference::gather_frames(x, indices, y); }
    void gather_frames_backward(In dy, std::span<const Index> indices, Out dx) {
        detail::reference::gather_frames_backward(dy, indices, dx);
    }
    void combine_frames(double alpha, In a, std::span<const Index> of_a, double beta, In b, std::span<const Index> of_b,
                        In shift, Activation activation, Out y) {
        detail::reference::combine_frames(alpha, a, of_a, beta, b, of_b, shift, activation, y);
    }

    void softmax(In x, Out y) { detail::reference::softmax(x, y); }
    void softmax_backward(In y, In dy, Out dx) { detail::reference::softmax_backward(y, dy, dx); }
    void log_softmax(In x, Out y) { detail::reference::log_softmax(x, y); }
    void log_softmax_backward(In y, In dy, Out dx) { detail::reference::log_softmax_backward(y, dy, dx); }
    void arg_max(In x, OutLabels codes) { detail::reference::arg_max(x, codes); }
    void focal_loss(In logits, InLabels labels, In weights, const FocalOptions& options, Out loss, Out divisor) {
        detail::reference::focal_loss(logits, labels, weights, options, loss, divisor);
    }
    void focal_loss_backward(In logits, InLabels labels, In weights, const FocalOptions& options, In divisor, In dloss,
                             Out dlogits) {
        detail::reference::focal_loss_backward(logits, labels, weights, options, divisor, dloss, dlogits);
    }
    void overlap_sums(In logits, InLabels labels, Out sums) { detail::reference::overlap_sums(logits, labels, sums); }
    void overlap_backward(In logits, InLabels labels, In gradients, Out dlogits) {
        detail::reference::overlap_backward(logits, labels, gradients, dlogits);
    }

    void adamw(const AdamWStep& step, In gradient, Out parameter, Out first_moment, Out second_moment) {
        detail::reference::adamw(step, gradient, parameter, first_moment, second_moment);
    }
    void sgd(const SgdStep& step, In gradient, Out parameter, Out velocity) {
        detail::reference::sgd(step, gradient, parameter, velocity);
    }
    double sum_of_squares(In x) { return detail::reference::sum_of_squares(x); }

private:
    using Wide = detail::reference::Wide<T>;

    // An operand as one tensor.
    Tensor<Reference> whole(const Operand<Reference>& x) {
        Tensor<Reference> all(*this, x.shape());
        Index channel = 0;
        for (const auto& part : x.parts()) {
            const Out slice = all.channels(channel, part.x.shape.channels);
            if (part.pending()) normalise(part.x, part.scale, part.shift, part.activation, slice);
            else copy(part.x, slice);
            channel += part.x.shape.channels;
        }
        return all;
    }

    template <class V>
    static void to_view(std::span<const V> values, View<Reference, V> y) {
        detail::reference::for_each_element(y, [&](Index p, Index c) {
            return values[static_cast<std::size_t>(p * y.shape.channels + c)];
        });
    }
    template <class V>
    static void from_view(View<Reference, const V> x, std::span<V> values) {
        for (Index p = 0; p < x.shape.pixels(); ++p)
            for (Index c = 0; c < x.shape.channels; ++c)
                values[static_cast<std::size_t>(p * x.shape.channels + c)] = x.pixel(p)[c];
    }

    std::shared_ptr<HostMemoryPool> memory_ = std::make_shared<HostMemoryPool>();
};

static_assert(Backend<Reference<float>> && Backend<Reference<double>>);

}  // namespace mtdn
