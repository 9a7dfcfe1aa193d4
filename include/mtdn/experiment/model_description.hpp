#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/backbone/residual.hpp>
#include <mtdn/backbone/unet.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/io/safetensors.hpp>
#include <mtdn/siamese/published_names.hpp>
#include <mtdn/siamese/siamese.hpp>
#include <mtdn/siamese/single_frame.hpp>

namespace mtdn {

/// What a model is made of: enough to build it again before its weights are loaded.
struct ModelDescription {
    std::string backbone = "unet";          ///< "unet", "residual", or "custom" for one of the user's own
    std::string model = "siamese";          ///< "siamese" or "single-frame"
    Index in_channels = 3;                  ///< channels of a frame; 0 if the backbone is "custom"
    Index width = 32;                       ///< channels of the first level; 0 if the backbone is "custom"
    Index depth = 4;                        ///< number of halvings; 0 if the backbone is "custom"
    std::vector<std::string> tasks{};       ///< names, in the order of the heads
    std::vector<Index> head_widths{};       ///< channels after each 3×3 convolution of a head; none for "single-frame"
    Index classes = 4;                      ///< channels of the logits
    std::string feature_fusion = "concat";  ///< as `feature_fusion` takes it
    Index size = 0;                         ///< longer side of the frames it was trained on, pixels; 0: as they came
    std::string normalisation = "(x - 0.5) / 0.5";  ///< what turns a value in [0, 1] into the network's input
    std::vector<Warning> warnings{};                ///< what had to be guessed

    bool is_siamese() const { return model == "siamese"; }
};

namespace detail {

template <class N>
inline constexpr const char* backbone_name = "custom";
template <Backend B>
inline constexpr const char* backbone_name<UNet<B>> = "unet";
template <Backend B>
inline constexpr const char* backbone_name<ResidualNet<B>> = "residual";

template <class M>
concept compares_frames = requires(const M& model) {
    model.heads();
};
template <class M>
concept has_backbone_and_tasks = requires(const M& model) {
    model.backbone();
    model.tasks();
};

/// Names of a U-Net model's tensors in files.
inline PublishedNames published_names(bool siamese, const std::vector<std::string>& tasks) {
    return siamese ? PublishedNames::siamese(tasks) : PublishedNames::single_frame(tasks);
}

/// An entry of a file's metadata as JSON.
inline Json metadata_json(const SafeTensors& file, const std::string& key) {
    const auto found = file.metadata().find(key);
    require<DataError>(found != file.metadata().end(), file.name(), ": metadata lacks \"", key, "\"");
    return parse_json(found->second, file.name() + ", metadata \"" + key + "\"");
}

/// A member of a JSON object, converted.
template <class T>
T json_member(const SafeTensors& file, const Json& object, const std::string& key) {
    try {
        return object.at(key).get<T>();
    } catch (const std::exception&) {
        fail<DataError>(file.name(), ": metadata \"mtdn.options\", \"", key, "\": missing or of another type, found ",
                        json_text(object, -1));
    }
}

inline bool has_description(const SafeTensors& file) { return file.metadata().contains("mtdn.options"); }

/// Whether a file holds a model that compares frames.
inline bool holds_siamese(const SafeTensors& file) {
    if (has_description(file))
        return json_member<std::string>(file, metadata_json(file, "mtdn.options"), "model") == "siamese";
    for (const auto& tensor : file.tensors())
        if (tensor.name.starts_with("encoder1_1.") || tensor.name.starts_with("heads.")) return true;
    return false;
}

/// Tasks by a file's metadata; none if it has no metadata of ours.
inline std::optional<std::vector<std::string>> stated_tasks(const SafeTensors& file) {
    if (!has_description(file)) return std::nullopt;
    try {
        return metadata_json(file, "mtdn.tasks").get<std::vector<std::string>>();
    } catch (const Json::exception&) {
        fail<DataError>(file.name(), ": metadata \"mtdn.tasks\": expected a list of names");
    }
}

/// Tasks by a file's names: A1, A2, … for heads that are counted, their own where they are named.
inline std::vector<std::string> inferred_tasks(const SafeTensors& file, bool siamese) {
    std::vector<std::string> tasks;
    const std::string ours = siamese ? "heads." : "outputs.", last = siamese ? ".0.weight" : ".weight";
    for (const auto& tensor : file.tensors())
        if (tensor.name.starts_with(ours) && tensor.name.ends_with(last))
            tasks.push_back(tensor.name.substr(ours.size(), tensor.name.size() - ours.size() - last.size()));
    if (!tasks.empty()) return tasks;
    while (true) {
        tasks.push_back("A" + std::to_string(tasks.size() + 1));
        const std::string path = ours + tasks.back() + last;
        if (file.contains(published_names(siamese, tasks).published(path))) continue;
        tasks.pop_back();
        return tasks;
    }
}

/// A file's tensors by the visit paths that their names stand for.
class ShapesByPath {
public:
    ShapesByPath(const SafeTensors& file, PublishedNames names) : file_(file.name()), names_(std::move(names)) {
        for (const auto& tensor : file.tensors()) shapes_.emplace(names_.path(tensor.name), tensor.shape);
    }

    bool contains(const std::string& path) const { return shapes_.contains(path); }
    /// @throws DataError if there is no such tensor of 4 dimensions
    const std::vector<Index>& at(const std::string& path) const {
        const auto found = shapes_.find(path);
        require<DataError>(
            found != shapes_.end() && found->second.size() == 4, file_, ": no tensor \"", names_.published(path),
            "\" of 4 dimensions; expected a U-Net model's published names, or a ", "model that mtdn wrote");
        return found->second;
    }
    /// How many paths `before` k `after` there are, k counting from `first`.
    Index levels(const std::string& before, const std::string& after, Index first) const {
        Index level = first;
        while (contains(before + std::to_string(level) + after)) ++level;
        return level - first;
    }

private:
    std::string file_;
    PublishedNames names_;
    std::map<std::string, std::vector<Index>> shapes_;
};

inline void infer_backbone(const ShapesByPath& shapes, ModelDescription& d) {
    const bool residual = shapes.contains("backbone.encoder.0.conv1.weight");
    d.backbone = residual ? "residual" : "unet";
    d.depth =
        residual ? shapes.levels("backbone.up.", ".weight", 0) : shapes.levels("backbone.encoder", ".conv1.weight", 1);
    const auto& first = shapes.at(residual ? "backbone.encoder.0.conv1.weight" : "backbone.encoder1.conv1.weight");
    d.width = first[0];
    d.in_channels = first[1];
}

/// Reads a description off the names and shapes.
inline ModelDescription infer_description(const SafeTensors& file) {
    ModelDescription d;
    const bool siamese = holds_siamese(file);
    d.model = siamese ? "siamese" : "single-frame";
    d.tasks = inferred_tasks(file, siamese);
    const auto names = published_names(siamese, d.tasks);
    const ShapesByPath shapes(file, names);
    infer_backbone(shapes, d);
    require<DataError>(!d.tasks.empty(), file.name(), ": a backbone without a head");

    std::string guessed;
    if (siamese) {
        const std::string head = "heads." + d.tasks.front() + ".";
        Index place = 0;
        for (; !shapes.contains(head + std::to_string(place) + ".bias"); place += 3)
            d.head_widths.push_back(shapes.at(head + std::to_string(place) + ".weight")[0]);
        d.classes = shapes.at(head + std::to_string(place) + ".weight")[0];
        const Index fused = shapes.at(head + "0.weight")[1];
        require<DataError>(fused == 2 * d.width || fused == d.width, file.name(), ": tensor \"",
                           names.published(head + "0.weight"), "\" takes ", fused, " channels; expected ", 2 * d.width,
                           " (concat) or ", d.width, " (difference), the backbone's width being ", d.width);
        if (fused == d.width) {
            d.feature_fusion = "difference";
            guessed = "; the feature fusion may be difference, absolute or product, and is taken for difference";
        }
    } else {
        d.classes = shapes.at("outputs." + d.tasks.front() + ".weight")[0];
    }
    std::string tasks;
    for (const auto& task : d.tasks) tasks += (tasks.empty() ? "" : ", ") + task;
    d.warnings.push_back({concatenate(file.name(), ": no metadata of mtdn's; by names and shapes a ", d.model, " ",
                                      d.backbone, " of width ", d.width, ", depth ", d.depth, ", ", d.in_channels,
                                      " input channels; its tasks are taken for ", tasks,
                                      ", and frames enter at their own size", guessed)});
    return d;
}

/// The description in a file's metadata, held against the shapes, so that no file makes anybody build a giant.
inline ModelDescription read_description(const SafeTensors& file) {
    const Json options = metadata_json(file, "mtdn.options");
    const auto& metadata = file.metadata();
    ModelDescription d;
    if (const auto found = metadata.find("mtdn.backbone"); found != metadata.end()) d.backbone = found->second;
    d.model = json_member<std::string>(file, options, "model");
    d.in_channels = json_member<Index>(file, options, "in_channels");
    d.width = json_member<Index>(file, options, "width");
    d.depth = json_member<Index>(file, options, "depth");
    d.head_widths = json_member<std::vector<Index>>(file, options, "head_widths");
    d.classes = json_member<Index>(file, options, "classes");
    d.feature_fusion = json_member<std::string>(file, options, "feature_fusion");
    d.tasks = *stated_tasks(file);
    if (const auto found = metadata.find("mtdn.normalisation"); found != metadata.end())
        d.normalisation = found->second;
    if (metadata.contains("mtdn.size")) {
        const Json size = metadata_json(file, "mtdn.size");
        require<DataError>(size.is_number_unsigned() && size.get<std::uint64_t>() < (1u << 20), file.name(),
                           ": metadata \"mtdn.size\": expected a number of pixels, found ", json_text(size, -1));
        d.size = size.get<Index>();
    }
    require<DataError>(d.model == "siamese" || d.model == "single-frame", file.name(), ": metadata \"mtdn.options\", ",
                       "\"model\": expected \"siamese\" or \"single-frame\", found \"", d.model, '"');
    for (const Index width : d.head_widths)
        require<DataError>(width > 0 && width <= (1 << 13), file.name(),
                           ": metadata \"mtdn.options\", \"head_widths\": ", "expected 1 to 8192, found ", width);
    if (d.backbone != "unet" && d.backbone != "residual") return d;
    ModelDescription seen;
    infer_backbone(ShapesByPath(file, published_names(d.is_siamese(), d.tasks)), seen);
    require<DataError>(seen.backbone == d.backbone && seen.in_channels == d.in_channels && seen.width == d.width &&
                           seen.depth == d.depth,
                       file.name(), ": by its metadata a ", d.backbone, " of ", d.in_channels,
                       " input channels, width ", d.width, ", depth ", d.depth, "; its tensors are those of a ",
                       seen.backbone, " of ", seen.in_channels, " input channels, width ", seen.width, ", depth ",
                       seen.depth);
    return d;
}

}  // namespace detail

/// What the model in a weights file is made of, by its metadata, or by names and shapes where it has none.
///
/// @throws IoError if it is no safetensors file; DataError if it holds no model, or its metadata are damaged
inline ModelDescription describe(const SafeTensors& file) {
    return detail::has_description(file) ? detail::read_description(file) : detail::infer_description(file);
}

/// @overload
inline ModelDescription describe(const std::filesystem::path& path) { return describe(SafeTensors(path)); }

/// What a model is made of.
template <class M>
requires detail::has_backbone_and_tasks<M> ModelDescription description_of(const M& model) {
    ModelDescription d;
    d.backbone = detail::backbone_name<std::remove_cvref_t<decltype(model.backbone())>>;
    d.tasks = model.tasks();
    d.in_channels = d.width = d.depth = 0;
    if constexpr (requires { model.backbone().options().depth; }) {
        d.in_channels = model.backbone().options().in_channels;
        d.width = model.backbone().options().width;
        d.depth = model.backbone().options().depth;
    }
    if constexpr (requires { model.size(); }) d.size = model.size();
    if constexpr (detail::compares_frames<M>) {
        d.feature_fusion = model.fusion().name();
        if constexpr (requires { model.heads().front().second.widths(); })
            d.head_widths = model.heads().front().second.widths();
    } else {
        d.model = "single-frame";
    }
    visit_parameters(model, [&](const std::string& path, const auto& parameter) {
        if (!path.starts_with("backbone.") && parameter.kind == ParameterKind::convolution)
            d.classes = parameter.value.shape().channels;
    });
    return d;
}

}  // namespace mtdn
