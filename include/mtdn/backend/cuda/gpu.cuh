#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <mtdn/backend/cuda/gpu_memory.cuh>
#include <mtdn/backend/cuda/operations.hpp>
#include <mtdn/backend/cuda/queue_state.hpp>

namespace mtdn::detail::cuda {

/// A version that CUDA counts as 1000 · major + 10 · minor.
inline std::string version_text(int version) { return concatenate(version / 1000, '.', version % 1000 / 10); }

/// A GPU with the stream that all operations of one backend are queued in.
template <>
class Queue<Gpu> : public QueueState {
public:
    explicit Queue(const CudaOptions& options)
        : QueueState(std::make_shared<GpuMemoryPool>(options.device), options.graphs), device_(options.device),
          precision_(options.simple ? Precision::single : options.precision) {
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
        wrong_label_ = BlockHandle(memory().obtain(sizeof(Index)));
        *found_.reserve() = LabelChecks::none;
        forget_wrong_label();
    }
    ~Queue() {
        cudaSetDevice(device_);
        cudaStreamSynchronize(stream_);
        cudaStreamDestroy(stream_);
    }

    Precision precision() const { return precision_; }
    cudaStream_t stream() const { return stream_; }
    /// Makes the device the calling thread's own.
    void select() const { check(cudaSetDevice(device_), "cudaSetDevice"); }
    void wait() {
        meet();
        select();
        check(cudaMemcpyAsync(found_.reserve(), wrong_label(), sizeof(Index), cudaMemcpyDeviceToHost, stream_),
              "cudaMemcpyAsync");
        check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
        require_right_labels(*found_);
    }
    std::string describe() const {
        return concatenate(properties_.name, ", compute capability ", properties_.major, '.', properties_.minor, ", ",
                           properties_.multiProcessorCount, " multiprocessors, ", properties_.totalGlobalMem >> 30,
                           " GiB; kernels for ", architectures());
    }

    void copy_in(const void* from, void* to, const Rows& rows) {
        meet();
        select();
        // Pageable memory is read before the call returns, which for more than a little waits for what is queued: so
        // what is not large goes through memory that the GPU reads by itself.
        if (rows.count == 1 && rows.bytes <= most_staged) {
            auto& staged = staged_[staged_next_++ % staged_.size()];
            staged.wait();
            std::memcpy(staged.reserve(rows.bytes), from, rows.bytes);
            check(cudaMemcpyAsync(to, &*staged, rows.bytes, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
            staged.mark(stream_);
            return;
        }
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

    Index* wrong_label() const { return static_cast<Index*>(wrong_label_.data()); }
    Index read_later(const float* x) {
        select();
        const Index request = next_request();
        auto& place = late_[static_cast<std::size_t>(place_of(request))];
        place.wait();
        Late* late = place.reserve();
        check(cudaMemcpyAsync(&late->number, x, sizeof(float), cudaMemcpyDeviceToHost, stream_), "cudaMemcpyAsync");
        check(cudaMemcpyAsync(&late->wrong_label, wrong_label(), sizeof(Index), cudaMemcpyDeviceToHost, stream_),
              "cudaMemcpyAsync");
        place.mark(stream_);
        return request;
    }
    double late_number(Index request) {
        select();
        auto& place = late_[static_cast<std::size_t>(place_of(request))];
        place.wait();
        require_right_labels((*place).wrong_label);
        return static_cast<double>((*place).number);
    }

    void begin_recording() {
        select();
        begin_arena();
        const cudaError_t status = cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal);
        if (status != cudaSuccess) end_arena();
        check(status, "cudaStreamBeginCapture");
    }
    void abandon_recording() {
        cudaGraph_t graph = nullptr;
        cudaStreamEndCapture(stream_, &graph);
        if (graph) cudaGraphDestroy(graph);
        cudaGetLastError();
        end_arena();
    }
    std::shared_ptr<const void> end_recording() {
        auto recorded = std::make_shared<Recorded>(device_, end_arena());
        cudaGraph_t graph = nullptr;
        check(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
        const cudaError_t status = cudaGraphInstantiate(&recorded->graph, graph, 0);
        cudaGraphDestroy(graph);
        check(status, "cudaGraphInstantiate");
        return recorded;
    }
    void replay(const std::shared_ptr<const void>& recording) {
        select();
        check(cudaGraphLaunch(static_cast<const Recorded*>(recording.get())->graph, stream_), "cudaGraphLaunch");
    }

private:
    static constexpr std::size_t most_staged = 4 << 20;

    struct Late {
        float number;
        Index wrong_label;
    };
    // A graph goes before the memory that its kernels use; the driver waits for one that still runs.
    struct Recorded {
        Recorded(int of_device, std::shared_ptr<ArenaPool> its_arena)
            : device(of_device), arena(std::move(its_arena)) {}
        Recorded(const Recorded&) = delete;
        Recorded& operator=(const Recorded&) = delete;
        ~Recorded() {
            cudaSetDevice(device);
            if (graph) cudaGraphExecDestroy(graph);
        }
        int device;
        std::shared_ptr<ArenaPool> arena;
        cudaGraphExec_t graph = nullptr;
    };

    void forget_wrong_label() {
        check(cudaMemsetAsync(wrong_label(), 0x7f, sizeof(Index), stream_), "cudaMemsetAsync");
    }
    void require_right_labels(Index word) {
        if (word == LabelChecks::none) return;
        forget_wrong_label();
        label_checks().refuse(word);
    }

    // Below, where a kernel can be named.
    void require_code() const;
    static std::string architectures();

    int device_;
    Precision precision_;
    cudaDeviceProp properties_{};
    cudaStream_t stream_ = nullptr;
    BlockHandle wrong_label_;
    PinnedPlace<Index> found_;
    std::array<PinnedPlace<Late>, late_numbers> late_;
    std::array<PinnedPlace<std::byte>, 2> staged_;
    std::size_t staged_next_ = 0;
};

inline namespace MTDN_KERNELS {

/// An address in shared memory as instructions have it.
__device__ inline unsigned shared_address(const void* place) {
    return static_cast<unsigned>(__cvta_generic_to_shared(place));
}

/// What a kernel's body sees of its block on a GPU.
template <class Body>
struct GpuBlock {
    __device__ Index number() const { return blockIdx.x; }
    __device__ int thread() const { return static_cast<int>(threadIdx.x); }
    __device__ auto& shared() {
        using Shared = typename Body::Shared;
        if constexpr (sizeof(Shared) > static_shared) {
            extern __shared__ uint4 all[];
            return *reinterpret_cast<Shared*>(all);
        } else {
            __shared__ Shared memory;
            return memory;
        }
    }
    __device__ void sync() { __syncthreads(); }
    __device__ void lower(Index* place, Index value) {
        atomicMin(reinterpret_cast<long long*>(place), static_cast<long long>(value));
    }

#if __CUDA_ARCH__ >= 800
    __device__ Word bf16(float low, float high) {
        Word both;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
        return both;
    }
    __device__ Word tf32(float value) {
        Word rounded;
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(value));
        return rounded;
    }
    __device__ void copy(void* to, const void* from, int bytes) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                     "l"(__cvta_generic_to_global(from)), "r"(bytes)
                     : "memory");
    }
    __device__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }
    __device__ void load_rows(const void* row, Word (&words)[4]) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                     : "r"(shared_address(row))
                     : "memory");
    }
    __device__ void load_columns(const void* row, Word (&words)[4]) {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                     : "r"(shared_address(row))
                     : "memory");
    }
    __device__ void multiply_bf16(float (&sum)[4], const Word (&a)[4], Word low, Word high) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                     "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(low), "r"(high));
    }
    __device__ void multiply_tf32(float (&sum)[4], const Word (&a)[4], Word low, Word high) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                     "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(low), "r"(high));
    }
#else
    // Kernels that do these are not launched: the queue refuses the precision.
    __device__ Word bf16(float, float) { return trap(); }
    __device__ Word tf32(float) { return trap(); }
    __device__ void copy(void*, const void*, int) { trap(); }
    __device__ void wait_for_copies() { trap(); }
    __device__ void load_rows(const void*, Word (&)[4]) { trap(); }
    __device__ void load_columns(const void*, Word (&)[4]) { trap(); }
    __device__ void multiply_bf16(float (&)[4], const Word (&)[4], Word, Word) { trap(); }
    __device__ void multiply_tf32(float (&)[4], const Word (&)[4], Word, Word) { trap(); }
    __device__ Word trap() {
        __trap();
        return 0;
    }
#endif
};

/// Blocks that a multiprocessor should hold at once, which bounds a thread's registers; 0 if it does not matter.
template <class Body>
constexpr int resident_blocks() {
    if constexpr (requires { Body::resident; }) return Body::resident;
    else return 0;
}

template <class Body>
__global__ void __launch_bounds__(Body::threads, resident_blocks<Body>()) run(const __grid_constant__ Body body) {
    GpuBlock<Body> block;
    body(block);
}

template <class Body>
void launch(Queue<Gpu>& queue, Index blocks, const Body& body) {
    if (blocks == 0) return;
    require<BackendError>(blocks <= INT32_MAX, "a kernel of ", blocks, " blocks; a GPU takes 2147483647");
    queue.select();
    std::size_t bytes = 0;
    if constexpr (requires { typename Body::Shared; })
        if constexpr (sizeof(typename Body::Shared) > static_shared) {
            bytes = sizeof(typename Body::Shared);
            check(cudaFuncSetAttribute(run<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
                  "cudaFuncSetAttribute");
        }
    run<<<static_cast<unsigned>(blocks), Body::threads, bytes, queue.stream()>>>(body);
    check(cudaGetLastError(), "a kernel's launch");
}

/// Compute capabilities that this unit's kernels are compiled for, as "7.5, 9.0".
inline std::string compiled_for() {
    std::string text;
    for (const int capability : {__CUDA_ARCH_LIST__})
        text += concatenate(text.empty() ? "" : ", ", capability / 100, '.', capability % 100 / 10);
    return text;
}

/// @param made_for  set to what the device's code is made for, as 80 for 8.0
inline cudaError_t find_code(int& made_for) {
    cudaFuncAttributes attributes{};
    const cudaError_t status = cudaFuncGetAttributes(&attributes, run<ForEach<Assign<Constant>>>);
    made_for = attributes.ptxVersion;
    return status;
}

}  // namespace MTDN_KERNELS

inline std::string Queue<Gpu>::architectures() { return compiled_for(); }

inline void Queue<Gpu>::require_code() const {
    int made_for = 0;
    const cudaError_t status = find_code(made_for);
    if (status == cudaSuccess) {
        require<BackendError>(
            precision_ == Precision::single || made_for >= 80,
            "convolutions in bfloat16 or TF32 need compute capability 8.0 or more, of the GPU and of the "
            "program's kernels; ",
            properties_.name, " has ", properties_.major, '.', properties_.minor, ", the kernels are built for ",
            architectures());
        return;
    }
    cudaGetLastError();
    require<BackendError>(status != cudaErrorNoKernelImageForDevice && status != cudaErrorInvalidDeviceFunction &&
                              status != cudaErrorUnsupportedPtxVersion,
                          "the kernels of this program are built for compute capability ", architectures(), "; ",
                          properties_.name, " has ", properties_.major, '.', properties_.minor,
                          ": build them for it, -DCMAKE_CUDA_ARCHITECTURES=", properties_.major, properties_.minor);
    check(status, "cudaFuncGetAttributes");
}

}  // namespace mtdn::detail::cuda
