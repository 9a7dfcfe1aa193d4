#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include <mtdn/backend/memory.hpp>

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

/// Memory of one GPU. Its blocks may be given back while the stream still uses them, for the same stream does what
/// comes next; chunks are returned to the driver, which waits.
class GpuMemoryPool final : public MemoryPool {
public:
    /// Memory here is taken whether it is touched or not: chunks grow by an eighth.
    explicit GpuMemoryPool(int device) : MemoryPool(8), device_(device) {}
    ~GpuMemoryPool() override { trim(); }

private:
    void* allocate(std::size_t bytes) override {
        check(cudaSetDevice(device_), "cudaSetDevice");
        void* data = nullptr;
        // A thread that records may not allocate, unless it says that it knows what it does.
        cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
        check(cudaThreadExchangeStreamCaptureMode(&mode), "cudaThreadExchangeStreamCaptureMode");
        const cudaError_t status = cudaMalloc(&data, bytes);
        check(cudaThreadExchangeStreamCaptureMode(&mode), "cudaThreadExchangeStreamCaptureMode");
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

/// Host memory that a GPU reads and writes by itself, so that a copy does not wait for it, and a mark in the stream.
template <class T>
class PinnedPlace {
public:
    PinnedPlace() = default;
    PinnedPlace(const PinnedPlace&) = delete;
    PinnedPlace& operator=(const PinnedPlace&) = delete;
    ~PinnedPlace() {
        if (!data_) return;
        cudaEventSynchronize(event_);
        cudaEventDestroy(event_);
        cudaFreeHost(data_);
    }

    /// Room for `count` at least. To be called when the GPU has no more use for what was there.
    T* reserve(std::size_t count = 1) {
        if (!data_) check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
        if (count > count_) {
            count_ = 0;
            check(cudaFreeHost(std::exchange(data_, nullptr)), "cudaFreeHost");
            check(cudaHostAlloc(reinterpret_cast<void**>(&data_), count * sizeof(T), cudaHostAllocDefault),
                  "cudaHostAlloc");
            count_ = count;
        }
        return data_;
    }
    const T& operator*() const { return *data_; }
    /// Marks that what is queued so far uses it.
    void mark(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "cudaEventRecord"); }
    /// Waits for what was queued before the mark, if there is one.
    void wait() {
        if (data_) check(cudaEventSynchronize(event_), "cudaEventSynchronize");
    }

private:
    T* data_ = nullptr;
    std::size_t count_ = 0;
    cudaEvent_t event_ = nullptr;
};

}  // namespace mtdn::detail::cuda
