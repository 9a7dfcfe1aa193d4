#pragma once

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/experiment/trainer.hpp>
#include <mtdn/io/safetensors.hpp>
#include <mtdn/io/safetensors_writer.hpp>

namespace mtdn {

namespace detail {

/// The options that a run must be taken up with unchanged to end with the same bits.
inline Json fixed_options(const TrainOptions& o) {
    Json fixed{{"epochs", o.epochs}, {"epoch_pairs", o.epoch_pairs}, {"batch", o.batch}, {"pairs", o.pairs},
               {"clique", o.clique}, {"rate", o.rate}, {"schedule", o.schedule}, {"warm_up", o.warm_up},
               {"optimizer", o.optimizer}, {"weight_decay", o.weight_decay}, {"momentum", o.momentum},
               {"decay_norms_and_biases", o.decay_norms_and_biases}, {"frozen_epochs", o.frozen_epochs},
               {"clip", o.clip}, {"ema", o.ema}, {"loss", o.loss.name}, {"gamma", o.loss.gamma}, {"beta", o.loss.beta},
               {"reduction", static_cast<int>(o.loss.reduction)},
               {"smoothing", o.loss.smoothing}, {"task_weights", o.task_weights},
               {"batch_norm", static_cast<int>(o.batch_norm)}, {"kept", static_cast<int>(o.kept)},
               {"patience", o.patience}, {"size", o.size}, {"seed", o.seed}};
    if (o.deep_supervision != 0) fixed["deep_supervision"] = o.deep_supervision;
    return fixed;
}

// JSON has neither infinity nor NaN: both are null.
inline Json number_json(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
inline double number_of(const Json& json, double otherwise) { return json.is_null() ? otherwise : json.get<double>(); }

inline Json position_json(const TrainingPosition& p) {
    Json curve = Json::array();
    for (const auto& record : p.curve)
        curve.push_back({{"epoch", record.epoch}, {"rate", record.rate}, {"loss", record.loss},
                         {"validation", number_json(record.validation)}, {"tasks", record.validation_tasks},
                         {"seconds", record.seconds}});
    return {{"epoch", p.epoch}, {"batch", p.batch}, {"loss_sum", p.loss_sum}, {"loss_pairs", p.loss_pairs},
            {"best", number_json(p.best)}, {"best_epoch", p.best_epoch}, {"last", number_json(p.last)},
            {"curve", std::move(curve)}};
}

inline TrainingPosition position_of(const Json& json) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    TrainingPosition p;
    p.epoch = json.at("epoch").get<Index>();
    p.batch = json.at("batch").get<Index>();
    p.loss_sum = json.at("loss_sum").get<double>();
    p.loss_pairs = json.at("loss_pairs").get<Index>();
    p.best = number_of(json.at("best"), p.best);
    p.best_epoch = json.at("best_epoch").get<Index>();
    p.last = number_of(json.at("last"), nan);
    for (const auto& record : json.at("curve"))
        p.curve.push_back({record.at("epoch").get<Index>(), record.at("rate").get<double>(),
                           record.at("loss").get<double>(), number_of(record.at("validation"), nan),
                           record.at("tasks").get<std::map<std::string, double>>(),
                           record.at("seconds").get<double>()});
    return p;
}

inline const char* const model_prefix = "model.";
inline const char* const best_prefix = "best.";
inline const char* const average_prefix = "average.";

template <class Scalar>
void add_state(SafeTensorsWriter& writer, const std::string& prefix, const StateDictionary& state) {
    for (const auto& [name, tensor] : state) {
        if (tensor.counter) {
            const auto value = static_cast<std::int64_t>(tensor.values.front());
            writer.add<std::int64_t>(prefix + name, {}, std::span<const std::int64_t>(&value, 1));
        } else {
            const std::vector<Scalar> values(tensor.values.begin(), tensor.values.end());
            writer.add<Scalar>(prefix + name, tensor.shape, values);
        }
    }
}

inline StateDictionary read_state(const SafeTensors& file, const std::string& prefix) {
    StateDictionary state;
    for (const auto& stored : file.tensors()) {
        if (!stored.name.starts_with(prefix)) continue;
        StateTensor tensor{stored.shape, {}, stored.dtype == "I64"};
        if (tensor.counter)
            for (const auto value : file.integers(stored.name)) tensor.values.push_back(static_cast<double>(value));
        else
            tensor.values = file.values<double>(stored.name);
        state.emplace_back(stored.name.substr(prefix.size()), std::move(tensor));
    }
    return state;
}

}  // namespace detail

/// Writes all that a run needs to be taken up again, whole or not at all: weights, running statistics, the best ones so
/// far, their moving average if one is kept, the optimizer's state, the position.
///
/// @throws IoError
template <class Model>
void save_checkpoint(const std::filesystem::path& path, Trainer<Model>& trainer) {
    using Scalar = typename Model::Backend::Scalar;
    SafeTensorsWriter writer;
    detail::add_state<Scalar>(writer, detail::model_prefix, state_of(trainer.model()));
    detail::add_state<Scalar>(writer, detail::best_prefix, trainer.best_state());
    if (trainer.averages()) {
        const auto averaged = trainer.validated_weights();
        detail::add_state<Scalar>(writer, detail::average_prefix, state_of(trainer.model()));
    }
    const auto optimizer = trainer.optimizer_state();
    for (const auto& [name, tensor] : optimizer.tensors) {
        const auto values = download(tensor);
        writer.add<Scalar>("optimizer." + name, {tensor.shape().size()}, values);
    }
    writer.add<std::int64_t>("optimizer.step", {}, std::span<const std::int64_t>(optimizer.step, 1));
    writer.set_metadata("mtdn.training", json_text(detail::position_json(trainer.position()), -1));
    writer.set_metadata("mtdn.training_options", json_text(detail::fixed_options(trainer.options()), -1));
    writer.write(path);
}

/// Takes up a run from a checkpoint: the trainer goes on as if it had never stopped.
///
/// @throws IoError, DataError, ShapeError if the file is damaged or of another model; OptionError, naming the option,
///         if the run was begun with other options
template <class Model>
void load_checkpoint(const std::filesystem::path& path, Trainer<Model>& trainer) {
    using Scalar = typename Model::Backend::Scalar;
    const SafeTensors file(path);
    const auto entry = [&](const std::string& key) {
        const auto found = file.metadata().find(key);
        require<DataError>(found != file.metadata().end(), path.string(), ": no checkpoint: metadata lacks \"", key,
                           "\"");
        return parse_json(found->second, path.string() + ", metadata \"" + key + "\"");
    };
    // Options that a checkpoint does not speak of where they are off.
    Json begun{{"ema", 0.0}, {"deep_supervision", 0.0}}, now = begun;
    const Json stated = entry("mtdn.training_options");
    require<DataError>(stated.is_object(), path.string(), ": damaged metadata \"mtdn.training_options\"");
    begun.update(stated);
    now.update(detail::fixed_options(trainer.options()));
    for (const auto& [key, value] : now.items())
        require<OptionError>(begun.contains(key) && begun[key] == value, path.string(), ": the run was begun with ",
                             key, " = ", begun.contains(key) ? json_text(begun[key], -1) : "(nothing)",
                             ", it cannot be taken up with ", json_text(value, -1));
    TrainingPosition position;
    try {
        position = detail::position_of(entry("mtdn.training"));
    } catch (const Json::exception& error) {
        fail<DataError>(path.string(), ": damaged metadata \"mtdn.training\": ", error.what());
    }
    auto optimizer = trainer.optimizer_state();
    std::vector<std::vector<Scalar>> moments;
    for (const auto& [name, tensor] : optimizer.tensors) {
        moments.push_back(file.values<Scalar>("optimizer." + name));
        require<ShapeError>(static_cast<Index>(moments.back().size()) == tensor.shape().size(), path.string(),
                            ": tensor \"optimizer.", name, "\" has ", moments.back().size(), " values, the model ",
                            tensor.shape().size());
    }
    const auto step = file.integers("optimizer.step");
    require<DataError>(step.size() == 1, path.string(), ": tensor \"optimizer.step\" is not one number");
    load_state(trainer.model(), detail::read_state(file, detail::model_prefix), path.string());
    if (trainer.averages()) {
        const auto averaged = trainer.validated_weights();
        load_state(trainer.model(), detail::read_state(file, detail::average_prefix), path.string());
    }
    for (std::size_t i = 0; i < moments.size(); ++i)
        upload(std::span<const Scalar>(moments[i]), optimizer.tensors[i].second);
    *optimizer.step = step.front();
    trainer.set_position(std::move(position), detail::read_state(file, detail::best_prefix));
}

}  // namespace mtdn
