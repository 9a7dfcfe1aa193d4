#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/experiment/model_description.hpp>
#include <mtdn/experiment/train_options.hpp>

namespace mtdn {

/// How one of the paper's models is trained.
struct Recipe {
    std::string name;
    std::string summary;
    ModelDescription model;    ///< without tasks: all that the dataset has
    TrainOptions options;
    std::string init{};        ///< recipe of the run whose backbone it begins from; none: random weights
    Index every = 1;           ///< every so many-th frame of each training sequence is learned from
};

/// The published recipes: batch, rate and tasks differ, and the network's kind; all else is the defaults of
/// `ModelDescription` and `TrainOptions`.
///
/// @source paper §2.4, §3.4
[[gnu::cold]] inline const std::vector<Recipe>& recipes() {
    static const std::vector<Recipe> all = [] {
        std::vector<Recipe> list;
        const auto add = [&](std::string name, std::string summary, std::string model, std::vector<std::string> tasks,
                             Index batch, double rate, std::string init = "") {
            Recipe recipe{.name = std::move(name), .summary = std::move(summary), .model = {}, .options = {}};
            recipe.model.model = std::move(model);
            recipe.model.tasks = std::move(tasks);
            recipe.model.size = recipe.options.size = 256;
            recipe.options.batch = batch;
            recipe.options.rate = rate;
            recipe.init = std::move(init);
            list.push_back(std::move(recipe));
        };
        const auto both = std::vector<std::string>{};
        add("unet-a1", "U-Net on single frames, A1", "single-frame", {"A1"}, 4, 4.1342193e-5);
        add("unet-a2", "U-Net on single frames, A2", "single-frame", {"A2"}, 4, 2.6174451e-5);
        add("mtdn", "MTDN from random weights", "siamese", both, 16, 9.5519814e-4);
        add("mtdn-init1", "MTDN from the U-Net of A1", "siamese", both, 16, 4.9398940e-4, "unet-a1");
        add("mtdn-init2", "MTDN from the U-Net of A2", "siamese", both, 16, 1.9501091e-4, "unet-a2");
        add("mtdn-single-a1", "MTDN of one task, A1", "siamese", {"A1"}, 16, 9.5519814e-4);
        add("mtdn-single-a2", "MTDN of one task, A2", "siamese", {"A2"}, 16, 9.5519814e-4);
        return list;
    }();
    return all;
}

/// A published recipe by its name.
///
/// @throws OptionError, with all names, if there is none
[[gnu::cold]] inline const Recipe& recipe(const std::string& name) {
    const auto found =
        std::find_if(recipes().begin(), recipes().end(), [&](const Recipe& r) { return r.name == name; });
    if (found != recipes().end()) return *found;
    std::string names;
    for (const auto& r : recipes()) names += (names.empty() ? "" : ", ") + r.name;
    fail<OptionError>("recipe: there is no \"", name, "\"; expected one of ", names);
}

}  // namespace mtdn
