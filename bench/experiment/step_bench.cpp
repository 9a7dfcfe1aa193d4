// Whole training steps and whole inference of the reference model, seconds a pair: step/<width>/<size>/<pairs> and
// inference/<width>/<size>/<pairs>.
#include <vector>

#include "support/benchmark.hpp"

#include <mtdn/mtdn.hpp>

namespace {

using namespace mtdn;

// 2·MAC of both frames through the backbone and the pair through two heads, SPEC's count at 256² and width 32.
double flops_a_pair(Index width, Index size) {
    const double scale =
        static_cast<double>(width * width) / (32.0 * 32.0) * static_cast<double>(size * size) / 65536.0;
    return 64.1e9 * scale;
}

Tensor<Cpu> noise(Cpu& cpu, const Shape& shape, Random& random) {
    std::vector<float> values(static_cast<std::size_t>(shape.size()));
    for (auto& value : values) value = static_cast<float>(random.uniform(-1, 1));
    Tensor<Cpu> tensor(cpu, shape);
    upload(std::span<const float>(values), tensor);
    return tensor;
}

struct Bench {
    Cpu cpu;
    Random random{1};
    Index pairs, size;
    Siamese<UNet<Cpu>> model;
    Tensor<Cpu> frames;
    std::vector<Pair> list;

    explicit Bench(const benchmark::State& state)
        : pairs(state.range(2)),
          size(state.range(1)),
          model{
              UNet<Cpu>{cpu, {.in_channels = 3, .width = state.range(0)}, random}, Concatenate{}, {"A1", "A2"}, random},
          frames(noise(cpu, {2 * pairs, size, size, 3}, random)) {
        for (Index i = 0; i < pairs; ++i) list.push_back({i, pairs + i});
    }
    void report(benchmark::State& state, double passes) const {
        const double count = static_cast<double>(state.iterations()) * static_cast<double>(pairs);
        state.counters["s/pair"] = benchmark::Counter(count, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
        state.counters["FLOP/s"] =
            benchmark::Counter(passes * flops_a_pair(state.range(0), size) * count, benchmark::Counter::kIsRate);
        state.counters["MiB"] = static_cast<double>(const_cast<Cpu&>(cpu).memory().peak()) / 1048576.0;
    }
};

void step(benchmark::State& state) {
    Bench b(state);
    Tensor<Cpu, std::uint8_t> labels(b.cpu, {b.pairs, b.size, b.size, 1});
    std::vector<std::uint8_t> values(static_cast<std::size_t>(labels.shape().size()));
    for (auto& value : values) value = static_cast<std::uint8_t>(b.random.below(4));
    upload(std::span<const std::uint8_t>(values), labels);
    const std::vector<double> weights{0.5, 1, 2, 4};
    const FocalLoss<Cpu> focal(b.cpu, {}, weights);
    enable_gradients(b.model.parameters(), b.model);
    Tape<Cpu> tape(b.cpu);
    AdamW<Cpu> adamw;
    auto& flat = b.model.parameters();
    const std::vector<ParameterGroup> groups{{0, flat.values.shape().size()}};
    for (auto _ : state) {
        b.cpu.fill(flat.gradients, 0);
        Pass<Cpu> pass(tape);
        pass.set_groups(2);
        const auto logits = b.model.compare(b.model.features(pass.input(b.frames), pass), b.list, pass);
        tape.backward(add(focal(logits[0], labels), focal(logits[1], labels)));
        adamw.step(flat.values, flat.gradients, groups, 1e-4);
        pass.commit();
    }
    b.report(state, 3);
}

void inference(benchmark::State& state) {
    Bench b(state);
    for (auto _ : state) {
        Pass<Cpu> pass(b.cpu);
        const auto logits = b.model.compare(b.model.features(pass.input(b.frames), pass), b.list, pass);
        benchmark::DoNotOptimize(value_of(logits[1]).data());
    }
    b.report(state, 1);
}

BENCHMARK(step)->Args({32, 256, 2})->Args({32, 256, 4})->Args({16, 256, 4})->Args({8, 256, 4})->Args({8, 128, 16})
    ->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK(inference)->Args({32, 256, 1})->Args({32, 256, 4})->Args({16, 256, 1})->Args({8, 256, 1})
    ->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
