#pragma once

#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cpu.hpp>
#include <mtdn/data/synthetic.hpp>
#include <mtdn/experiment/trainer.hpp>
#include <mtdn/siamese/siamese.hpp>

/// A model and a film that train in a moment.
namespace mtdn::testing {

using SmallModel = Siamese<UNet<Cpu>, Concatenate>;

inline const Dataset& small_film() {
    static const Dataset film = synthesize({.sequences = 4, .frames = 4, .size = 35});  // odd: no multiple of anything
    return film;
}

inline SmallModel small_model(Cpu& cpu, std::uint64_t seed = 7) {
    Random random{seed};
    return {UNet<Cpu>{cpu, {.in_channels = 1, .width = 8, .depth = 2}, random}, Concatenate{}, small_film().tasks(),
            random};
}

inline TrainOptions quick(Index epochs = 2) {
    TrainOptions options;
    options.epochs = epochs;
    options.batch = 5;
    options.seed = 3;
    return options;
}

/// All weights and running statistics, one behind the other.
template <class Model>
std::vector<double> bits(const Model& model) {
    std::vector<double> all;
    for (const auto& entry : state_of(model))
        all.insert(all.end(), entry.second.values.begin(), entry.second.values.end());
    return all;
}

}  // namespace mtdn::testing
