#pragma once

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include <mtdn/core/error.hpp>
#include <mtdn/data/detail/glob.hpp>
#include <mtdn/data/manifest.hpp>
#include <mtdn/data/sequence.hpp>
#include <mtdn/io/image.hpp>
#include <mtdn/io/json.hpp>

namespace mtdn {

namespace detail {

/// A folder that appears under its name whole, by `commit()`, or not at all.
class AtomicFolder {
public:
    /// @throws IoError if `path` is there and not an empty folder
    explicit AtomicFolder(std::filesystem::path path) : path_(std::move(path)) {
        namespace fs = std::filesystem;
        path_ = fs::absolute(path_ / "x").lexically_normal().parent_path();
        std::error_code error;
        if (fs::exists(path_, error))
            require<IoError>(fs::is_directory(path_, error) && fs::is_empty(path_, error), path_.string(),
                             ": write failed: it exists and is not an empty folder; name another, or remove it");
        temporary_ = path_;
        temporary_ += concatenate(".", ::getpid(), ".tmp");
        if (!fs::create_directories(temporary_, error))
            fail<IoError>(path_.string(), ": create failed: ", error ? error.message() : "its temporary name is taken");
    }
    AtomicFolder(const AtomicFolder&) = delete;
    AtomicFolder& operator=(const AtomicFolder&) = delete;
    ~AtomicFolder() {
        std::error_code ignored;
        if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
    }

    const std::filesystem::path& temporary() const { return temporary_; }

    void commit() {
        std::error_code error;
        std::filesystem::rename(temporary_, path_, error);  // replaces an empty folder
        require<IoError>(!error, path_.string(), ": rename failed: ", error.message());
        temporary_.clear();
    }

private:
    std::filesystem::path path_, temporary_;
};

template <class Array3or4>
auto frame_of(const Array3or4& frames, Index i) {
    using T = typename Array3or4::value_type;
    auto frame = make_array<T>(extent(frames, 1), extent(frames, 2));
    std::copy_n(frame_data(frames, i), frame.size(), frame.data());
    return frame;
}

inline Json sequence_json(const Sequence& sequence, const std::vector<std::string>& tasks) {
    Json json;
    json["split"] = name_of(sequence.split);
    json["seconds"] = sequence.seconds;
    if (sequence.masks.size() != tasks.size()) {
        json["tasks"] = Json::object();
        for (const auto& entry : sequence.masks) json["tasks"][entry.first] = "masks/" + entry.first + "/*.png";
    }
    for (const auto& [name, values] : sequence.series) json["series"][name] = values;
    if (sequence.metadata != "{}") json["metadata"] = parse_json(sequence.metadata, "metadata of " + sequence.name);
    return json;
}

}  // namespace detail

/// Writes a dataset as PNG files of 8 bits and a `dataset.json`, whole or not at all.
///
/// Frames go to `<sequence>/frames/`, masks to `<sequence>/masks/<task>/`, in the dataset's polarity. A frame keeps its
/// name; another ending becomes `.png`.
///
/// @param folder is not there, or empty
/// @throws IoError, DataError for names that make no files
inline void write_dataset(const std::filesystem::path& folder, const Dataset& dataset) {
    const auto& description = dataset.description();
    const MaskPolarity polarity{description.feature_value, description.background_value};
    Json json;
    json["name"] = description.name;
    json["frames"] = "frames/*.png";
    json["tasks"] = Json::object();
    for (const auto& task : description.tasks) {
        require<DataError>(detail::is_plain_name(task), "write_dataset: task \"", task, "\" cannot be a folder's name");
        json["tasks"][task] = "masks/" + task + "/*.png";
    }
    json["mask"] = {{"feature", polarity.feature}, {"background", polarity.background}};
    if (description.pixel_size_nm > 0) json["pixel_size_nm"] = description.pixel_size_nm;
    json["sequences"] = Json::object();
    if (description.metadata != "{}") json["metadata"] = parse_json(description.metadata, "metadata of the dataset");

    detail::AtomicFolder target(folder);
    for (const auto& sequence : dataset.sequences()) {
        require<DataError>(detail::is_sequence_name(sequence.name), "write_dataset: sequence \"", sequence.name,
                           "\" cannot be a folder's name");
        json["sequences"][sequence.name] = detail::sequence_json(sequence, description.tasks);
        const auto place = target.temporary() / sequence.name;
        std::filesystem::create_directories(place / "frames");
        for (const auto& entry : sequence.masks) std::filesystem::create_directories(place / "masks" / entry.first);
        std::string previous;
        for (Index i = 0; i < sequence.size(); ++i) {
            const auto& given = sequence.frame_names[static_cast<std::size_t>(i)];
            const auto name = std::filesystem::path(given).stem().string() + ".png";
            require<DataError>(detail::is_plain_name(given), "write_dataset: sequence \"", sequence.name,
                               "\": frame name \"", given, "\" cannot be a file's name");
            require<DataError>(i == 0 || detail::natural_less(previous, name), "write_dataset: sequence \"",
                               sequence.name, "\": frame \"", name, "\" does not come after \"", previous,
                               "\" by name, as it must to be read in this order");
            previous = name;
            write_frame(place / "frames" / name, detail::frame_of(sequence.frames, i));
            for (const auto& [task, masks] : sequence.masks)
                write_mask(place / "masks" / task / name, detail::frame_of(masks, i), polarity);
        }
    }
    write_json(target.temporary() / "dataset.json", json);
    target.commit();
}

}  // namespace mtdn
