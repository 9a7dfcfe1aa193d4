#pragma once

#include <cudnn.h>

#include <array>
#include <map>
#include <optional>

#include <mtdn/backend/cuda/gpu.cuh>
#include <mtdn/backend/cudnn.hpp>

#if CUDNN_MAJOR < 9
#error "<mtdn/cudnn_kernels.cuh> takes cuDNN 9"
#endif

namespace mtdn::detail::cuda {

inline void check(cudnnStatus_t status, const char* call) {
    if (status == CUDNN_STATUS_SUCCESS) return;
    char reason[256] = "";
    cudnnGetLastErrorString(reason, sizeof reason);
    fail<BackendError>("cuDNN: ", call, " failed: ", cudnnGetErrorString(status), *reason ? ": " : "", reason);
}

/// Something of cuDNN's that is created and destroyed.
template <class T, auto Create, auto Destroy>
class CudnnObject {
public:
    CudnnObject() { check(Create(&object_), "cudnnCreate"); }
    CudnnObject(const CudnnObject&) = delete;
    CudnnObject& operator=(const CudnnObject&) = delete;
    ~CudnnObject() { Destroy(object_); }
    operator T() const { return object_; }

private:
    T object_ = nullptr;
};

/// A convolution as cuDNN knows it, and the algorithms for its passes once they have been asked for.
struct CudnnConvolution {
    using Image = CudnnObject<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;
    using Weights = CudnnObject<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor>;
    using How = CudnnObject<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor,
                            cudnnDestroyConvolutionDescriptor>;

    Image x, y;
    Weights w;
    How how;
    std::optional<cudnnConvolutionFwdAlgoPerf_t> forward;
    std::optional<cudnnConvolutionBwdDataAlgoPerf_t> backward_data;
    std::optional<cudnnConvolutionBwdFilterAlgoPerf_t> backward_weights;

    CudnnConvolution(const DenseConvolution& c, Precision precision) {
        const cudnnDataType_t type = precision == Precision::bfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
        const auto number = [](Index i) { return static_cast<int>(i); };
        const auto describe = [&](cudnnTensorDescriptor_t image, const Shape& shape) {
            check(cudnnSetTensor4dDescriptor(image, CUDNN_TENSOR_NHWC, type, number(shape.frames),
                                             number(shape.channels), number(shape.height), number(shape.width)),
                  "cudnnSetTensor4dDescriptor");
        };
        describe(x, c.x);
        describe(y, c.y);
        const int kernel = number(c.window.kernel), stride = number(c.window.stride);
        const int padding = number(c.window.padding);
        check(cudnnSetFilter4dDescriptor(w, type, CUDNN_TENSOR_NHWC, number(c.y.channels), number(c.x.channels), kernel,
                                         kernel),
              "cudnnSetFilter4dDescriptor");
        check(cudnnSetConvolution2dDescriptor(how, padding, padding, stride, stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                              CUDNN_DATA_FLOAT),
              "cudnnSetConvolution2dDescriptor");
        // By default TF32 is allowed of single precision.
        const cudnnMathType_t math = precision == Precision::single ? CUDNN_FMA_MATH
                                     : precision == Precision::tf32 ? CUDNN_DEFAULT_MATH
                                                                    : CUDNN_TENSOR_OP_MATH;
        check(cudnnSetConvolutionMathType(how, math), "cudnnSetConvolutionMathType");
    }
};

/// A GPU with cuDNN, whose work is queued in the same stream.
template <>
class Queue<CudnnGpu> : public Queue<Gpu> {
public:
    explicit Queue(const CudaOptions& options) : Queue<Gpu>(options), uses_library_(!options.simple) {
        require<BackendError>(options.simple || options.precision != Precision::tf32x3,
                              "cuDNN has no convolutions by three products in TF32; single, tf32 or bfloat16");
        check(cudnnSetStream(cudnn_, stream()), "cudnnSetStream");
    }

    std::string describe() const { return concatenate(Queue<Gpu>::describe(), "; cuDNN ", cudnnGetVersion()); }
    bool uses_library() const { return uses_library_; }

    void convolve(const DenseConvolution& c, const void* x, const void* w, void* y) {
        CudnnConvolution& plan = plan_of(c);
        if (!plan.forward)
            choose(
                plan.forward, c,
                [&](auto... found) {
                    return cudnnGetConvolutionForwardAlgorithm_v7(cudnn_, plan.x, plan.w, plan.how, plan.y, found...);
                },
                [&](auto... size) {
                    return cudnnGetConvolutionForwardWorkspaceSize(cudnn_, plan.x, plan.w, plan.how, plan.y, size...);
                });
        const Scratch<char> room = workspace(plan.forward->memory);
        check(cudnnConvolutionForward(cudnn_, &one, plan.x, x, plan.w, w, plan.how, plan.forward->algo, room.data(),
                                      plan.forward->memory, &zero, plan.y, y),
              "cudnnConvolutionForward");
    }
    void convolve_backward_data(const DenseConvolution& c, const void* dy, const void* w, void* dx) {
        CudnnConvolution& plan = plan_of(c);
        if (!plan.backward_data)
            choose(
                plan.backward_data, c,
                [&](auto... found) {
                    return cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnn_, plan.w, plan.y, plan.how, plan.x,
                                                                       found...);
                },
                [&](auto... size) {
                    return cudnnGetConvolutionBackwardDataWorkspaceSize(cudnn_, plan.w, plan.y, plan.how, plan.x,
                                                                        size...);
                });
        const Scratch<char> room = workspace(plan.backward_data->memory);
        check(cudnnConvolutionBackwardData(cudnn_, &one, plan.w, w, plan.y, dy, plan.how, plan.backward_data->algo,
                                           room.data(), plan.backward_data->memory, &zero, plan.x, dx),
              "cudnnConvolutionBackwardData");
    }
    void convolve_backward_weights(const DenseConvolution& c, const void* x, const void* dy, void* dw) {
        CudnnConvolution& plan = plan_of(c);
        if (!plan.backward_weights)
            choose(
                plan.backward_weights, c,
                [&](auto... found) {
                    return cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnn_, plan.x, plan.y, plan.how, plan.w,
                                                                         found...);
                },
                [&](auto... size) {
                    return cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnn_, plan.x, plan.y, plan.how, plan.w,
                                                                          size...);
                });
        const Scratch<char> room = workspace(plan.backward_weights->memory);
        check(cudnnConvolutionBackwardFilter(cudnn_, &one, plan.x, x, plan.y, dy, plan.how, plan.backward_weights->algo,
                                             room.data(), plan.backward_weights->memory, &zero, plan.w, dw),
              "cudnnConvolutionBackwardFilter");
    }

private:
    static constexpr float one = 1, zero = 0;

    /// Everything that tells convolutions of one queue apart.
    using Key = std::array<Index, 8>;

    CudnnConvolution& plan_of(const DenseConvolution& c) {
        select();
        const Key key{c.x.frames,   c.x.height,      c.x.width,       c.x.channels,
                      c.y.channels, c.window.kernel, c.window.stride, c.window.padding};
        return plans_.try_emplace(key, c, precision()).first->second;
    }
    Scratch<char> workspace(std::size_t bytes) { return {*this, static_cast<Index>(bytes)}; }

    /// The algorithm that cuDNN expects to be the fastest of those with equal bits from run to run; nothing is timed.
    template <class Algorithm, class Find, class Size>
    static void choose(std::optional<Algorithm>& chosen, const DenseConvolution& c, const Find& find,
                       const Size& size) {
        std::array<Algorithm, 16> found{};
        int count = 0;
        check(find(static_cast<int>(found.size()), &count, found.data()), "cudnnGetConvolution…Algorithm_v7");
        for (int i = 0; i < count && !chosen; ++i) {
            Algorithm& algorithm = found[static_cast<std::size_t>(i)];
            if (algorithm.status != CUDNN_STATUS_SUCCESS || algorithm.determinism != CUDNN_DETERMINISTIC) continue;
            // What it was found with may be another arithmetic than ours, where it may need other memory or not exist.
            if (size(algorithm.algo, &algorithm.memory) == CUDNN_STATUS_SUCCESS) chosen = algorithm;
        }
        require<BackendError>(chosen.has_value(), "cuDNN has no algorithm of equal results from run to run for ", c.x,
                              " to ", c.y, ", kernel ", c.window.kernel, ", stride ", c.window.stride, ", padding ",
                              c.window.padding, "; Cuda has");
    }

    CudnnObject<cudnnHandle_t, cudnnCreate, cudnnDestroy> cudnn_;
    std::map<Key, CudnnConvolution> plans_;
    bool uses_library_;
};

}  // namespace mtdn::detail::cuda
