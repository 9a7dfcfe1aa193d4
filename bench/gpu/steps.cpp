// Training steps and inference of the published network on a GPU, and the same steps' losses on the CPU.
//
//     steps losses            three steps on both devices, width 8, 64 pixels; fails where they differ by 1e-4
//     steps KIND WIDTH SIZE PAIRS [REPETITIONS]    KIND: step, inference; seconds of each, as a line of JSON
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cpu.hpp>
#include <mtdn/cuda.hpp>
#include <mtdn/loss/focal.hpp>
#include <mtdn/optim/adamw.hpp>
#include <mtdn/siamese/siamese.hpp>

namespace {

using namespace mtdn;

/// A model of two tasks with a batch of random frames and labels, the same on every backend.
template <Backend B>
class Work {
public:
    Work(B& backend, Index width, Index size, Index pairs)
        : backend_(backend), model_{UNet<B>{backend, {.in_channels = 3, .width = width}, random_}, Concatenate{},
                                    {"A1", "A2"}, random_},
          frames_(backend, {2 * pairs, size, size, 3}), labels_(backend, {pairs, size, size, 1}), tape_(backend),
          focal_(backend, {}, std::vector<double>{0.5, 1, 2, 4}) {
        std::vector<float> values(static_cast<std::size_t>(frames_.shape().size()));
        for (float& value : values) value = static_cast<float>(random_.uniform(-1, 1));
        backend.upload(std::span<const float>(values), View<B, float>(frames_));
        std::vector<std::uint8_t> codes(static_cast<std::size_t>(labels_.shape().size()));
        for (auto& code : codes) code = static_cast<std::uint8_t>(random_.below(4));
        backend.upload(std::span<const std::uint8_t>(codes), View<B, std::uint8_t>(labels_));
        for (Index i = 0; i < pairs; ++i) pairs_.push_back({i, pairs + i});
        enable_gradients(model_.parameters(), model_);
    }

    /// Forward, both losses, backward, AdamW, running statistics; the loss.
    double step() {
        auto& flat = model_.parameters();
        const std::vector<ParameterGroup> all{{0, flat.values.shape().size()}};
        backend_.fill(flat.gradients, 0);
        Pass<B> pass(tape_);
        pass.set_groups(2);
        const auto logits = model_.compare(model_.features(pass.input(frames_), pass), pairs_, pass);
        const auto loss = add(focal_(logits[0], labels_), focal_(logits[1], labels_));
        const Tensor<B> value = value_of(loss);
        tape_.backward(loss);
        adamw_.step(flat.values, flat.gradients, all, 1e-4);
        pass.commit();
        float number = 0;  // on the host when the step's forward half is done; the rest is waited for below
        backend_.download(View<B, const float>(value), std::span<float>(&number, 1));
        return number;
    }

    void inference() {
        Pass<B> pass(backend_);
        for (const auto& logits : model_.compare(model_.features(pass.input(frames_), pass), pairs_, pass))
            value_of(logits);
    }

private:
    B& backend_;
    Random random_{1};
    Siamese<UNet<B>> model_;
    Tensor<B> frames_;
    Tensor<B, std::uint8_t> labels_;
    Tape<B> tape_;
    FocalLoss<B> focal_;
    AdamW<B> adamw_{};
    std::vector<Pair> pairs_;
};

int compare_losses() {
    Cpu cpu;
    Cuda gpu;
    Work<Cpu> expected(cpu, 8, 64, 2);
    Work<Cuda> ours(gpu, 8, 64, 2);
    bool equal = true;
    for (int i = 0; i < 3; ++i) {
        const double a = ours.step(), b = expected.step();
        std::cout << "step " << i << ": loss " << a << " on the GPU, " << b << " on the CPU\n";
        equal = equal && std::abs(a - b) <= 1e-4 * std::abs(b);
    }
    return equal ? 0 : 1;
}

int measure(const std::string& kind, Index width, Index size, Index pairs, int repetitions) {
    require<OptionError>(kind == "step" || kind == "inference", "steps: no kind \"", kind, "\"; step or inference");
    Cuda gpu;
    Work<Cuda> work(gpu, width, size, pairs);
    const auto once = [&] {
        const auto start = std::chrono::steady_clock::now();
        if (kind == "step") work.step();
        else work.inference();
        gpu.wait();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    for (int i = 0; i < 2; ++i) once();  // the pool's first chunks, and the driver's loading of kernels
    std::cout << "{\"device\": \"" << gpu.describe() << "\", \"job\": \"" << kind << '/' << width << '/' << size << '/'
              << pairs << "\", \"seconds\": [";
    for (int i = 0; i < repetitions; ++i) std::cout << (i == 0 ? "" : ", ") << once();
    std::cout << "], \"memory_mib\": " << (gpu.memory().held() >> 20) << "}\n";
    return 0;
}

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 1 && words[0] == "losses") return compare_losses();
    require<OptionError>(words.size() == 4 || words.size() == 5,
                         "steps: expected losses, or KIND WIDTH SIZE PAIRS [REPETITIONS]");
    return measure(words[0], std::stol(words[1]), std::stol(words[2]), std::stol(words[3]),
                   words.size() == 5 ? std::stoi(words[4]) : 10);
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
