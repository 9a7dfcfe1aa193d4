#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/experiment/model_description.hpp>
#include <mtdn/io/safetensors_writer.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/version.hpp>

namespace mtdn {

/// How numbers are stored in a weights file.
enum class WeightPrecision : std::uint8_t {
    single,  ///< F32
    half,    ///< convolutions' weights as F16; vectors as F32, for they are few and a small variance would vanish
    full,    ///< F64
};

/// Options of `save_weights`.
struct WeightsOptions {
    WeightPrecision precision = WeightPrecision::single;  ///< how numbers are stored
    std::map<std::string, std::string> metadata{};        ///< more entries of `__metadata__`
};

/// What came of loading weights.
struct LoadReport {
    std::vector<std::string> unused{};  ///< the file's tensors that the model has no place for
    std::vector<Warning> warnings{};    ///< what was odd
};

namespace detail {

/// Whether the path is that of a weight that reads frames.
inline bool reads_frames(const std::string& path) {
    return path.ends_with("encoder1.conv1.weight") || path.ends_with("encoder.0.conv1.weight") ||
           path.ends_with("encoder.0.shortcut.weight");
}

/// Whether the path is that of a head of training alone.
inline bool is_auxiliary(const std::string& path) { return path.starts_with("auxiliary."); }

}  // namespace detail

/// A convolution's weight, summed over its input channels: for a grey frame that was copied to all of them it does the
/// same with one.
///
/// @shape (out, in, k, k) → (out, 1, k, k)
inline StateTensor fold_input_channels(const StateTensor& weight) {
    require<ShapeError>(weight.shape.size() == 4, "fold_input_channels: expected a weight (out, in, k, k), got ",
                        detail::written(weight.shape));
    const Index window = weight.shape[2] * weight.shape[3];
    StateTensor folded{{weight.shape[0], 1, weight.shape[2], weight.shape[3]},
                       std::vector<double>(static_cast<std::size_t>(weight.shape[0] * window)),
                       false};
    for (Index out = 0; out < weight.shape[0]; ++out)
        for (Index in = 0; in < weight.shape[1]; ++in)
            for (Index i = 0; i < window; ++i)
                folded.values[static_cast<std::size_t>(out * window + i)] +=
                    weight.values[static_cast<std::size_t>((out * weight.shape[1] + in) * window + i)];
    return folded;
}

/// The state of a model of several input channels, made one of a single channel that does the same with grey frames.
///
/// @throws DataError if no weight that reads frames is known by its visit path
inline StateDictionary fold_input_channels(StateDictionary state) {
    bool found = false;
    for (auto& [path, tensor] : state) {
        if (!detail::reads_frames(path)) continue;
        tensor = fold_input_channels(tensor);
        found = true;
    }
    require<DataError>(found, "fold_input_channels: none of the state's names is that of a convolution that reads ",
                       "frames; expected visit paths of a U-Net or a residual net");
    return state;
}

namespace detail {

/// What of a file goes where: its tensors' names by the visit paths that they stand for.
struct FileNames {
    PublishedNames published;
    std::map<std::string, std::string> by_path;

    FileNames(const SafeTensors& file, PublishedNames names) : published(std::move(names)) {
        for (const auto& tensor : file.tensors()) by_path.emplace(published.path(tensor.name), tensor.name);
    }
    /// The path as errors name it.
    std::string describe(const std::string& path) const {
        const std::string name = published.published(path);
        return name == path ? concatenate('"', path, '"') : concatenate('"', name, "\" (", path, ')');
    }
};

/// Loads the tensors under `prefix` into a module, all or nothing; the file's other tensors are left over.
inline LoadReport load_tensors(const SafeTensors& file, const FileNames& names, const std::vector<StateItem>& items,
                               const std::string& prefix) {
    StateDictionary state;
    LoadReport report;
    std::map<std::string, bool> used;
    for (const auto& item : items) {
        const std::string path = prefix + item.name;
        const auto found = names.by_path.find(path);
        if (item.counter) {
            if (found == names.by_path.end()) continue;
            StateTensor counter{{}, {}, true};
            for (const auto value : file.integers(found->second)) counter.values.push_back(static_cast<double>(value));
            state.emplace_back(item.name, std::move(counter));
        } else {
            require<DataError>(found != names.by_path.end(), file.name(), ": the tensor ", names.describe(path),
                               " is missing");
            const auto& shape = file.at(found->second).shape;
            auto several = item.shape;
            if (several.size() == 4 && several[1] == 1 && shape.size() == 4 && reads_frames(path))
                several[1] = shape[1];
            require<ShapeError>(shape == item.shape || shape == several, file.name(), ": the tensor ",
                                names.describe(path), " has shape ", written(shape), ", the model expects ",
                                written(item.shape));
            StateTensor tensor{shape, file.values<double>(found->second), false};
            if (shape != item.shape) {
                tensor = fold_input_channels(tensor);
                report.warnings.push_back({concatenate(file.name(), ": the tensor ", names.describe(path), " takes ",
                                                       shape[1], " channels, and was folded to the model's one")});
            }
            state.emplace_back(item.name, std::move(tensor));
        }
        used[found->second] = true;
    }
    load_state(items, state, file.name());
    for (const auto& tensor : file.tensors())
        if (!used.count(tensor.name)) report.unused.push_back(tensor.name);
    return report;
}

inline void warn_of_unused(const SafeTensors& file, LoadReport& report) {
    if (report.unused.empty()) return;
    static constexpr std::size_t most = 4;
    std::string list;
    for (std::size_t i = 0; i < std::min(most, report.unused.size()); ++i) list += (i ? ", " : "") + report.unused[i];
    if (report.unused.size() > most) list += concatenate(" and ", report.unused.size() - most, " more");
    report.warnings.push_back({concatenate(file.name(), ": ", report.unused.size(),
                                           " tensors have no place in the model and were left out: ", list)});
}

/// Compares what the file's metadata say with the model.
inline void check_description(const SafeTensors& file, const ModelDescription& there, const ModelDescription& here,
                              LoadReport& report) {
    require<DataError>(there.backbone == here.backbone, file.name(), ": holds a model of backbone \"", there.backbone,
                       "\", this one's is \"", here.backbone, '"');
    require<DataError>(there.normalisation == here.normalisation, file.name(), ": was trained on frames normalised by ",
                       there.normalisation, "; expected ", here.normalisation);
    if (there.feature_fusion != here.feature_fusion)
        report.warnings.push_back(
            {concatenate(file.name(), ": was trained with the feature fusion \"", there.feature_fusion,
                         "\", the model has \"", here.feature_fusion, '"')});
}

/// The tasks that a file's heads stand for, in their order.
inline std::vector<std::string> tasks_in_file(const SafeTensors& file, const std::vector<std::string>& wanted,
                                              LoadReport& report, bool siamese) {
    if (const auto stated = stated_tasks(file)) {
        for (const auto& task : wanted)
            require<DataError>(std::find(stated->begin(), stated->end(), task) != stated->end(), file.name(),
                               ": has no task \"", task, "\"; its tasks are ", file.metadata().at("mtdn.tasks"));
        return *stated;
    }
    const auto inferred = inferred_tasks(file, siamese);
    const bool known = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& task) {
        return std::find(inferred.begin(), inferred.end(), task) != inferred.end();
    });
    if (known) return inferred;
    report.warnings.push_back({concatenate(
        file.name(), ": does not name its tasks; its heads are given to the model's ", "tasks in their order")});
    return wanted;
}

}  // namespace detail

/// Writes a model's weights and what it is made of, whole or not at all; auxiliary heads, which training alone runs,
/// are left out.
///
/// U-Net models are written under the published names, others under their visit paths; PyTorch's layouts in both cases.
///
/// @throws DataError if a weight is not finite, or too large for half precision; IoError
template <class M>
requires detail::has_backbone_and_tasks<M>
void save_weights(const std::filesystem::path& path, const M& model, const WeightsOptions& options = {}) {
    const ModelDescription description = description_of(model);
    const auto names = detail::published_names(description.is_siamese(), description.tasks);
    SafeTensorsWriter writer;
    for (const auto& [visit_path, tensor] : state_of(model)) {
        if (detail::is_auxiliary(visit_path)) continue;
        const std::string name = description.backbone == "unet" ? names.published(visit_path) : visit_path;
        if (tensor.counter) {
            const std::vector<std::int64_t> count{static_cast<std::int64_t>(tensor.values.front())};
            writer.add(name, tensor.shape, std::span<const std::int64_t>(count));
            continue;
        }
        const bool half = options.precision == WeightPrecision::half && tensor.shape.size() > 1;
        const double largest = half                                         ? 65519
                               : options.precision == WeightPrecision::full ? std::numeric_limits<double>::max()
                                                                            : std::numeric_limits<float>::max();
        for (const double value : tensor.values)
            require<DataError>(std::abs(value) <= largest, path.string(), ": not written, for the tensor \"", name,
                               "\" holds ", value, "; expected finite values",
                               half ? " that half precision can hold" : "");
        if (options.precision == WeightPrecision::full) {
            writer.add(name, tensor.shape, std::span<const double>(tensor.values));
        } else {
            const std::vector<float> values(tensor.values.begin(), tensor.values.end());
            if (half)
                writer.add_half(name, tensor.shape, values);
            else
                writer.add(name, tensor.shape, std::span<const float>(values));
        }
    }
    for (const auto& [key, value] : options.metadata) writer.set_metadata(key, value);
    const Json described{{"model", description.model},
                         {"in_channels", description.in_channels},
                         {"width", description.width},
                         {"depth", description.depth},
                         {"head_widths", description.head_widths},
                         {"classes", description.classes},
                         {"feature_fusion", description.feature_fusion}};
    writer.set_metadata("mtdn.version", version);
    writer.set_metadata("mtdn.backbone", description.backbone);
    writer.set_metadata("mtdn.options", json_text(described, -1));
    writer.set_metadata("mtdn.tasks", json_text(Json(description.tasks), -1));
    writer.set_metadata("mtdn.size", std::to_string(description.size));
    writer.set_metadata("mtdn.normalisation", description.normalisation);
    writer.write(path);
}

/// Loads a file's weights into a model of the same make, all or nothing, and takes over the size it was trained at.
///
/// Names may be published ones or visit paths; F64, F32, F16 and BF16 are read. Weights for several copies of a grey
/// frame are folded where the model has one input channel. Heads are found by their task's name; in a file without
/// metadata they are A1, A2, …, or in the order of the model's tasks where those are called otherwise. Auxiliary heads
/// stay as they are.
///
/// @throws DataError if a tensor is missing or not finite, or the file holds another kind of model; ShapeError; IoError
template <class M>
requires detail::has_backbone_and_tasks<M> LoadReport load_weights(const std::filesystem::path& path, M& model) {
    const SafeTensors file(path);
    const ModelDescription here = description_of(model);
    require<DataError>(detail::holds_siamese(file) == here.is_siamese(), file.name(), ": holds a ",
                       here.is_siamese() ? "single-frame" : "siamese", " model, expected a ", here.model,
                       " one; its backbone alone may be had by load_backbone");
    LoadReport odd;
    Index size = 0;
    if (detail::has_description(file)) {
        const ModelDescription there = detail::read_description(file);
        detail::check_description(file, there, here, odd);
        size = there.size;
    }
    const auto tasks = detail::tasks_in_file(file, here.tasks, odd, here.is_siamese());
    const detail::FileNames names(file, detail::published_names(here.is_siamese(), tasks));
    auto items = detail::state_items(model);
    std::erase_if(items, [](const detail::StateItem& item) { return detail::is_auxiliary(item.name); });
    LoadReport report = detail::load_tensors(file, names, items, "");
    report.warnings.insert(report.warnings.begin(), odd.warnings.begin(), odd.warnings.end());
    detail::warn_of_unused(file, report);
    if constexpr (requires { model.set_size(size); })
        if (detail::has_description(file)) model.set_size(size);
    return report;
}

/// Loads the backbone alone from a file of either kind of model, for a start from a trained U-Net (init₁, init₂).
///
/// Heads stay as they are, and a file's heads are not counted as unused.
///
/// @throws DataError if a tensor is missing or not finite, or the backbone is of another kind; ShapeError; IoError
/// @source paper §3.4.2
template <class M>
requires detail::has_backbone_and_tasks<M> LoadReport load_backbone(const std::filesystem::path& path, M& model) {
    const SafeTensors file(path);
    const bool siamese = detail::holds_siamese(file);
    LoadReport odd;
    if (detail::has_description(file)) {
        const ModelDescription there = detail::read_description(file);
        ModelDescription here = description_of(model);
        here.feature_fusion = there.feature_fusion;
        detail::check_description(file, there, here, odd);
    }
    const auto stated = detail::stated_tasks(file);
    const auto tasks = stated ? *stated : detail::inferred_tasks(file, siamese);
    const detail::FileNames names(file, detail::published_names(siamese, tasks));
    LoadReport report = detail::load_tensors(file, names, detail::state_items(model.backbone()), "backbone.");
    std::erase_if(report.unused, [&](const std::string& name) {
        const std::string place = names.published.path(name);
        return place.starts_with("heads.") || place.starts_with("outputs.");
    });
    detail::warn_of_unused(file, report);
    return report;
}

}  // namespace mtdn
