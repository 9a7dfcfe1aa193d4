// Our half of the parity checks; parity.py runs it and PyTorch on the same files and compares.
//
//   parity logits cpu|cpu-direct|reference MODEL FRAMES LOGITS EXPORT
//   parity train cpu|cpu-direct|reference MODEL BATCH STEPS RESULT
#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/experiment/weights.hpp>

#include <iostream>

#include "parity/training.hpp"

using namespace mtdn;

namespace {

template <Backend B>
Tensor<B> frames_in(B& backend, const SafeTensors& file) {
    const auto& s = file.at("frames").shape;
    Tensor<B> frames(backend, {s.at(0), s.at(1), s.at(2), s.at(3)});
    const auto values = file.values<typename B::Scalar>("frames");
    upload<B, typename B::Scalar>(values, frames);
    return frames;
}

/// The model in a file, of the scalar's own precision.
template <Backend B>
auto model_in(B& backend, const std::string& path) {
    const auto d = describe(path);
    Random random;
    Siamese model{UNet{backend, {.in_channels = d.in_channels, .width = d.width, .depth = d.depth}, random},
                  Concatenate{}, d.tasks, random, HeadOptions{.widths = d.head_widths, .classes = d.classes}};
    for (const auto& warning : load_weights(path, model).warnings) std::cerr << "warning: " << warning.message << '\n';
    return model;
}

template <Backend B>
void logits(B& backend, const std::vector<std::string>& arguments) {
    const auto model = model_in(backend, arguments.at(0));
    const auto frames = frames_in(backend, SafeTensors(arguments.at(1)));
    std::vector<Pair> pairs;
    for (Index i = 0; i < frames.shape().frames / 2; ++i) pairs.push_back({i, frames.shape().frames / 2 + i});
    Pass<B> pass(backend);
    const auto found = model.compare(model.features(pass.input(frames), pass), pairs, pass);
    SafeTensorsWriter writer;
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto values = download(value_of(found[i]));
        const Shape s = found[i].shape();
        writer.add(model.tasks()[i], {s.frames, s.height, s.width, s.channels},
                   std::span<const typename B::Scalar>(values));
    }
    writer.write(arguments.at(2));
    save_weights(arguments.at(3), model);
}

template <Backend B>
void train(B& backend, const std::vector<std::string>& arguments) {
    auto model = model_in(backend, arguments.at(0));
    const SafeTensors batch(arguments.at(1));
    const auto frames = frames_in(backend, batch);
    std::vector<testing::TaskTruth<B>> truth;
    for (const auto& task : model.tasks()) {
        const auto& stored = batch.at("labels." + task);
        truth.push_back(
            {Tensor<B, std::uint8_t>(backend, {stored.shape.at(0), stored.shape.at(1), stored.shape.at(2), 1}),
             batch.values<double>("weights." + task)});
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(stored.bytes.data());
        upload<B, std::uint8_t>(std::span<const std::uint8_t>(bytes, stored.bytes.size()), truth.back().labels);
    }
    const auto result = testing::train_on_one_batch(model, frames, truth, std::stoi(arguments.at(2)),
                                                    batch.values<double>("rate").at(0));
    SafeTensorsWriter writer;
    const auto add = [&](const std::string& name, const StateTensor& tensor) {
        writer.add(name, tensor.shape, std::span<const double>(tensor.values));
    };
    for (const auto& [name, tensor] : result.first_gradients) add("gradient." + name, tensor);
    for (const auto& [name, tensor] : result.state) add("state." + name, tensor);
    add("losses", {{static_cast<Index>(result.losses.size())}, result.losses});
    writer.write(arguments.at(3));
}

template <Backend B>
void run(B& backend, const std::string& what, const std::vector<std::string>& arguments) {
    if (what == "logits") logits(backend, arguments);
    if (what == "train") train(backend, arguments);
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<std::string> words(arguments + 1, arguments + count);
    if (words.size() != 6) {
        std::cerr << "usage: parity logits cpu|cpu-direct|reference MODEL FRAMES LOGITS EXPORT\n"
                     "       parity train cpu|cpu-direct|reference MODEL BATCH STEPS RESULT\n";
        return 2;
    }
    try {
        const std::vector<std::string> rest(words.begin() + 2, words.end());
        if (words[1] != "reference") {
            Cpu backend({.convolution = words[1] == "cpu-direct" ? ConvolutionAlgorithm::direct
                                                                 : ConvolutionAlgorithm::automatic});
            run(backend, words[0], rest);
        } else {
            Reference<double> backend;
            run(backend, words[0], rest);
        }
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
