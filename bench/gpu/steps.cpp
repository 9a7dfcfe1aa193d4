// Training steps and inference of the published network on a GPU: times, and the same on the CPU to hold them against.
//
//     steps parity       logits and the losses of twenty steps beside the CPU's, width 8, 64 pixels, in every
//                        precision; and the same again, played back as a graph
//     steps KIND WIDTH SIZE PAIRS [OPTION...]    seconds of each repetition, as a line of JSON, and most memory in use.
//                        KIND: step, inference; clique, a step, and ensemble, inference, where PAIRS are frames whose
//                        pairs are all compared. Options: single, tf32x3, tf32, bf16, simple, graph (recorded and
//                        played back), and a number of repetitions
//
// Compiled with -DMTDN_CUDNN, the same with cuDNN's convolutions.
#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <mtdn/backend/cpu.hpp>

#include "../../tests/cuda/network.hpp"
#include "../../tests/gpu/tested.hpp"

namespace {

using namespace mtdn;
using testing::Tested;

const char* name_of(Precision precision) {
    return precision == Precision::bfloat16 ? "bf16"
           : precision == Precision::tf32   ? "tf32"
           : precision == Precision::tf32x3 ? "tf32x3"
                                            : "single";
}

struct Expectation {
    Precision precision;
    testing::CourseBounds bounds;
};

// Of two ways of the CPU the first logits are 3e-6 apart in single precision, 1.9e-2 in bfloat16; losses 1e-4 and 8e-4.
// AdamW's first steps make as much of tiny gradients' rounding as of large ones: the last logits are 6e-3 and 1.6e-2.
constexpr Expectation expectations[] = {{Precision::single, {3e-5, 1e-3, 2e-2}},
                                        {Precision::tf32x3, {3e-5, 1e-3, 2e-2}},
                                        {Precision::tf32, {1e-2, 1e-2, 3e-2}},
                                        {Precision::bfloat16, {3e-2, 2e-2, 5e-2}}};

int check_parity() {
    const testing::NetworkSize small{.width = 8, .size = 64, .pairs = 2};
    const int steps = 20;
    Cpu cpu;
    const auto expected = testing::course_of(cpu, small, steps);
    std::size_t count = 0;
    for (const auto& [precision, bounds] : expectations) {
        if (testing::with_cudnn && precision == Precision::tf32x3) continue;  // it has none
        Tested gpu({.precision = precision}), again({.precision = precision});
        const auto ours = testing::course_of(gpu, small, steps);
        auto failures = testing::check_course(ours, expected, bounds);
        auto played = small;
        played.graph = true;
        for (auto& more : testing::check_equal_bits(ours, testing::course_of(again, played, steps)))
            failures.push_back(more);
        std::cout << name_of(precision) << ": logits off by "
                  << testing::deviation(ours.first_logits, expected.first_logits).rms << " at first, by "
                  << testing::deviation(ours.last_logits, expected.last_logits).rms << " at last; losses, GPU and CPU:";
        for (std::size_t i = 0; i < ours.losses.size(); ++i)
            std::cout << (i == 0 ? " " : ", ") << ours.losses[i] << ' ' << expected.losses[i];
        std::cout << '\n';
        for (const auto& failure : failures) std::cout << name_of(precision) << ": " << failure << '\n';
        count += failures.size();
    }
    std::cout << count << " failures\n";
    return count == 0 ? 0 : 1;
}

int measure(const std::vector<std::string>& words) {
    const std::string& kind = words[0];
    require<OptionError>(kind == "step" || kind == "inference" || kind == "clique" || kind == "ensemble",
                         "steps: no kind \"", kind, "\"; step, inference, clique or ensemble");
    CudaOptions options;
    testing::NetworkSize of{.width = std::stol(words[1]), .size = std::stol(words[2])};
    (kind == "clique" || kind == "ensemble" ? of.clique : of.pairs) = std::stol(words[3]);
    int repetitions = 10;
    for (std::size_t i = 4; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "single") options.precision = Precision::single;
        else if (word == "tf32x3") options.precision = Precision::tf32x3;
        else if (word == "tf32") options.precision = Precision::tf32;
        else if (word == "bf16") options.precision = Precision::bfloat16;
        else if (word == "simple") options.simple = true;
        else if (word == "graph") of.graph = true;
        else repetitions = std::stoi(word);
    }
    Tested gpu(options);
    testing::Network<Tested> network(gpu, of);
    const auto once = [&] {
        const auto start = std::chrono::steady_clock::now();
        if (kind == "inference") network.inference();
        else if (kind == "ensemble") network.ensemble();
        else network.queue_step();
        gpu.wait();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    for (int i = 0; i < 3; ++i) once();  // the pool's first chunks, the driver's loading of kernels, a graph's making
    std::cout << "{\"device\": \"" << gpu.describe() << "\", \"job\": \"" << kind << '/' << words[1] << '/' << words[2]
              << '/' << words[3] << "\", \"precision\": \"" << name_of(options.precision) << "\", \"simple\": "
              << (options.simple ? "true" : "false") << ", \"graph\": " << (of.graph ? "true" : "false")
              << ", \"seconds\": [";
    for (int i = 0; i < repetitions; ++i) std::cout << (i == 0 ? "" : ", ") << once();
    std::cout << "], \"memory_mib\": " << (gpu.memory().held() >> 20) << ", \"peak_mib\": "
              << (gpu.memory().peak() >> 20) << "}\n";
    return 0;
}

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 1 && words[0] == "parity") return check_parity();
    require<OptionError>(words.size() >= 4, "steps: expected parity, or KIND WIDTH SIZE PAIRS [OPTION...]");
    return measure(words);
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
