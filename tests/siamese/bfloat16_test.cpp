#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/testing/checks.hpp>

#include <cmath>
#include <vector>

#include "parity/training.hpp"
#include "support/catch.hpp"

using namespace mtdn;

namespace {

struct Steps {
    std::vector<double> logits, gradients, losses;
};

/// Twenty steps on one batch, in which there is something to learn: what is bright appears and disappears. Weights
/// begin moved by so much of themselves (root mean square).
Steps twenty_steps(const CpuOptions& options, double moved = 0) {
    Cpu cpu(options);
    Random random(4);
    Siamese model{UNet{cpu, {.in_channels = 1, .width = 8, .depth = 3}, random}, Concatenate{}, {"A1", "A2"}, random};
    auto parameters = download(model.parameters().values);
    Random other(5);
    for (float& value : parameters) value *= static_cast<float>(1 + moved * other.normal());
    upload(std::span<const float>(parameters), model.parameters().values);

    constexpr Index pairs = 2, size = 32;
    std::vector<float> values(2 * pairs * size * size);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double row = static_cast<double>(i / size % size), column = static_cast<double>(i % size),
                     frame = static_cast<double>(i / size / size);
        values[i] = static_cast<float>(std::sin((0.2 + 0.1 * frame) * row) * std::cos(0.3 * column - frame) +
                                       0.1 * random.normal());
    }
    std::vector<std::uint8_t> codes(pairs * size * size);
    for (std::size_t i = 0; i < codes.size(); ++i) {
        const bool before = values[codes.size() + i] > 0, now = values[i] > 0;
        codes[i] = now == before ? (now ? 3 : 0) : (now ? 1 : 2);
    }
    Tensor<Cpu> frames(cpu, {2 * pairs, size, size, 1});
    upload(std::span<const float>(values), frames);
    Tensor<Cpu, std::uint8_t> labels(cpu, {pairs, size, size, 1});
    upload(std::span<const std::uint8_t>(codes), labels);

    Steps steps;
    {
        Tape<Cpu> tape(cpu);
        Pass<Cpu> pass(tape);
        const std::vector<Pair> apart{{0, 2}, {1, 3}};
        for (const auto& logits : model.compare(model.features(pass.input(frames), pass), apart, pass))
            for (const float value : download(value_of(logits))) steps.logits.push_back(value);
    }
    const std::vector<double> weights{1, 2, 2, 1};
    const auto trained = testing::train_on_one_batch(
        model, frames, std::vector<testing::TaskTruth<Cpu>>{{labels, weights}, {labels, weights}}, 20, 1e-3);
    for (const auto& [name, tensor] : trained.first_gradients)
        steps.gradients.insert(steps.gradients.end(), tensor.values.begin(), tensor.values.end());
    steps.losses = trained.losses;
    return steps;
}

}  // namespace

// Rounding to bfloat16 moves a weight by 0.0016 of itself (root mean square). At an untrained net ReLU and pooling pass
// on another pixel's gradient wherever two are that close: gradients in single precision move by a fifth when the
// weights alone do by so much. No arithmetic that rounds to bfloat16 can be expected to come nearer than about that.
TEST_CASE("a whole model in bfloat16 is as near single precision as weights rounded so: logits, gradients, losses") {
    const Steps single = twenty_steps({.threads = 2}), moved = twenty_steps({.threads = 2}, 0.0016);
    const Steps half = twenty_steps({.threads = 2, .precision = Precision::bfloat16});
    const auto off = [&](const Steps& steps, std::vector<double> Steps::*what) {
        return testing::deviation(steps.*what, single.*what).rms;
    };
    double losses = 0;
    for (std::size_t i = 0; i < 20; ++i) losses = std::max(losses, std::abs(half.losses[i] / single.losses[i] - 1));
    INFO("logits " << off(half, &Steps::logits) << ", gradients " << off(half, &Steps::gradients) << ", losses "
                   << losses << "; moved weights: " << off(moved, &Steps::logits) << ", "
                   << off(moved, &Steps::gradients));
    CHECK(single.losses.back() < 0.9 * single.losses.front());
    CHECK(off(half, &Steps::logits) > 1e-3);
    CHECK(off(half, &Steps::logits) < 2 * off(moved, &Steps::logits));
    CHECK(off(half, &Steps::gradients) < 2 * off(moved, &Steps::gradients));
    CHECK(losses < 0.01);
}
