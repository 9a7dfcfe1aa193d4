#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include <mtdn/backend/frame_moves.hpp>
#include <mtdn/backend/head_end.hpp>
#include <mtdn/backend/joint_convolutions.hpp>
#include <mtdn/backend/pending_loss.hpp>
#include <mtdn/backend/pending_gradients.hpp>
#include <mtdn/backend/pooled_convolutions.hpp>
#include <mtdn/backend/queued.hpp>

namespace mtdn {

namespace detail::cuda {
/// An opened device: its stream and its memory. Complete only where operations are compiled.
template <class Device>
class Queue;
}  // namespace detail::cuda

/// The CUDA backend on a kind of device: a GPU (`Cuda`), or the host that plays one in tests. Single precision.
///
/// `backend.hpp`, `queued.hpp`, `pending_gradients.hpp`, `pending_loss.hpp`, `joint_convolutions.hpp`,
/// `pooled_convolutions.hpp` and `head_end.hpp` say what each operation does. Operations are queued and run in order;
/// `download`, `sum_of_squares` and `wait` wait for them, and these, and `late_number`, throw DataError where a loss
/// was given a wrong label. Equal results from run to run.
///
/// The members are declared here, so that any compiler can use a GPU, and defined in <mtdn/cuda_kernels.cuh>, which one
/// `.cu` file of a program includes to say `template class mtdn::CudaFor<mtdn::Gpu>;`.
template <class D>
class CudaFor {
public:
    using Scalar = float;
    using Device = D;
    using Options = typename Device::Options;
    using In = View<CudaFor, const float>;
    using Out = View<CudaFor, float>;
    using InLabels = View<CudaFor, const std::uint8_t>;
    using OutLabels = View<CudaFor, std::uint8_t>;
    using Indices = std::span<const Index>;
    /// Operations that were recorded; empty at first. Copies share them.
    using Recording = std::shared_ptr<const void>;

    /// @throws BackendError if there is no such device, or this program has no code for it
    // Inlined always, so that without a `.cu` file the linker misses the name below rather than this one.
    [[gnu::always_inline]] explicit CudaFor(Options options = {})
        : CudaFor(add_one_cu_file_that_includes_mtdn_cuda_kernels_cuh(options)) {}
    CudaFor(const CudaFor&) = delete;
    CudaFor& operator=(const CudaFor&) = delete;
    ~CudaFor();

    MemoryPool& memory();
    std::string describe() const;
    /// Returns when all that was queued is done.
    void wait();

    void upload(std::span<const float> values, Out y);
    void upload(std::span<const std::uint8_t> values, OutLabels y);
    void download(In x, std::span<float> values);
    void download(InLabels x, std::span<std::uint8_t> values);

    void convolve(const Operand<CudaFor>& x, In w, In scale, In bias, const Window& window, Activation activation,
                  Out y);
    void convolve_with_statistics(const Operand<CudaFor>& x, In w, const Window& window, Out y, Out mean, Out variance);
    bool pools_convolution(In w, const Window& window, Activation activation) const;
    void convolve(const Operand<CudaFor>& x, In w, In scale, In bias, const Window& window, Activation activation,
                  Out y, const SquareExtremes<CudaFor>& extremes);
    void convolve_with_statistics(const Operand<CudaFor>& x, In w, const Window& window, Out y, Out mean, Out variance,
                                  const SquareExtremes<CudaFor>& extremes);
    bool joins_convolution(In w, const Window& window) const;
    void convolve_backward_data(In dy, In w, const Window& window, Out dx);
    void convolve_backward_weights(const Operand<CudaFor>& x, In dy, const Window& window, Out dw, Out dbias);
    bool convolve_backward_data(In dy, In w, const Window& window, Out dx, const GradientSums<CudaFor>& norm);
    bool convolve_backward_data(const PendingGradients<CudaFor>& dy, In w, const Window& window, Out dx,
                                const GradientSums<CudaFor>& norm);
    void convolve_backward_weights(const Operand<CudaFor>& x, const PendingGradients<CudaFor>& dy, const Window& window,
                                   Out dw, Out dbias);
    bool reads_pending(const PendingGradients<CudaFor>& gradients, const Window& window) const;
    void transposed_convolve(In x, In w, In bias, Out y);
    void transposed_convolve_backward_data(In dy, In w, Out dx);
    bool transposed_convolve_backward_data(In dy, In w, Out dx, const GradientSums<CudaFor>& norm);
    void transposed_convolve_backward_weights(In x, In dy, Out dw, Out dbias);

    void batch_statistics(In x, Out mean, Out variance);
    void update_running(In mean, In variance, Index count, double momentum, Out running_mean, Out running_variance);
    void normalisation(In mean, In variance, In weight, In bias, double epsilon, Out scale, Out shift);
    void normalise(In x, In scale, In shift, Activation activation, Out y);
    void normalise_backward(In x, In dy, In mean, In variance, In weight, In bias, double epsilon,
                            Activation activation, bool own_statistics, Out dx, Out dweight, Out dbias);
    void normalise_backward_later(In dy, In variance, double epsilon, const GradientSums<CudaFor>& norm, bool known,
                                  Out factor, Out offset, Out dweight, Out dbias);
    void finish_gradients(const PendingGradients<CudaFor>& gradients, Out dx);

    void fill(Out y, double value);
    void copy(In x, Out y);
    void accumulate(In x, Out y);
    void scale(Out y, double factor);
    void combine(double alpha, In a, double beta, In b, Out y);
    void multiply(In a, In b, Out y);
    void multiply_add(In a, In b, Out y);
    void activate(In x, Activation activation, Out y);
    void activate_backward(In x, In dy, Activation activation, Out dx);
    void round(In x, View<CudaFor, BFloat16> z);
    void widen(View<CudaFor, const BFloat16> z, Out y);

    void max_pool(const Operand<CudaFor>& x, const Window& window, Out y);
    void max_pool_backward(const Operand<CudaFor>& x, In dy, const Window& window, Out dx);
    void max_pool_backward(In dy, const Window& window, In before, Out dx, const GradientSums<CudaFor>& norm);
    void average_pool(In x, const Window& window, Out y);
    void average_pool_backward(In dy, const Window& window, Out dx);
    void resize_nearest(In x, Out y);
    void resize_nearest_backward(In dy, Out dx);
    void resize_bilinear(In x, Out y);
    void resize_bilinear_backward(In dy, Out dx);
    void pad_edge(In x, Out y);
    void crop(In x, Out y);
    void crop_backward(In dy, Out dx);

    void gather_frames(In x, Indices indices, Out y);
    void gather_frames_backward(In dy, Indices indices, Out dx);
    void combine_frames(double alpha, In a, Indices of_a, double beta, In b, Indices of_b, In shift,
                        Activation activation, Out y);

    void place_frames(In store, InLabels list, Out y);
    void place_labels(InLabels store, InLabels list, Index frames, OutLabels labels);

    void softmax(In x, Out y);
    void softmax_backward(In y, In dy, Out dx);
    void log_softmax(In x, Out y);
    void log_softmax_backward(In y, In dy, Out dx);
    void arg_max(In x, OutLabels codes);
    void focal_loss(In logits, InLabels labels, In weights, const FocalOptions& options, Out loss, Out divisor);
    void focal_loss_backward(In logits, InLabels labels, In weights, const FocalOptions& options, In divisor, In dloss,
                             Out dlogits);
    bool joins_loss(In w, const Window& window) const;
    void convolve_backward_with_loss(const Operand<CudaFor>& x, const PendingLoss<CudaFor>& loss, In w, Out dx, Out dw,
                                     Out dbias);
    bool joins_head_end(const HeadEnd<CudaFor>& end) const;
    void finish_head(const Operand<CudaFor>& x, const HeadEnd<CudaFor>& end, Out logits);
    void finish_head(const Operand<CudaFor>& x, const HeadEnd<CudaFor>& end, OutLabels codes);
    void overlap_sums(In logits, InLabels labels, Out sums);
    void overlap_backward(In logits, InLabels labels, In gradients, Out dlogits);
    void overlap_loss(In sums, const TverskyOptions& options, Out loss, Out gradients);
    void overlap_backward(In logits, InLabels labels, In gradients, In dloss, Out dlogits);

    void adamw(const AdamWStep& step, In gradient, Out parameter, Out first_moment, Out second_moment);
    void sgd(const SgdStep& step, In gradient, Out parameter, Out velocity);
    double sum_of_squares(In x);
    void limit_norm(Out x, double limit);

    Index read_later(In x);
    double late_number(Index request);
    bool records() const;
    /// @throws BackendError if `work` copies to or from the host, or waits
    Recording record(const std::function<void()>& work);
    void replay(const Recording& recording);
    Index meetings() const;

private:
    using Queue = detail::cuda::Queue<Device>;

    explicit CudaFor(Queue* queue);
    // Opens the device. Its name is what the linker says where no `.cu` file defines these members.
    static Queue* add_one_cu_file_that_includes_mtdn_cuda_kernels_cuh(const Options& options);

    // An operand of more parts than kernels take is made whole first.
    Tensor<CudaFor> whole(const Operand<CudaFor>& x);

    std::unique_ptr<Queue> queue_;
};

/// Options of a CUDA backend.
struct CudaOptions {
    int device = 0;  ///< number of the GPU, as the driver counts those that CUDA_VISIBLE_DEVICES leaves
    /// What convolutions of stride 1, 1×1 and 3×3, and transposed ones round their operands to before they multiply
    /// them, all three ways.
    /// Sums are in single precision, and so is all else. Other than `single` needs compute capability 8.0.
    Precision precision = Precision::single;
    /// Whether every operation runs its simplest kernel, which is in single precision: what the others are checked by.
    bool simple = false;
    /// Whether a trainer records each kind of step, a batch's number of pairs and size, at its second time, as a CUDA
    /// graph, and plays it back from then on. The results are the same bits.
    bool graphs = true;
};

/// An NVIDIA GPU of compute capability 7.5 or more.
struct Gpu {
    using Options = CudaOptions;
};

extern template class CudaFor<Gpu>;

/// The backend for NVIDIA GPUs.
using Cuda = CudaFor<Gpu>;

static_assert(QueuedBackend<Cuda> && places_frames<Cuda> && reads_pending_gradients<Cuda> && joins_losses<Cuda> &&
              joins_convolutions<Cuda> && joins_head_ends<Cuda> && pools_convolutions<Cuda>);

}  // namespace mtdn
