#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/data/detail/frame_files.hpp>
#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/sequence.hpp>

namespace mtdn {

/// Reads the masks of a sequence's frames, `<task>/<frame name>`, of every task that the folder has.
///
/// @param polarity  of the files
/// @param threshold on the scale of 8 bits; none: a third value is an error
/// @throws DataError for a missing or extra mask, one of another size, and where there is no task; IoError
inline TaskMasks read_masks(const std::filesystem::path& folder, const Sequence& sequence, MaskPolarity polarity,
                            std::optional<double> threshold = std::nullopt) {
    std::error_code ignored;
    require<IoError>(std::filesystem::is_directory(folder, ignored), folder.string(), ": there is no such folder");
    TaskMasks masks;
    for (const auto& place : detail::entries(folder)) {
        if (!std::filesystem::is_directory(place)) continue;
        std::vector<std::filesystem::path> pictures = detail::entries(place);
        std::erase_if(pictures, [](const auto& path) { return !detail::is_picture(path); });
        const detail::FrameFiles files(std::move(pictures));
        const auto matched = detail::match_masks(files, sequence.frame_names, {}, place.string());
        masks[place.filename()] =
            detail::read_mask_files(files, matched, shape_of(sequence.frames), polarity, threshold);
    }
    require<DataError>(!masks.empty(), folder.string(), ": no task's folder is there");
    return masks;
}

/// Masks that were predicted for a dataset's sequences.
struct Predictions {
    std::vector<std::string> tasks;          ///< in the dataset's order
    std::map<std::string, TaskMasks> masks;  ///< by sequence
    std::vector<std::string> left_out;       ///< sequences of the dataset that the folder does not hold
};

/// Reads predicted masks, `<sequence>/<task>/<frame name>`, for every sequence of `truth` that the folder holds; one
/// without any true masks may have predictions of all tasks.
///
/// @param polarity  of the files; none: as the truth's
/// @param threshold on the scale of 8 bits; none: a third value is an error
/// @throws DataError for a missing or extra mask, one of another size, a task that only some sequences have or that the
///         truth lacks, and where no sequence is common; IoError
inline Predictions read_predictions(const std::filesystem::path& folder, const Dataset& truth,
                                    std::optional<MaskPolarity> polarity = std::nullopt,
                                    std::optional<double> threshold = std::nullopt) {
    std::error_code ignored;
    require<IoError>(std::filesystem::is_directory(folder, ignored), folder.string(), ": there is no such folder");
    const auto task_folders = [&](const std::string& sequence) {
        std::set<std::string> names;
        for (const auto& entry : detail::entries(folder / sequence))
            if (std::filesystem::is_directory(entry)) names.insert(entry.filename());
        return names;
    };
    Predictions predictions;
    std::string first;
    std::set<std::string> tasks;
    for (const auto& sequence : truth.sequences()) {
        if (!std::filesystem::is_directory(folder / sequence.name, ignored)) {
            predictions.left_out.push_back(sequence.name);
            continue;
        }
        const auto found = task_folders(sequence.name);
        if (first.empty()) {
            first = sequence.name;
            tasks = found;
        }
        const auto require_all = [&](const std::set<std::string>& wanted, const std::set<std::string>& present,
                                     const std::string& name) {
            for (const auto& task : wanted)
                require<DataError>(present.count(task) > 0, folder.string(), ": sequence \"", name, "\" has no task \"",
                                   task, "\", which another sequence has");
        };
        require_all(tasks, found, sequence.name);
        require_all(found, tasks, first);
        const auto place = folder / sequence.name;
        for (const auto& task : tasks)
            require<DataError>(sequence.masks.empty() || sequence.masks.count(task) > 0, (place / task).string(),
                               ": sequence \"", sequence.name, "\" has no true masks of task \"", task, "\"");
        predictions.masks[sequence.name] =
            read_masks(place, sequence, polarity.value_or(polarity_of(truth)), threshold);
    }
    require<DataError>(!predictions.masks.empty(), folder.string(), ": holds none of the dataset's ",
                       truth.sequences().size(), " sequences (",
                       truth.sequences().empty() ? "" : truth.sequences()[0].name, ", …)");
    for (const auto& task : truth.tasks())
        if (tasks.count(task) > 0) predictions.tasks.push_back(task);
    return predictions;
}

}  // namespace mtdn
