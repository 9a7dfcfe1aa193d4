#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/data/sequence.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/io/polarity.hpp>

namespace mtdn {

/// Frame number k of a file name stands for (k − first_frame_number) / frames_per_second; earlier frames are left out.
struct TimeRule {
    double frames_per_second = 1;   ///< frames a second
    double first_frame_number = 0;  ///< number of the frame at 0 s
};

/// One sequence of a manifest: where its files are, relative to the sequence's own folder.
struct SequenceManifest {
    std::string name;  ///< also the folder's
    Split split = Split::test;
    std::string frames;                                      ///< pattern of the frames
    std::vector<std::pair<std::string, std::string>> tasks;  ///< task and pattern of its masks
    std::vector<double> seconds;                             ///< one a frame; empty: by `time`
    std::optional<TimeRule> time;                            ///< none: by number where numbers rise, else by position
    bool time_is_shared = false;                             ///< `time` is all sequences', not this one's own
    int white = 0;                                           ///< count that is white in frames of 16 bits; 0: 65535
    std::map<std::string, std::vector<double>> series;       ///< other figures of each frame
    std::string metadata = "{}";                             ///< JSON text
};

/// What a `dataset.json` says.
struct Manifest {
    DatasetDescription description;
    MaskPolarity polarity;
    std::optional<double> threshold;  ///< on the scale of 8 bits
    std::vector<SequenceManifest> sequences;
};

namespace detail {

/// A JSON object that is read with checks; `where` begins every message.
class ManifestObject {
public:
    ManifestObject(const Json& json, std::string where, std::initializer_list<std::string_view> known)
        : json_(json), where_(std::move(where)) {
        require<DataError>(json.is_object(), where_, ": expected an object, found ", json.type_name());
        for (const auto& item : json.items()) {
            bool is_known = known.size() == 0;
            std::string names;
            for (const auto name : known) {
                is_known = is_known || name == item.key();
                names += (names.empty() ? "" : ", ") + std::string(name);
            }
            require<DataError>(is_known, where_, ": unknown key \"", item.key(), "\"; known are ", names,
                               "; anything else belongs under metadata");
        }
    }

    bool has(const char* key) const { return json_.contains(key); }
    const Json& operator[](const char* key) const { return json_.at(key); }
    auto items() const { return json_.items(); }
    std::string at(std::string_view key) const { return concatenate(where_, ", \"", key, "\""); }

    std::string text(const char* key) const { return text(key, json_.at(key)); }
    std::string text(std::string_view key, const Json& value) const {
        require<DataError>(value.is_string() && !value.get_ref<const std::string&>().empty(), at(key),
                           ": expected a text, found ", value.dump());
        return value.get<std::string>();
    }
    double number(std::string_view key, const Json& value) const {
        require<DataError>(value.is_number() && std::isfinite(value.get<double>()), at(key),
                           ": expected a number, found ", value.dump());
        return value.get<double>();
    }
    double number(const char* key) const { return number(key, json_.at(key)); }
    int whole(const char* key, int low, int high) const {
        const double value = number(key);
        require<DataError>(value >= low && value <= high && value == std::floor(value), at(key),
                           ": expected a whole number from ", low, " to ", high, ", found ", value);
        return static_cast<int>(value);
    }
    std::uint8_t grey(const char* key) const { return static_cast<std::uint8_t>(whole(key, 0, 255)); }
    std::vector<double> numbers(std::string_view key, const Json& value) const {
        require<DataError>(value.is_array(), at(key), ": expected a list of numbers, one a frame, found ",
                           value.type_name());
        std::vector<double> result;
        for (const auto& element : value) result.push_back(number(key, element));
        return result;
    }
    std::string metadata() const {
        if (!has("metadata")) return "{}";
        require<DataError>(json_.at("metadata").is_object(), at("metadata"), ": expected an object, found ",
                           json_.at("metadata").type_name());
        return json_text(json_.at("metadata"), -1);
    }

private:
    const Json& json_;
    std::string where_;
};

inline std::vector<std::pair<std::string, std::string>> parse_tasks(const ManifestObject& owner) {
    const ManifestObject object(owner["tasks"], owner.at("tasks"), {});
    std::vector<std::pair<std::string, std::string>> tasks;
    for (const auto& item : object.items()) tasks.emplace_back(item.key(), object.text(item.key(), item.value()));
    return tasks;
}

inline TimeRule parse_time(const ManifestObject& owner) {
    const ManifestObject object(owner["time"], owner.at("time"), {"frames_per_second", "first_frame_number"});
    TimeRule rule;
    if (object.has("frames_per_second")) rule.frames_per_second = object.number("frames_per_second");
    if (object.has("first_frame_number")) rule.first_frame_number = object.number("first_frame_number");
    require<DataError>(rule.frames_per_second > 0, object.at("frames_per_second"), ": must be positive, is ",
                       rule.frames_per_second);
    return rule;
}

/// A name that is used as a folder's or file's must not lead elsewhere.
inline bool is_plain_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\") == std::string_view::npos &&
           name.find('\0') == std::string_view::npos;
}

/// A sequence's folder lies beside the manifest.
inline bool is_sequence_name(std::string_view name) { return is_plain_name(name) && name != "dataset.json"; }

inline Split parse_split(const ManifestObject& sequence, const std::string& where) {
    require<DataError>(sequence.has("split"), where, ": has no \"split\"; expected train, validation or test");
    const Json& value = sequence["split"];
    if (value.is_array() && value.size() > 1)
        fail<DataError>(where, ": is in ", value.size(), " splits, ", value.dump(), "; a sequence belongs to one");
    const auto split = value.is_string() ? split_named(value.get_ref<const std::string&>()) : std::nullopt;
    require<DataError>(split.has_value(), sequence.at("split"), ": expected train, validation or test, found ",
                       value.dump());
    return *split;
}

}  // namespace detail

/// Reads what a manifest says; `file` is what errors call it.
///
/// @throws DataError for an unknown key, a value of the wrong kind, a sequence without a split or in two
inline Manifest parse_manifest(const Json& json, const std::string& file) {
    const detail::ManifestObject top(
        json, file, {"name", "frames", "tasks", "mask", "white", "time", "pixel_size_nm", "sequences", "metadata"});
    Manifest manifest;
    auto& description = manifest.description;
    if (top.has("name")) description.name = top.text("name");
    description.metadata = top.metadata();
    if (top.has("pixel_size_nm")) {
        description.pixel_size_nm = top.number("pixel_size_nm");
        require<DataError>(description.pixel_size_nm > 0, top.at("pixel_size_nm"), ": must be positive, is ",
                           description.pixel_size_nm);
    }
    if (top.has("mask")) {
        const detail::ManifestObject mask(top["mask"], top.at("mask"), {"feature", "background", "threshold"});
        if (mask.has("feature")) manifest.polarity.feature = mask.grey("feature");
        if (mask.has("background")) manifest.polarity.background = mask.grey("background");
        if (mask.has("threshold")) manifest.threshold = mask.number("threshold");
        require<DataError>(manifest.polarity.feature != manifest.polarity.background, top.at("mask"),
                           ": feature and background must differ, both are ", int{manifest.polarity.feature});
    }
    SequenceManifest common;
    common.frames = top.has("frames") ? top.text("frames") : "frames/*.png";
    if (top.has("tasks")) common.tasks = detail::parse_tasks(top);
    if (top.has("white")) common.white = top.whole("white", 1, 65535);
    if (top.has("time")) common.time = detail::parse_time(top);
    common.time_is_shared = true;
    for (const auto& task : common.tasks) description.tasks.push_back(task.first);

    require<DataError>(top.has("sequences"), file, ": has no \"sequences\"");
    const detail::ManifestObject sequences(top["sequences"], top.at("sequences"), {});
    for (const auto& item : sequences.items()) {
        const auto where = concatenate(file, ", sequence \"", item.key(), "\"");
        require<DataError>(detail::is_plain_name(item.key()), where, ": a sequence's name is a folder's name");
        const detail::ManifestObject object(
            item.value(), where, {"split", "frames", "tasks", "white", "seconds", "time", "series", "metadata"});
        SequenceManifest sequence = common;
        sequence.name = item.key();
        sequence.split = detail::parse_split(object, where);
        sequence.metadata = object.metadata();
        if (object.has("frames")) sequence.frames = object.text("frames");
        if (object.has("tasks")) sequence.tasks = detail::parse_tasks(object);
        if (object.has("white")) sequence.white = object.whole("white", 1, 65535);
        if (object.has("time")) {
            sequence.time = detail::parse_time(object);
            sequence.time_is_shared = false;
        }
        if (object.has("seconds")) {
            require<DataError>(!object.has("time"), where,
                               ": has both \"seconds\" and \"time\"; one of them is enough");
            sequence.seconds = object.numbers("seconds", object["seconds"]);
        }
        if (object.has("series")) {
            const detail::ManifestObject series(object["series"], object.at("series"), {});
            for (const auto& figure : series.items())
                sequence.series[figure.key()] = series.numbers(figure.key(), figure.value());
        }
        for (const auto& task : sequence.tasks) {
            auto& known = description.tasks;
            if (std::find(known.begin(), known.end(), task.first) == known.end()) known.push_back(task.first);
        }
        manifest.sequences.push_back(std::move(sequence));
    }
    require<DataError>(!manifest.sequences.empty(), top.at("sequences"), ": names no sequence");
    for (const auto& task : description.tasks)
        require<DataError>(detail::is_plain_name(task), file, ": task \"", task,
                           "\": a task's name is a folder's name");
    description.feature_value = manifest.polarity.feature;
    description.background_value = manifest.polarity.background;
    return manifest;
}

/// Reads a `dataset.json`.
///
/// @throws IoError, DataError
inline Manifest read_manifest(const std::filesystem::path& path) {
    return parse_manifest(parse_json_file(path), path.string());
}

}  // namespace mtdn
