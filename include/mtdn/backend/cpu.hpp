#pragma once

#include <memory>
#include <span>
#include <string>

#include <mtdn/backend/backend.hpp>
#include <mtdn/backend/cpu/classification.hpp>
#include <mtdn/backend/cpu/convolution.hpp>
#include <mtdn/backend/cpu/elements.hpp>
#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/normalisation.hpp>
#include <mtdn/backend/cpu/optimiser.hpp>
#include <mtdn/backend/cpu/pooling.hpp>
#include <mtdn/backend/cpu/resizing.hpp>
#include <mtdn/backend/cpu/transposed_convolution.hpp>

namespace mtdn {

/// Options of a CPU backend.
struct CpuOptions {
    int threads = 0;  ///< threads to work with, the caller's among them; 0: one for each processor
    ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic;  ///< how 3×3 convolutions are computed
    /// Precision of all convolutions, transposed ones and gradients too. bfloat16 is direct: Winograd's transform would
    /// make its error five times as large. Everything else (statistics, biases, losses, updates) stays single.
    Precision precision = Precision::single;
};

/// The fast backend for processors: single precision, kernels shaped for the instruction set `I`, threads of its own.
///
/// `backend.hpp` says what each operation does. Calls from several threads take turns. Equal results for every number
/// of threads.
template <class I>
class CpuFor {
public:
    using Scalar = float;
    using Isa = I;
    using In = View<CpuFor, const float>;
    using Out = View<CpuFor, float>;
    using InLabels = View<CpuFor, const std::uint8_t>;
    using OutLabels = View<CpuFor, std::uint8_t>;

    /// @throws BackendError if the processor lacks the instructions that this unit was compiled for
    /// @throws OptionError if transformed convolutions in bfloat16 are asked for, or a negative number of threads
    explicit CpuFor(CpuOptions options = {}) : workspace_(options.threads, options.convolution, options.precision) {
        detail::cpu::require_processor<isa::Current>(detail::cpu::processor_level<I>());
    }
    CpuFor(const CpuFor&) = delete;
    CpuFor& operator=(const CpuFor&) = delete;

    MemoryPool& memory() { return *workspace_.memory; }
    int threads() const { return workspace_.threads.size(); }
    /// The threads themselves, for host work between operations.
    ThreadPool& thread_pool() { return workspace_.threads; }
    std::string describe() const {
        const int offered = detail::cpu::processor_level<I>();
        const char* const precision = workspace_.precision == Precision::single ? ""
                                      : detail::cpu::Pairs<I>::native
                                          ? ", convolutions in bfloat16"
                                          : ", convolutions in bfloat16 (slower without its instruction)";
        const std::string text = concatenate("CPU, ", threads(), threads() == 1 ? " thread, " : " threads, ", I::name,
                                             precision);
        if (offered <= I::level) return text;
        return concatenate(text, "; the processor offers ", detail::cpu::isa_name(offered),
                           ": build with -march=native to use it");
    }

    void upload(std::span<const float> values, Out y) { detail::cpu::upload(values, y); }
    void upload(std::span<const std::uint8_t> values, OutLabels y) { detail::cpu::upload(values, y); }
    void download(In x, std::span<float> values) { detail::cpu::download(x, values); }
    void download(InLabels x, std::span<std::uint8_t> values) { detail::cpu::download(x, values); }

    void convolve(const Operand<CpuFor>& x, In w, In scale, In bias, const Window& window, Activation activation,
                  Out y) {
        detail::cpu::convolve(workspace_, x, w, scale, bias, window, activation, y);
    }
    void convolve_with_statistics(const Operand<CpuFor>& x, In w, const Window& window, Out y, Out mean, Out variance) {
        detail::cpu::convolve_with_statistics(workspace_, x, w, window, y, mean, variance);
    }
    void convolve_backward_data(In dy, In w, const Window& window, Out dx) {
        detail::cpu::convolve_backward_data(workspace_, dy, w, window, dx);
    }
    void convolve_backward_weights(const Operand<CpuFor>& x, In dy, const Window& window, Out dw, Out dbias) {
        detail::cpu::convolve_backward_weights(workspace_, x, dy, window, dw, dbias);
    }
    void transposed_convolve(In x, In w, In bias, Out y) {
        detail::cpu::transposed_convolve(workspace_, x, w, bias, y);
    }
    void transposed_convolve_backward_data(In dy, In w, Out dx) {
        detail::cpu::transposed_convolve_backward_data(workspace_, dy, w, dx);
    }
    void transposed_convolve_backward_weights(In x, In dy, Out dw, Out dbias) {
        detail::cpu::transposed_convolve_backward_weights(workspace_, x, dy, dw, dbias);
    }

    void batch_statistics(In x, Out mean, Out variance) {
        detail::cpu::batch_statistics(workspace_, x, mean, variance);
    }
    void update_running(In mean, In variance, Index count, double momentum, Out running_mean, Out running_variance) {
        detail::cpu::update_running(mean, variance, count, momentum, running_mean, running_variance);
    }
    void normalisation(In mean, In variance, In weight, In bias, double epsilon, Out scale, Out shift) {
        detail::cpu::normalisation(mean, variance, weight, bias, epsilon, scale, shift);
    }
    void normalise(In x, In scale, In shift, Activation activation, Out y) {
        detail::cpu::normalise(workspace_, x, scale, shift, activation, y);
    }
    void normalise_backward(In x, In dy, In mean, In variance, In weight, In bias, double epsilon,
                            Activation activation, bool own_statistics, Out dx, Out dweight, Out dbias) {
        detail::cpu::normalise_backward(workspace_, x, dy, mean, variance, weight, bias, epsilon, activation,
                                        own_statistics, dx, dweight, dbias);
    }

    void fill(Out y, double value) { detail::cpu::fill(workspace_, y, value); }
    void copy(In x, Out y) { detail::cpu::copy(workspace_, x, y); }
    void accumulate(In x, Out y) { detail::cpu::accumulate(workspace_, x, y); }
    void scale(Out y, double factor) { detail::cpu::scale(workspace_, y, factor); }
    void combine(double alpha, In a, double beta, In b, Out y) {
        detail::cpu::combine(workspace_, alpha, a, beta, b, y);
    }
    void multiply(In a, In b, Out y) { detail::cpu::multiply(workspace_, a, b, y); }
    void multiply_add(In a, In b, Out y) { detail::cpu::multiply_add(workspace_, a, b, y); }
    void activate(In x, Activation activation, Out y) { detail::cpu::activate(workspace_, x, activation, y); }
    void activate_backward(In x, In dy, Activation activation, Out dx) {
        detail::cpu::activate_backward(workspace_, x, dy, activation, dx);
    }

    void round(In x, View<CpuFor, BFloat16> z) { detail::cpu::round<I>(workspace_, x, z); }
    void widen(View<CpuFor, const BFloat16> z, Out y) { detail::cpu::widen<I>(workspace_, z, y); }

    void max_pool(const Operand<CpuFor>& x, const Window& window, Out y) {
        detail::cpu::max_pool(workspace_, x, window, y);
    }
    void max_pool_backward(const Operand<CpuFor>& x, In dy, const Window& window, Out dx) {
        detail::cpu::max_pool_backward(workspace_, x, dy, window, dx);
    }
    void average_pool(In x, const Window& window, Out y) { detail::cpu::average_pool(workspace_, x, window, y); }
    void average_pool_backward(In dy, const Window& window, Out dx) {
        detail::cpu::average_pool_backward(workspace_, dy, window, dx);
    }
    void resize_nearest(In x, Out y) { detail::cpu::resize<detail::cpu::Nearest>(workspace_, x, y); }
    void resize_nearest_backward(In dy, Out dx) {
        detail::cpu::resize_backward<detail::cpu::Nearest>(workspace_, dy, dx);
    }
    void resize_bilinear(In x, Out y) { detail::cpu::resize<detail::cpu::Bilinear>(workspace_, x, y); }
    void resize_bilinear_backward(In dy, Out dx) {
        detail::cpu::resize_backward<detail::cpu::Bilinear>(workspace_, dy, dx);
    }
    void pad_edge(In x, Out y) { detail::cpu::pad_edge(workspace_, x, y); }
    void crop(In x, Out y) { detail::cpu::crop(workspace_, x, y); }
    void crop_backward(In dy, Out dx) { detail::cpu::crop_backward(workspace_, dy, dx); }

    void gather_frames(In x, std::span<const Index> indices, Out y) {
        detail::cpu::gather_frames(workspace_, x, indices, y);
    }
    void gather_frames_backward(In dy, std::span<const Index> indices, Out dx) {
        detail::cpu::gather_frames_backward(workspace_, dy, indices, dx);
    }
    void combine_frames(double alpha, In a, std::span<const Index> of_a, double beta, In b, std::span<const Index> of_b,
                        In shift, Activation activation, Out y) {
        detail::cpu::combine_frames(workspace_, alpha, a, of_a, beta, b, of_b, shift, activation, y);
    }

    void softmax(In x, Out y) { detail::cpu::softmax(workspace_, x, y); }
    void softmax_backward(In y, In dy, Out dx) { detail::cpu::softmax_backward(workspace_, y, dy, dx); }
    void log_softmax(In x, Out y) { detail::cpu::log_softmax(workspace_, x, y); }
    void log_softmax_backward(In y, In dy, Out dx) { detail::cpu::log_softmax_backward(workspace_, y, dy, dx); }
    void arg_max(In x, OutLabels codes) { detail::cpu::arg_max(workspace_, x, codes); }
    void focal_loss(In logits, InLabels labels, In weights, const FocalOptions& options, Out loss, Out divisor) {
        detail::cpu::focal_loss(workspace_, logits, labels, weights, options, loss, divisor);
    }
    void focal_loss_backward(In logits, InLabels labels, In weights, const FocalOptions& options, In divisor, In dloss,
                             Out dlogits) {
        detail::cpu::focal_loss_backward(workspace_, logits, labels, weights, options, divisor, dloss, dlogits);
    }
    void overlap_sums(In logits, InLabels labels, Out sums) {
        detail::cpu::overlap_sums(workspace_, logits, labels, sums);
    }
    void overlap_backward(In logits, InLabels labels, In gradients, Out dlogits) {
        detail::cpu::overlap_backward(workspace_, logits, labels, gradients, dlogits);
    }

    void adamw(const AdamWStep& step, In gradient, Out parameter, Out first_moment, Out second_moment) {
        detail::cpu::adamw(workspace_, step, gradient, parameter, first_moment, second_moment);
    }
    void sgd(const SgdStep& step, In gradient, Out parameter, Out velocity) {
        detail::cpu::sgd(workspace_, step, gradient, parameter, velocity);
    }
    double sum_of_squares(In x) { return detail::cpu::sum_of_squares(workspace_, x); }

private:
    detail::cpu::Workspace workspace_;
};

/// The CPU backend for the instruction set that the includer's flags allow.
using Cpu = CpuFor<isa::Current>;

}  // namespace mtdn
