#include <iomanip>
#include <iostream>
#include <memory>

#include "cli.hpp"

#include <mtdn/change/pairs.hpp>
#include <mtdn/data/read_dataset.hpp>

namespace {

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
              {"first_second", sequence.seconds.front()}, {"last_second", sequence.seconds.back()}};
    json["tasks"] = Json::array();
    for (const auto& entry : sequence.masks) json["tasks"].push_back(entry.first);
    return json;
}

}  // namespace

void add_info(CLI::App& app, Common& common) {
    auto data = std::make_shared<std::string>();
    auto* command = app.add_subcommand("info", "Tells what a dataset holds: sequences, times, splits, pairs");
    command->add_option("--data", *data, "Folder of the dataset")->required();
    command->footer("Example: mtdn info --data film");
    command->callback([data, &common] {
        const auto dataset = mtdn::read_dataset(*data);
        print_warnings(dataset.warnings());
        Json json{{"name", dataset.name()}, {"tasks", dataset.tasks()}};
        for (const auto& sequence : dataset.sequences()) json["sequences"][sequence.name] = sequence_json(sequence);
        for (const auto split : {mtdn::Split::train, mtdn::Split::validation, mtdn::Split::test})
            json["splits"][mtdn::name_of(split)] = split_json(dataset.split(split));
        if (common.json) return print_json(json);

        std::cout << dataset.name() << "\n\n" << std::left << std::setw(20) << "sequence" << std::setw(12) << "split"
                  << std::right << std::setw(7) << "frames" << std::setw(12) << "size" << std::setw(20) << "seconds"
                  << "  tasks\n";
        for (const auto& s : dataset.sequences()) {
            std::string tasks;
            for (const auto& entry : s.masks) tasks += (tasks.empty() ? "" : ", ") + entry.first;
            std::cout << std::left << std::setw(20) << s.name << std::setw(12) << mtdn::name_of(s.split) << std::right
                      << std::setw(7) << s.size() << std::setw(12) << mtdn::concatenate(s.height(), "×", s.width())
                      << std::setw(20) << mtdn::concatenate(s.seconds.front(), " … ", s.seconds.back()) << "  "
                      << (tasks.empty() ? "(no masks)" : tasks) << '\n';
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
    });
}
