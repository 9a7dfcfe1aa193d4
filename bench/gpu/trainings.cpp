// The same training on a GPU four ways: frames augmented by the host or where they lie on the device, steps run or
// recorded and played back. Seconds of a step of each, and whether weights, running statistics and losses are the same
// bits.
//
//     trainings [WIDTH SIZE BATCH CLIQUE STEPS]    8 64 4 0 30 unless given; CLIQUE 0: random pairs
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "../../tests/experiment/equal_training.hpp"
#include "../../tests/gpu/tested.hpp"

using namespace mtdn;
using testing::Tested;

namespace {

struct Outcome {
    std::vector<float> weights;
    std::vector<double> running;
    double loss_sum = 0;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome train(const Dataset& film, Index width, const TrainOptions& options, int steps, bool graphs) {
    Tested gpu({.precision = Precision::bfloat16, .graphs = graphs});
    Random random{7};
    Siamese model{UNet{gpu, {.in_channels = 1, .width = width}, random}, Concatenate{}, film.tasks(), random};
    Trainer<decltype(model)> trainer(model, film, options);
    for (int i = 0; i < 3; ++i) trainer.step();
    gpu.wait();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 3; i < steps; ++i) trainer.step();
    gpu.wait();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::cout << (graphs ? "played back" : "run") << ", augmented by the " << (options.resident ? "device" : "host")
              << ": " << seconds / std::max(1, steps - 3) << " s a step, " << (gpu.memory().held() >> 20)
              << " MiB held\n";
    Outcome outcome{download(model.parameters().values), {}, trainer.position().loss_sum};
    for (const auto& [name, tensor] : state_of(model))
        if (name.find("running") != std::string::npos || tensor.counter)
            outcome.running.insert(outcome.running.end(), tensor.values.begin(), tensor.values.end());
    return outcome;
}

}  // namespace

int main(int argc, char** argv) try {
    std::vector<Index> numbers{8, 64, 4, 0, 30};
    for (int i = 1; i < argc && i <= 5; ++i) numbers[static_cast<std::size_t>(i) - 1] = std::stol(argv[i]);
    const auto film = synthesize({.sequences = 6, .frames = 12, .size = numbers[1]});
    TrainOptions options{.epochs = 500, .batch = numbers[2], .clique = numbers[3], .seed = 1};
    const auto of = [&](bool resident, bool graphs) {
        options.resident = resident;
        return train(film, numbers[0], options, static_cast<int>(numbers[4]), graphs);
    };
    const Outcome expected = of(false, false);
    int failures = 0;
    // The device computes what the host does with a frame's pixels; only where it rounds otherwise may bits differ.
    const bool moved = of(true, false) == expected;
    std::cout << "augmented by the device: " << (moved ? "the same bits" : "other bits") << '\n';
    failures += moved ? 0 : 1;
    for (const bool resident : {false, true}) {
        const bool equal = of(resident, true) == (resident && !moved ? of(true, false) : expected);
        std::cout << "played back: " << (equal ? "the same bits" : "other bits") << '\n';
        failures += equal ? 0 : 1;
    }
    std::cout << failures << " failures\n";
    return failures == 0 ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
