// What a GPU does at most, measured: what kernels are held against. A line of JSON for each ceiling.
//
//     ceilings [SECONDS]    of each, about; 0.2 unless it is said
//
// The instructions are those of our kernels, and Hopper's products of four warps, which ours do not use yet.
#include <cublas_v2.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <vector>

#include <mtdn/cuda_kernels.cuh>

#include "wide_products.cuh"

namespace {

using namespace mtdn;
using namespace mtdn::detail::cuda;
using namespace mtdn::ceilings;

/// a = b, or a = b + 3c.
struct Stream {
    static constexpr int threads = threads_of_a_block;
    const float4* b;
    const float4* c;  // or null
    float4* a;
    Index count;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const Index i = block.number() * threads + block.thread();
        if (i >= count) return;
        float4 x = b[i];
        if (c) x = {x.x + 3 * c[i].x, x.y + 3 * c[i].y, x.z + 3 * c[i].z, x.w + 3 * c[i].w};
        a[i] = x;
    }
};

/// Reads what all blocks read over and over, from the second-level cache.
struct ReadCached {
    static constexpr int threads = threads_of_a_block;
    const float4* from;
    int count;  // a power of two
    float* result;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        float sum = 0;
        const int first = static_cast<int>(block.number()) * threads + block.thread();
#pragma unroll 8
        for (int r = 0; r < rounds; ++r) {
            float4 x;
            asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];"
                         : "=f"(x.x), "=f"(x.y), "=f"(x.z), "=f"(x.w)
                         : "l"(from + ((first + r * 4099 * threads) & (count - 1))));
            sum += x.x + x.y + x.z + x.w;
        }
        if (sum == -1) *result = sum;
    }
};

/// The same on its way into shared memory, past the registers.
struct CopyCached {
    static constexpr int threads = threads_of_a_block;
    struct Shared {
        SharedArray<Four, 8 * threads> fours;
    };
    const float4* from;
    int count;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const int first = static_cast<int>(block.number()) * threads + block.thread();
        for (int r = 0; r < rounds; r += 8) {
            for (int k = 0; k < 8; ++k)
                block.copy(&block.shared().fours[k * threads + block.thread()],
                           from + ((first + (r + k) * 4099 * threads) & (count - 1)), 16);
            block.wait_for_copies();
        }
    }
};

/// Rows of shared memory into registers, as tensor cores want them.
struct LoadRows {
    static constexpr int threads = threads_of_a_block;
    struct Shared {
        Tile<16 * threads / 32> tile;
    };
    float* result;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const int lane = block.thread() % 32;
        Word sum = 0;
        block.shared().tile.units[block.thread()] = Unit{};
        block.sync();
#pragma unroll 8
        for (int r = 0; r < rounds; ++r) {
            Word words[4];
            block.load_rows(&block.shared().tile.at(block.thread() / 32 * 16, lane % 16, lane / 16), words);
            sum += words[0] ^ words[1] ^ words[2] ^ words[3];
        }
        if (sum == 1) *result = 1;
    }
};

/// Products of a warp's tensor cores, eight of them independent; or, of no cores, of single numbers.
template <class Cores>
struct Products {
    static constexpr int threads = threads_of_a_block;
    static constexpr double operations = 2.0 * 16 * 8 * Cores::depth * 8 * rounds * threads / 32;
    float* result;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const auto seed = static_cast<Word>(block.thread());
        // Some numbers between 1 and 2: what tensor cores take of power depends on them.
        const Word a[4] = {0x3f803f80 + seed, 0x3fa03f91 + seed, 0x3f8a3f83 + seed, 0x3fb73fa0 + seed};
        float sum[8][4] = {};
#pragma unroll 1
        for (int r = 0; r < rounds; ++r)
            MTDN_UNROLL
            for (auto& one : sum) Cores::multiply(block, one, a, a[1], a[2]);
        float all = 0;
        for (const auto& one : sum)
            for (const float value : one) all += value;
        if (all == -1) *result = all;
    }
};
struct NoCores {
    static constexpr int depth = 1;
    template <class Block>
    MTDN_DEVICE static void multiply(Block&, float (&sum)[4], const Word (&a)[4], Word low, Word) {
        for (int i = 0; i < 4; ++i) sum[i] = fmaf(__uint_as_float(a[i]), __uint_as_float(low), sum[i]);
    }
};

struct Nothing {
    static constexpr int threads = 32;
    template <class Block>
    MTDN_DEVICE void operator()(Block&) const {}
};

void require_cublas(cublasStatus_t status, const char* call) {
    require<BackendError>(status == CUBLAS_STATUS_SUCCESS, "cuBLAS: ", call, ": ", cublasGetStatusString(status));
}

/// Measures on one GPU, and says so.
class Bench {
public:
    explicit Bench(double seconds) : seconds_(seconds) {
        check(cudaEventCreate(&begin_), "cudaEventCreate");
        check(cudaEventCreate(&end_), "cudaEventCreate");
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    ~Bench() {
        cudaEventDestroy(begin_);
        cudaEventDestroy(end_);
    }

    Queue<Gpu>& queue() { return queue_; }

    /// Says how much of `unit` a second is done by what queues `amount` of it: the best of many runs.
    void rate(const char* name, double amount, const char* unit, const std::function<void()>& work) {
        work();
        double best = HUGE_VAL, all = 0;
        for (int i = 0; i < 5 || all < seconds_; ++i) {
            check(cudaEventRecord(begin_, queue_.stream()), "cudaEventRecord");
            work();
            check(cudaEventRecord(end_, queue_.stream()), "cudaEventRecord");
            queue_.wait();
            float milliseconds = 0;
            check(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
            best = std::min(best, milliseconds / 1e3);
            all += milliseconds / 1e3;
        }
        say(name, amount / best, unit);
    }
    static void say(const char* name, double value, const char* unit) {
        std::cout << "{\"ceiling\": \"" << name << "\", \"value\": " << value << ", \"unit\": \"" << unit << "\"}"
                  << std::endl;
    }

private:
    Queue<Gpu> queue_{CudaOptions{}};
    double seconds_;
    cudaEvent_t begin_{}, end_{};
};

void measure_memory(Bench& bench, Index blocks) {
    Queue<Gpu>& queue = bench.queue();
    const Index count = Index{1} << 26;  // of 16 bytes: 1 GiB, of which no cache has a part worth mentioning
    const Scratch<float4> a(queue, count), b(queue, count), c(queue, count);
    check(cudaMemsetAsync(b.data(), 0, static_cast<std::size_t>(count) * 16, queue.stream()), "cudaMemsetAsync");
    check(cudaMemsetAsync(c.data(), 0, static_cast<std::size_t>(count) * 16, queue.stream()), "cudaMemsetAsync");
    const auto bytes = 16 * static_cast<double>(count);
    const auto stream = [&](const float4* third) {
        launch(queue, count / threads_of_a_block, Stream{b.data(), third, a.data(), count});
    };
    bench.rate("memory, copy", 2 * bytes, "byte/s", [&] { stream(nullptr); });
    bench.rate("memory, a = b + 3c", 3 * bytes, "byte/s", [&] { stream(c.data()); });

    const int cached = 1 << 20;  // 16 MiB
    const Scratch<float> result(queue, 1);
    const double reads = 16.0 * rounds * threads_of_a_block * static_cast<double>(blocks);
    bench.rate("second-level cache, reads", reads, "byte/s",
               [&] { launch(queue, blocks, ReadCached{b.data(), cached, result.data()}); });
    bench.rate("second-level cache, cp.async into shared memory", reads, "byte/s",
               [&] { launch(queue, blocks, CopyCached{b.data(), cached}); });
    bench.rate("shared memory, ldmatrix", reads, "byte/s", [&] { launch(queue, blocks, LoadRows{result.data()}); });
}

template <class Body>
void measure_products(Bench& bench, const char* name, Index blocks) {
    const Scratch<float> result(bench.queue(), 1);
    check(cudaMemsetAsync(result.data(), 0, 4, bench.queue().stream()), "cudaMemsetAsync");
    const auto run = [&] { launch(bench.queue(), blocks, Body{result.data()}); };
    run();
    float done = 0;
    bench.queue().copy_out(result.data(), &done, Rows(sizeof done));
    if (requires { typename Body::Shared; } && done == 0)
        std::cout << "{\"ceiling\": \"" << name << "\", \"skipped\": \"not compiled for 9.0a\"}" << std::endl;
    else bench.rate(name, Body::operations * static_cast<double>(blocks), "FLOP/s", run);
}

/// A large product of matrices by cuBLAS.
void measure_cublas(Bench& bench, const char* name, cudaDataType_t type, cublasComputeType_t compute) {
    const int n = 8192;
    Queue<Gpu>& queue = bench.queue();
    const Scratch<float> a(queue, Index{n} * n), b(queue, Index{n} * n), c(queue, Index{n} * n);
    // Numbers near 1 whether they are read as single precision or as pairs in bfloat16.
    for (float* x : {a.data(), b.data()})
        for_each_element(queue, View<Cuda, float>{x, {1, n, n, 1}, 1}, Constant{1.0039F});
    cublasHandle_t handle{};
    require_cublas(cublasCreate(&handle), "cublasCreate");
    require_cublas(cublasSetStream(handle, queue.stream()), "cublasSetStream");
    const float one = 1, zero = 0;
    bench.rate(name, 2.0 * n * n * n, "FLOP/s", [&] {
        require_cublas(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a.data(), type, n, b.data(), type,
                                    n, &zero, c.data(), type, n, compute, CUBLAS_GEMM_DEFAULT),
                       "cublasGemmEx");
    });
    require_cublas(cublasDestroy(handle), "cublasDestroy");
}

/// Kernels that do nothing, one after the other: as the host queues them, and as a graph of them.
void measure_launches(Bench& bench) {
    const int count = 1000;
    Queue<Gpu>& queue = bench.queue();
    const auto launches = [&] {
        for (int i = 0; i < count; ++i) launch(queue, 1, Nothing{});
    };
    bench.rate("launches", count, "1/s", launches);
    cudaGraph_t graph{};
    cudaGraphExec_t ready{};
    check(cudaStreamBeginCapture(queue.stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
    launches();
    check(cudaStreamEndCapture(queue.stream(), &graph), "cudaStreamEndCapture");
    check(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
    bench.rate("launches in a graph", count, "1/s",
               [&] { check(cudaGraphLaunch(ready, queue.stream()), "cudaGraphLaunch"); });
    cudaGraphExecDestroy(ready);
    cudaGraphDestroy(graph);

    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) {
        launch(queue, 1, Nothing{});
        queue.wait();
    }
    const std::chrono::duration<double> all = std::chrono::steady_clock::now() - start;
    Bench::say("a launch and the wait for it", all.count() / count, "s");
}

}  // namespace

int main(int argc, char** argv) try {
    Bench bench(argc > 1 ? std::stod(argv[1]) : 0.2);
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    const Index blocks = 16 * properties.multiProcessorCount;
    std::cout << "{\"device\": \"" << bench.queue().describe() << "\"}" << std::endl;
    measure_memory(bench, blocks);
    measure_launches(bench);
    measure_products<Products<NoCores>>(bench, "single precision, no tensor cores", blocks);
    measure_products<Products<Tf32Cores>>(bench, "mma.sync, TF32", blocks);
    measure_products<Products<Bf16Cores>>(bench, "mma.sync, bfloat16", blocks);
    measure_products<WideProducts<32, false>>(bench, "wgmma, bfloat16, 32 columns, shared memory", blocks);
    measure_products<WideProducts<64, false>>(bench, "wgmma, bfloat16, 64 columns, shared memory", blocks);
    measure_products<WideProducts<128, false>>(bench, "wgmma, bfloat16, 128 columns, shared memory", blocks);
    measure_products<WideProducts<32, true>>(bench, "wgmma, bfloat16, 32 columns, rows in registers", blocks);
    measure_products<WideProducts<64, true>>(bench, "wgmma, bfloat16, 64 columns, rows in registers", blocks);
    measure_products<WideProducts<128, true>>(bench, "wgmma, bfloat16, 128 columns, rows in registers", blocks);
    measure_cublas(bench, "cuBLAS, 8192^3, single precision", CUDA_R_32F, CUBLAS_COMPUTE_32F);
    measure_cublas(bench, "cuBLAS, 8192^3, TF32", CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32);
    measure_cublas(bench, "cuBLAS, 8192^3, bfloat16", CUDA_R_16BF, CUBLAS_COMPUTE_32F);
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
