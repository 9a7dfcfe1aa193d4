#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>

#include "cli.hpp"
#include "times.hpp"

#include <mtdn/change/pairs.hpp>
#include <mtdn/data/read_dataset.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;
using mtdn::Json;

const char* const policies[] = {"unordered", "unordered_self", "ordered", "ordered_self"};

Json split_json(const mtdn::SequenceView& sequences) {
    Json json;
    Index frames = 0;
    for (const auto& sequence : sequences) frames += sequence.size();
    json["sequences"] = sequences.size();
    json["frames"] = frames;
    for (const char* name : policies) {
        Index pairs = 0;
        for (const auto& sequence : sequences) pairs += mtdn::pair_policy(name).count(sequence.size());
        json["pairs"][name] = pairs;
    }
    return json;
}

Json sequence_json(const mtdn::Sequence& sequence) {
    Json json{{"split", mtdn::name_of(sequence.split)}, {"frames", sequence.size()},
              {"height", sequence.height()},            {"width", sequence.width()},
              {"first_second", sequence.seconds.front()}, {"last_second", sequence.seconds.back()},
              {"times", times_from(sequence)}};
    json["tasks"] = Json::array();
    for (const auto& entry : sequence.masks) json["tasks"].push_back(entry.first);
    return json;
}

/// A manifest that says of a folder without one what was guessed, to be corrected, with splits to begin with: of films
/// that have masks the last for test, the one before for validation. Null where the folder is itself a film.
Json starter(const fs::path& folder, const mtdn::Dataset& data) {
    std::vector<fs::path> folders;
    const auto guessed = mtdn::detail::manifest_of_plain_folders(folder, {}, folders);
    if (folders.front() == folder) return nullptr;
    const auto tasks_of = [](const mtdn::SequenceManifest& sequence) {
        Json tasks = Json::object();
        for (const auto& [task, pattern] : sequence.tasks) tasks[task] = pattern;
        return tasks;
    };
    const auto& first = *std::find_if(guessed.sequences.begin(), guessed.sequences.end() - 1,
                                      [](const auto& sequence) { return !sequence.tasks.empty(); });
    Json json{{"frames", first.frames}, {"tasks", tasks_of(first)}};
    const auto& sequences = data.sequences();
    if (std::all_of(sequences.begin(), sequences.end(),
                    [](const auto& sequence) { return sequence.time_source == mtdn::TimeSource::file_numbers; }))
        json["time"] = {{"frames_per_second", 1}, {"first_frame_number", 0}};
    auto labelled = std::count_if(guessed.sequences.begin(), guessed.sequences.end(),
                                  [](const auto& sequence) { return !sequence.tasks.empty(); });
    for (const auto& sequence : guessed.sequences) {
        auto& entry = json["sequences"][sequence.name];
        entry["split"] = sequence.tasks.empty() || labelled == 1 ? "test" : labelled == 2 ? "validation" : "train";
        if (sequence.frames != first.frames) entry["frames"] = sequence.frames;
        if (tasks_of(sequence) != json["tasks"]) entry["tasks"] = tasks_of(sequence);
        labelled -= !sequence.tasks.empty();
    }
    return json;
}

/// Says what follows from there being no manifest, and shows one.
void explain_plain_folders(const std::string& folder, const mtdn::Dataset& data) {
    std::cout << "\nThere is no " << folder
              << "/dataset.json: every film is of split test, and there is none to train on.\n";
    const auto manifest = starter(folder, data);
    if (manifest.is_null())
        std::cout << "A dataset is a folder of such folders, one a film, with a dataset.json in it.\n";
    else
        std::cout << "Write one, such as this, with the right times and splits (and \"pixel_size_nm\", for rates):\n\n"
                  << mtdn::json_text(manifest) << '\n';
}

}  // namespace

void add_info(CLI::App& app, Common& common) {
    auto data = std::make_shared<std::string>();
    auto* command = app.add_subcommand("info", "Tells what a dataset holds: sequences, times, splits, pairs");
    command->add_option("--data", *data, "Folder of the dataset")->required();
    command->footer("Example: mtdn info --data film");
    command->callback([data, &common] {
        const auto dataset = mtdn::read_dataset(*data);
        const bool described = fs::exists(fs::path(*data) / mtdn::DatasetOptions{}.manifest);
        print_warnings(dataset.warnings());
        print_warnings(guessed_times(dataset.sequences(), "\"time\" or \"seconds\" in dataset.json"));
        Json json{{"name", dataset.name()}, {"manifest", described}, {"tasks", dataset.tasks()}};
        for (const auto& sequence : dataset.sequences()) json["sequences"][sequence.name] = sequence_json(sequence);
        for (const auto split : {mtdn::Split::train, mtdn::Split::validation, mtdn::Split::test})
            json["splits"][mtdn::name_of(split)] = split_json(dataset.split(split));
        if (common.json) return print_json(json);

        std::cout << dataset.name() << "\n\n" << std::left << std::setw(20) << "sequence" << std::setw(12) << "split"
                  << std::right << std::setw(7) << "frames" << std::setw(12) << "size" << std::setw(20) << "seconds"
                  << "  " << std::left << std::setw(14) << "times by" << "tasks\n";
        for (const auto& s : dataset.sequences()) {
            std::string tasks;
            for (const auto& entry : s.masks) tasks += (tasks.empty() ? "" : ", ") + entry.first;
            std::cout << std::left << std::setw(20) << s.name << std::setw(12) << mtdn::name_of(s.split) << std::right
                      << std::setw(7) << s.size() << std::setw(12) << mtdn::concatenate(s.height(), "×", s.width())
                      << std::setw(20) << mtdn::concatenate(s.seconds.front(), " … ", s.seconds.back()) << "  "
                      << std::left << std::setw(14) << times_from(s) << (tasks.empty() ? "(no masks)" : tasks) << '\n';
        }
        std::cout << '\n' << std::left << std::setw(12) << "split" << std::right << std::setw(10) << "sequences"
                  << std::setw(8) << "frames";
        for (const char* name : policies) std::cout << std::setw(16) << name;
        std::cout << "  (pairs)\n";
        for (const auto& [name, split] : json["splits"].items()) {
            std::cout << std::left << std::setw(12) << name << std::right << std::setw(10)
                      << split["sequences"].get<Index>() << std::setw(8) << split["frames"].get<Index>();
            for (const char* policy : policies) std::cout << std::setw(16) << split["pairs"][policy].get<Index>();
            std::cout << '\n';
        }
        if (!described) explain_plain_folders(*data, dataset);
    });
}
