#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/backbone/unet.hpp>
#include <mtdn/data/synthetic.hpp>
#include <mtdn/experiment/trainer.hpp>
#include <mtdn/siamese/siamese.hpp>
#include <mtdn/siamese/single_frame.hpp>

/// A training that several ranks and one process can do, and how far apart they end.
namespace mtdn::testing {

/// What some steps leave.
struct Steps {
    std::vector<double> weights, running;  ///< running: statistics and numbers of batches
    std::vector<double> best;              ///< weights and running statistics of the best validation, if there was one
    TrainingPosition position;
};

template <class Model>
Steps steps_of(Model& model, const Dataset& film, const TrainOptions& options, int steps) {
    Trainer<Model> trainer(model, film, options);
    for (int i = 0; i < steps; ++i) trainer.step();
    const auto weights = download(model.parameters().values);
    Steps result{{weights.begin(), weights.end()}, {}, {}, trainer.position()};
    for (const auto& entry : trainer.best_state())
        result.best.insert(result.best.end(), entry.second.values.begin(), entry.second.values.end());
    for (const auto& [name, tensor] : state_of(model))
        if (name.find("running") != std::string::npos || tensor.counter)
            result.running.insert(result.running.end(), tensor.values.begin(), tensor.values.end());
    return result;
}

template <Backend B>
Steps train_steps(B& backend, const Dataset& film, TrainOptions options, int steps, const AnyCommunicator& ranks = {},
                  std::uint64_t seed = 7, bool single_frame = false) {
    Random random{seed};
    UNet net{backend, {.in_channels = 1, .width = 4, .depth = 2}, random};
    options.ranks = ranks;
    if (single_frame) {
        SingleFrame model{std::move(net), film.tasks(), random};
        return steps_of(model, film, options, steps);
    }
    Siamese model{std::move(net), Concatenate{}, film.tasks(), random};
    return steps_of(model, film, options, steps);
}

/// ‖a − b‖₂ / ‖b‖₂
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
        difference += (a.at(i) - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return std::sqrt(difference / norm);
}

/// Two sequences for training, of different sizes, one for validation, one for the test.
inline const Dataset& uneven_film() {
    static const Dataset film = [] {
        auto sequences = synthesize({.sequences = 4, .frames = 3, .size = 32}).sequences();
        const auto larger = synthesize({.sequences = 4, .frames = 3, .size = 35, .seed = 2}).sequences();
        const auto is_for_training = [](const Sequence& s) { return s.split == Split::train; };
        const auto one = std::find_if(sequences.begin(), sequences.end(), is_for_training);
        const auto name = one->name;
        *one = *std::find_if(larger.begin(), larger.end(), is_for_training);
        one->name = name;
        return Dataset({}, std::move(sequences));
    }();
    return film;
}

}  // namespace mtdn::testing
