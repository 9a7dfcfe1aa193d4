#include <vector>

#include "support/benchmark.hpp"
#include "support/ceiling.hpp"

// What this machine can do at most, on all of its processors: the figures to hold the operations' counters against.
namespace {

using benchmark::Counter;

void multiply_adds(benchmark::State& state) {
    constexpr int rounds = 1000000;
    mtdn::ThreadPool pool;
    for (auto _ : state) mtdn::bench::multiply_adds(pool, rounds);
    state.counters["FLOP/s"] =
        Counter(mtdn::bench::multiply_add_operations(pool, rounds), Counter::kIsIterationInvariantRate);
}
BENCHMARK(multiply_adds)->Name("ceiling/multiply_adds")->UseRealTime()->Unit(benchmark::kMicrosecond);

void copy(benchmark::State& state) {
    mtdn::ThreadPool pool;
    const auto floats = static_cast<std::size_t>(state.range(0) / pool.size() * pool.size());
    std::vector<float> from(floats, 1), to(from);
    for (auto _ : state) mtdn::bench::copy(pool, from, to);
    state.counters["bytes/s"] =
        Counter(8.0 * static_cast<double>(floats), Counter::kIsIterationInvariantRate, Counter::kIs1024);
}
BENCHMARK(copy)
    ->Name("ceiling/copy")
    ->Arg(1 << 16)
    ->Arg(1 << 22)
    ->Arg(1 << 26)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
