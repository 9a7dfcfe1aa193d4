#include <algorithm>
#include <vector>

#include "support/benchmark.hpp"

#include <mtdn/core/threads.hpp>

// What this machine can do at most, on all of its processors: the figures to hold the operations' counters against.
namespace {

using benchmark::Counter;

#if defined(__AVX512F__)
constexpr int width = 16;
#elif defined(__AVX__)
constexpr int width = 8;
#else
constexpr int width = 4;
#endif
typedef float Vector __attribute__((vector_size(4 * width)));

void multiply_adds(benchmark::State& state) {
    constexpr int chains = 12;  // independent ones, enough to hide the latency, few enough to stay in registers
    constexpr int rounds = 1000000;
    mtdn::ThreadPool pool;
    for (auto _ : state)
        pool.run(pool.size(), [](mtdn::Index) {
            Vector sums[chains] = {};
            for (Vector& sum : sums) benchmark::DoNotOptimize(sum);  // else they are seen to be equal
            for (int round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
                for (int i = 0; i < chains; ++i) sums[i] = sums[i] * 0.999F + 0.5F;
            }
            for (Vector& sum : sums) benchmark::DoNotOptimize(sum);
        });
    state.counters["FLOP/s"] = Counter(2.0 * width * chains * rounds * pool.size(), Counter::kIsIterationInvariantRate);
}
BENCHMARK(multiply_adds)->Name("ceiling/multiply_adds")->UseRealTime()->Unit(benchmark::kMicrosecond);

void copy(benchmark::State& state) {
    const auto floats = static_cast<mtdn::Index>(state.range(0));
    mtdn::ThreadPool pool;
    std::vector<float> from(static_cast<std::size_t>(floats), 1), to(from);
    const mtdn::Index part = floats / pool.size();
    for (auto _ : state)
        pool.run(pool.size(), [&](mtdn::Index piece) {
            std::copy_n(from.data() + piece * part, part, to.data() + piece * part);
            benchmark::DoNotOptimize(to.data());
        });
    state.counters["bytes/s"] =
        Counter(8.0 * static_cast<double>(part * pool.size()), Counter::kIsIterationInvariantRate, Counter::kIs1024);
}
BENCHMARK(copy)
    ->Name("ceiling/copy")
    ->Arg(1 << 16)
    ->Arg(1 << 22)
    ->Arg(1 << 26)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
