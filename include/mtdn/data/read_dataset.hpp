#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/data/detail/frame_files.hpp>
#include <mtdn/data/film_name.hpp>
#include <mtdn/data/manifest.hpp>
#include <mtdn/data/sequence.hpp>

namespace mtdn {

/// How a dataset is read. What a manifest says is not overruled by members marked "without a manifest".
struct DatasetOptions {
    std::string manifest = "dataset.json";       ///< name of the manifest in the folder
    std::vector<std::string> only_tasks{};       ///< tasks to read; empty: all
    std::optional<MaskPolarity> polarity{};      ///< goes before the manifest's; default 255 feature, 0 background
    std::optional<double> mask_threshold{};      ///< goes before the manifest's; 0…255; none: other values are errors
    std::string frames{};                        ///< without a manifest: pattern of frames; empty: frames/*, else *
    std::map<std::string, std::string> tasks{};  ///< without a manifest: mask patterns by task; empty: masks/<task>/*
    int white = 0;                               ///< without a manifest: count that is white in 16 bits; 0: 65535
    std::optional<TimeRule> time{};              ///< without a manifest: frame numbers to seconds
    std::map<std::string, Split> splits{};       ///< without a manifest: splits by sequence
    Split split = Split::test;                   ///< without a manifest: split of the sequences not in `splits`
};

namespace detail {

/// What comes to light while a dataset's sequences are read.
struct Findings {
    std::vector<Warning> warnings{};
    std::map<std::string, std::string> owners{};  ///< file of frames → whose it is
    std::string dark{};                           ///< sequences that are nearly black, with their brightest counts
    int white = 0;                                ///< what may be white in them
};

/// Times of the frames; those numbered before the first are dropped from `kept` and counted by the caller.
inline std::vector<double> frame_times(const FrameFiles& files, const std::optional<TimeRule>& rule,
                                       std::vector<Index>& kept) {
    const auto number = [&](Index i) { return frame_number(files.name(i)); };
    if (!rule) {
        std::vector<double> seconds;
        for (Index i : kept) seconds.push_back(number(i).value_or(0));
        for (std::size_t i = 1; i < seconds.size(); ++i)
            if (!(seconds[i] > seconds[i - 1])) return {};
        return seconds;
    }
    std::vector<double> seconds;
    for (Index i : kept)
        require<DataError>(number(i).has_value(), files.where(i),
                           ": the file name has no number to tell the time by; give the sequence \"seconds\"");
    std::erase_if(kept, [&](Index i) { return *number(i) < rule->first_frame_number; });
    for (Index i : kept) seconds.push_back((*number(i) - rule->first_frame_number) / rule->frames_per_second);
    return seconds;
}

/// Reads one sequence out of its folder.
inline Sequence read_sequence(const std::filesystem::path& folder, const SequenceManifest& manifest,
                              MaskPolarity polarity, std::optional<double> threshold,
                              const std::vector<std::string>& only_tasks, Findings& findings) {
    const auto where = (folder / manifest.frames).string();
    std::error_code ignored;
    require<DataError>(std::filesystem::is_directory(folder, ignored), folder.string(), ": sequence \"", manifest.name,
                       "\" has no such folder");
    const FrameFiles files(glob(folder, manifest.frames));
    require<DataError>(files.size() > 0, where, ": sequence \"", manifest.name, "\" has no frames there; ",
                       found_instead(where));
    const auto own = concatenate("\"", manifest.name, "\" (", name_of(manifest.split), ")");
    for (const auto& file : files.files) {
        const auto [place, is_new] = findings.owners.emplace(std::filesystem::weakly_canonical(file).string(), own);
        require<DataError>(is_new, file.string(), ": a frame of two sequences, ", place->second, " and ", own);
    }
    Sequence sequence{manifest.name, manifest.split, {}, {}, manifest.seconds, {}, manifest.series, manifest.metadata};
    std::vector<Index> kept(static_cast<std::size_t>(files.size()));
    std::iota(kept.begin(), kept.end(), Index{0});
    if (sequence.seconds.empty()) {
        const double first = manifest.time.value_or(TimeRule{}).first_frame_number;
        require<DataError>(files.pages == 0 || !manifest.time_is_shared || first <= 0, where,
                           ": pages are numbered from 0, and \"first_frame_number\" ", first,
                           ", which all sequences share, would leave out the first ", std::ceil(first),
                           "; give sequence \"", manifest.name,
                           "\" a \"time\" of its own, with \"first_frame_number\": 0 to keep all");
        sequence.seconds = frame_times(files, manifest.time, kept);
        if (!manifest.time)
            sequence.time_source = sequence.seconds.empty() ? TimeSource::frame_index : TimeSource::file_numbers;
    } else {
        require<DataError>(sequence.seconds.size() == kept.size(), where, ": ", kept.size(),
                           " frames (", files.name(0), " … ",
                           files.name(files.size() - 1), "), but \"seconds\" has ", sequence.seconds.size(), " values");
    }
    std::vector<std::string> dropped;
    for (Index i = 0; i < files.size(); ++i)
        if (!std::binary_search(kept.begin(), kept.end(), i))
            dropped.push_back(std::filesystem::path(files.name(i)).stem().string());
    require<DataError>(!kept.empty(), where, ": every frame is numbered before the first, ",
                       manifest.time.value_or(TimeRule{}).first_frame_number);
    if (!dropped.empty())
        findings.warnings.push_back({concatenate(where, ": ", dropped.size(), " frames numbered before ",
                                        manifest.time.value_or(TimeRule{}).first_frame_number, " are left out")});
    for (Index i : kept) sequence.frame_names.push_back(files.name(i));
    GreyRange range;
    sequence.frames = read_frame_files(files, kept, manifest.white, range);
    if (range.likely_white() > 0) {
        const char* comma = findings.dark.empty() ? "" : ", ";
        findings.dark += concatenate(comma, range.brightest(), " (\"", manifest.name, "\")");
        findings.white = std::max(findings.white, range.likely_white());
    }
    for (const auto& [task, pattern] : manifest.tasks) {
        if (!only_tasks.empty() && std::find(only_tasks.begin(), only_tasks.end(), task) == only_tasks.end()) continue;
        const FrameFiles masks(glob(folder, pattern));
        const auto matched = match_masks(masks, sequence.frame_names, dropped, (folder / pattern).string());
        sequence.masks[task] = read_mask_files(masks, matched, shape_of(sequence.frames), polarity, threshold);
    }
    return sequence;
}

/// The manifest that a folder without one would have.
inline Manifest manifest_of_plain_folders(const std::filesystem::path& folder, const DatasetOptions& options,
                                          std::vector<std::filesystem::path>& folders) {
    Manifest manifest;
    manifest.description.name = film_name(folder);
    const auto add = [&](const std::filesystem::path& place, const std::string& name) {
        SequenceManifest sequence;
        sequence.frames = frames_in(place, options.frames);
        if (sequence.frames.empty()) return;
        sequence.name = name;
        const auto split = options.splits.find(name);
        sequence.split = split == options.splits.end() ? options.split : split->second;
        sequence.time = options.time;
        sequence.white = options.white;
        for (const auto& task : options.tasks)
            if (!glob(place, task.second).empty()) sequence.tasks.push_back(task);
        if (options.tasks.empty())
            for (const auto& masks : entries(place / "masks"))
                if (const auto pattern = frames_in(masks, ""); !pattern.empty())
                    sequence.tasks.emplace_back(masks.filename(), "masks/" + masks.filename().string() + "/" + pattern);
        manifest.sequences.push_back(std::move(sequence));
        folders.push_back(place);
    };
    add(folder, manifest.description.name);
    if (manifest.sequences.empty())
        for (const auto& entry : entries(folder))
            if (std::filesystem::is_directory(entry)) add(entry, entry.filename());
    require<DataError>(!manifest.sequences.empty(), folder.string(), ": no frames found; expected ", options.manifest,
                       ", or frames (", options.frames.empty() ? "*.png, *.tif or frames/*.png" : options.frames,
                       ") in the folder or in its subfolders");
    for (const auto& entry : options.splits)
        require<OptionError>(std::any_of(manifest.sequences.begin(), manifest.sequences.end(),
                                         [&](const auto& sequence) { return sequence.name == entry.first; }),
                             "DatasetOptions::splits: ", folder.string(), " has no sequence \"", entry.first, "\"");
    for (const auto& sequence : manifest.sequences)
        for (const auto& task : sequence.tasks) {
            auto& known = manifest.description.tasks;
            if (std::find(known.begin(), known.end(), task.first) == known.end()) known.push_back(task.first);
        }
    return manifest;
}

}  // namespace detail

/// Reads a folder of sequences, as its `dataset.json` says or, without one, as folders usually are. All or nothing.
///
/// Without a manifest a sequence is each subfolder that has frames, or the folder itself. Frames are files in natural
/// order, or the pages of one TIFF; a mask has its frame's name.
///
/// @throws DataError, IoError naming file, expected and found; OptionError
inline Dataset read_dataset(const std::filesystem::path& folder, const DatasetOptions& options = {}) {
    std::error_code ignored;
    require<IoError>(std::filesystem::is_directory(folder, ignored), folder.string(), ": there is no such folder");
    const auto file = folder / options.manifest;
    Manifest manifest;
    std::vector<std::filesystem::path> folders;
    if (std::filesystem::exists(file, ignored)) {
        manifest = read_manifest(file);
        for (const auto& sequence : manifest.sequences) folders.push_back(folder / sequence.name);
    } else {
        manifest = detail::manifest_of_plain_folders(folder, options, folders);
    }
    if (options.polarity) manifest.polarity = *options.polarity;
    if (options.mask_threshold) manifest.threshold = options.mask_threshold;
    require_valid(manifest.polarity);
    manifest.description.feature_value = manifest.polarity.feature;
    manifest.description.background_value = manifest.polarity.background;
    auto& tasks = manifest.description.tasks;
    for (const auto& task : options.only_tasks)
        require<OptionError>(std::find(tasks.begin(), tasks.end(), task) != tasks.end(), folder.string(),
                             ": there is no task \"", task, "\"");
    if (!options.only_tasks.empty()) tasks = options.only_tasks;

    detail::Findings findings;
    std::vector<Sequence> sequences;
    for (std::size_t i = 0; i < folders.size(); ++i)
        sequences.push_back(detail::read_sequence(folders[i], manifest.sequences[i], manifest.polarity,
                                                  manifest.threshold, options.only_tasks, findings));
    if (!findings.dark.empty())
        findings.warnings.push_back(nearly_black(folder, findings.dark, findings.white));
    try {
        return Dataset(std::move(manifest.description), std::move(sequences), std::move(findings.warnings));
    } catch (const DataError& error) {
        fail<DataError>(folder.string(), ": ", error.what());
    }
}

/// Reads frames alone: the pictures of one folder in natural order, or the pages of one TIFF file; `film_name` is its
/// name.
///
/// @param white_count of frames of 16 bits, as `to_frame` has it; 0: 65535, and a warning where they are nearly black
/// @throws DataError, IoError, OptionError
inline Sequence read_frames(const std::filesystem::path& path, std::optional<TimeRule> time = std::nullopt,
                            int white_count = 0) {
    SequenceManifest manifest;
    manifest.name = film_name(path);
    manifest.time = time;
    manifest.white = white_count;
    const bool is_folder = std::filesystem::is_directory(path);
    const auto folder = is_folder ? path : path.parent_path().empty() ? std::filesystem::path(".") : path.parent_path();
    manifest.frames = is_folder ? detail::frames_in(path, "") : path.filename().string();
    require<DataError>(!manifest.frames.empty(), path.string(), ": no frames found; expected *.png or *.tif");
    detail::Findings findings;
    auto sequence = detail::read_sequence(folder, manifest, {}, std::nullopt, {}, findings);
    if (!findings.dark.empty())
        findings.warnings.push_back(nearly_black(path, findings.dark, findings.white));
    sequence.warnings = std::move(findings.warnings);
    if (sequence.seconds.empty())
        for (std::size_t i = 0; i < sequence.frame_names.size(); ++i)
            sequence.seconds.push_back(static_cast<double>(i));
    return sequence;
}

/// The grey values of feature and background in a dataset's mask files.
inline MaskPolarity polarity_of(const Dataset& dataset) {
    return {dataset.description().feature_value, dataset.description().background_value};
}

}  // namespace mtdn
