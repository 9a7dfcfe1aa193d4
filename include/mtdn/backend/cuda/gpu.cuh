#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <string>

#include <mtdn/backend/cuda/operations.hpp>

namespace mtdn::detail::cuda {

/// Throws what a call of the CUDA runtime came to, unless it is success.
///
/// The runtime would report the error again at the next call; it is cleared, where it can be.
inline void check(cudaError_t status, const char* call) {
    if (status == cudaSuccess) return;
    cudaGetLastError();
    const bool lost = cudaFree(nullptr) != cudaSuccess;
    cudaGetLastError();
    fail<BackendError>("CUDA: ", call, " failed: ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")",
                       lost ? "; the GPU is lost to this process, start it again" : "");
}

/// A version that CUDA counts as 1000 · major + 10 · minor.
inline std::string version_text(int version) { return concatenate(version / 1000, '.', version % 1000 / 10); }

/// Memory of one GPU. Its blocks may be given back while the stream still uses them, for the same stream does what comes
/// next; chunks are returned to the driver, which waits.
class GpuMemoryPool final : public MemoryPool {
public:
    /// Memory here is taken whether it is touched or not: chunks grow by an eighth.
    explicit GpuMemoryPool(int device) : MemoryPool(8), device_(device) {}
    ~GpuMemoryPool() override { trim(); }

private:
    void* allocate(std::size_t bytes) override {
        check(cudaSetDevice(device_), "cudaSetDevice");
        void* data = nullptr;
        const cudaError_t status = cudaMalloc(&data, bytes);
        if (status == cudaErrorMemoryAllocation) {
            cudaGetLastError();
            std::size_t free = 0, total = 0;
            check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
            fail<BackendError>("out of GPU memory: ", bytes >> 20, " MiB wanted, ", free >> 20, " of ", total >> 20,
                               " MiB free, ", in_use() >> 20,
                               " MiB in use here; lower the batch, the size or the width");
        }
        check(status, "cudaMalloc");
        return data;
    }
    void deallocate(void* data) noexcept override { cudaFree(data); }

    int device_;
};

/// A GPU with the stream that all operations of one backend are queued in.
template <>
class Queue<Gpu> {
public:
    explicit Queue(const CudaOptions& options) : device_(options.device) {
        int driver = 0, runtime = 0, count = 0;
        cudaDriverGetVersion(&driver);
        cudaRuntimeGetVersion(&runtime);
        const cudaError_t status = cudaGetDeviceCount(&count);
        if (status != cudaSuccess) cudaGetLastError();
        require<BackendError>(driver != 0, "no CUDA device: no NVIDIA driver was found");
        require<BackendError>(status != cudaErrorInsufficientDriver, "the NVIDIA driver is for CUDA ",
                              version_text(driver), ", this program is built with ", version_text(runtime),
                              "; update the driver");
        require<BackendError>(status != cudaErrorNoDevice && (status != cudaSuccess || count > 0),
                              "no CUDA device: the driver finds no GPU that CUDA_VISIBLE_DEVICES leaves");
        check(status, "cudaGetDeviceCount");
        require<BackendError>(device_ >= 0 && device_ < count, "no CUDA device ", device_, ": there are ", count,
                              ", counted from 0");
        select();
        check(cudaGetDeviceProperties(&properties_, device_), "cudaGetDeviceProperties");
        require<BackendError>(10 * properties_.major + properties_.minor >= 75, properties_.name,
                              " has compute capability ", properties_.major, '.', properties_.minor,
                              "; 7.5 or more is needed");
        require_code();
        check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
        memory_ = std::make_shared<GpuMemoryPool>(device_);
    }
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;
    ~Queue() {
        cudaSetDevice(device_);
        cudaStreamSynchronize(stream_);
        cudaStreamDestroy(stream_);
    }

    MemoryPool& memory() { return *memory_; }
    cudaStream_t stream() const { return stream_; }
    /// Makes the device the calling thread's own.
    void select() const { check(cudaSetDevice(device_), "cudaSetDevice"); }
    void wait() {
        select();
        check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    }
    std::string describe() const {
        return concatenate(properties_.name, ", compute capability ", properties_.major, '.', properties_.minor, ", ",
                           properties_.multiProcessorCount, " multiprocessors, ", properties_.totalGlobalMem >> 30,
                           " GiB; kernels for ", architectures());
    }

    void copy_in(const void* from, void* to, const Rows& rows) {
        select();
        // Pageable memory is read before the call returns.
        if (rows.count == 1)
            check(cudaMemcpyAsync(to, from, rows.bytes, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
        else
            check(cudaMemcpy2DAsync(to, rows.step, from, rows.bytes, rows.bytes, rows.count, cudaMemcpyHostToDevice,
                                    stream_),
                  "cudaMemcpy2DAsync");
    }
    void copy_out(const void* from, void* to, const Rows& rows) {
        select();
        if (rows.count == 1)
            check(cudaMemcpyAsync(to, from, rows.bytes, cudaMemcpyDeviceToHost, stream_), "cudaMemcpyAsync");
        else
            check(cudaMemcpy2DAsync(to, rows.bytes, from, rows.step, rows.bytes, rows.count, cudaMemcpyDeviceToHost,
                                    stream_),
                  "cudaMemcpy2DAsync");
        wait();
    }

private:
    // Below, where a kernel can be named.
    void require_code() const;
    static std::string architectures();

    int device_;
    cudaDeviceProp properties_{};
    cudaStream_t stream_ = nullptr;
    std::shared_ptr<GpuMemoryPool> memory_;
};

inline namespace MTDN_KERNELS {

/// What a kernel's body sees of its block on a GPU.
template <class Body>
struct GpuBlock {
    __device__ Index number() const { return blockIdx.x; }
    __device__ int thread() const { return static_cast<int>(threadIdx.x); }
    __device__ auto& shared() {
        __shared__ typename Body::Shared memory;
        return memory;
    }
    __device__ void sync() { __syncthreads(); }
    __device__ void lower(Index* place, Index value) {
        atomicMin(reinterpret_cast<long long*>(place), static_cast<long long>(value));
    }
};

template <class Body>
__global__ void __launch_bounds__(Body::threads) run(const __grid_constant__ Body body) {
    GpuBlock<Body> block;
    body(block);
}

template <class Body>
void launch(Queue<Gpu>& queue, Index blocks, const Body& body) {
    if (blocks == 0) return;
    require<BackendError>(blocks <= INT32_MAX, "a kernel of ", blocks, " blocks; a GPU takes 2147483647");
    queue.select();
    run<<<static_cast<unsigned>(blocks), Body::threads, 0, queue.stream()>>>(body);
    check(cudaGetLastError(), "a kernel's launch");
}

/// Compute capabilities that this unit's kernels are compiled for, as "7.5, 9.0".
inline std::string compiled_for() {
    std::string text;
    for (const int capability : {__CUDA_ARCH_LIST__})
        text += concatenate(text.empty() ? "" : ", ", capability / 100, '.', capability % 100 / 10);
    return text;
}

inline cudaError_t find_code() {
    cudaFuncAttributes attributes;
    return cudaFuncGetAttributes(&attributes, run<ForEach<Assign<Constant>>>);
}

}  // namespace MTDN_KERNELS

inline std::string Queue<Gpu>::architectures() { return compiled_for(); }

inline void Queue<Gpu>::require_code() const {
    const cudaError_t status = find_code();
    if (status == cudaSuccess) return;
    cudaGetLastError();
    require<BackendError>(status != cudaErrorNoKernelImageForDevice && status != cudaErrorInvalidDeviceFunction &&
                              status != cudaErrorUnsupportedPtxVersion,
                          "the kernels of this program are built for compute capability ", architectures(), "; ",
                          properties_.name, " has ", properties_.major, '.', properties_.minor,
                          ": build them for it, -DCMAKE_CUDA_ARCHITECTURES=", properties_.major, properties_.minor);
    check(status, "cudaFuncGetAttributes");
}

}  // namespace mtdn::detail::cuda
