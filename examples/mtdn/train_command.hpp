#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "cli.hpp"
#include "network.hpp"

/// What a training was asked for on the command line.
struct TrainCommand {
    std::string data, out, recipe, init;
    bool resume = false;
    std::string batch_norm = "branch", kept_as = "single";
    std::vector<std::string> tasks;
    mtdn::ModelDescription model;
    mtdn::TrainOptions options;
    double minutes = 0;
    bool no_augmentation = false;
    RunOptions run;

    /// An option of the recipe: kept in run.json, from which `--resume` takes what is not given again.
    struct Kept {
        std::string name;
        CLI::Option* option;
        std::function<mtdn::Json()> get;
        std::function<void(const mtdn::Json&)> set;
    };
    std::vector<Kept> kept;

    bool given(const std::string& name) const {
        return std::any_of(kept.begin(), kept.end(),
                           [&](const Kept& k) { return k.name == name && k.option->count() > 0; });
    }

    template <class T>
    CLI::Option* keep(CLI::App& command, const std::string& name, T& value, const std::string& help) {
        auto* option = command.add_option("--" + name, value, help);
        if constexpr (!std::is_same_v<T, std::vector<std::string>>) option->capture_default_str();
        kept.push_back({name, option, [&value] { return mtdn::Json(value); },
                        [&value](const mtdn::Json& json) { value = json.get<T>(); }});
        return option;
    }

    /// Puts into the training's options what stands beside them.
    void complete(const Common& common) {
        options.seed = common.seed;
        options.size = model.size;
        if (minutes > 0) options.max_seconds = 60 * minutes;
        if (no_augmentation) options.augmentation = mtdn::NoAugmentation{};
        options.batch_norm = batch_norm == "stacked"  ? mtdn::BatchNormPolicy::stacked
                             : batch_norm == "frozen" ? mtdn::BatchNormPolicy::frozen
                                                      : mtdn::BatchNormPolicy::branch;
        options.kept = kept_as == "bf16" ? mtdn::Precision::bfloat16 : mtdn::Precision::single;
    }
};

/// Refuses a dataset without training sequences, and says what to write.
///
/// @throws DataError
void require_training(const mtdn::Dataset& data, const std::string& folder);

/// Adds the options of `mtdn train` that all trials of a search share.
void add_training_options(CLI::App& command, TrainCommand& c, Common& common);
