#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "published.hpp"
#include "study.hpp"

#include <mtdn/data/read_predictions.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/io/report.hpp>
#include <mtdn/metric/score.hpp>

inline std::string digits(double value, int count = 5) {
    if (std::isnan(value)) return "–";
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", count, value);
    return text;
}

inline std::string signed_digits(double value, int count = 5) {
    return (value < 0 ? "−" : "+") + digits(std::abs(value), count);
}

/// All masks and scores of a study, and the figures that it is held against.
class Results {
public:
    using Way = std::pair<std::string, std::string>;  ///< recipe and fusion

    explicit Results(const Study& study) : study_(study) {
        for (const auto& model : models_of(study))
            for (const auto& fusion : model.fusions) {
                const Way way{model.recipe.name, fusion};
                const auto folder = study.masks(model.recipe.name, fusion);
                if (!std::filesystem::exists(folder)) continue;
                auto read = mtdn::read_predictions(folder, study.data, mtdn::MaskPolarity{});
                for (const auto& sequence : study.data.sequences())
                    if (const auto found = read.masks.find(sequence.name); found != read.masks.end())
                        tables_[way][sequence.split].add(sequence.name, mtdn::score(found->second, sequence.masks));
                masks_[way] = std::move(read.masks);
            }
        const auto expected = study.data_folder / "predictions" / "expected.json";
        if (!study.data_folder.empty() && std::filesystem::exists(expected))
            expected_ = mtdn::parse_json_file(expected);
    }

    const std::map<Way, std::map<mtdn::Split, mtdn::ScoreTable>>& tables() const { return tables_; }
    const std::map<std::string, mtdn::TaskMasks>* masks(const Way& way) const {
        const auto found = masks_.find(way);
        return found == masks_.end() ? nullptr : &found->second;
    }

    /// A score of one sequence, or of all of the split where `sequence` is null.
    std::optional<double> ours(const Way& way, mtdn::Split split, int task, const std::string& score,
                               const mtdn::Sequence* sequence) const {
        const auto of_way = tables_.find(way);
        if (of_way == tables_.end() || !of_way->second.contains(split)) return std::nullopt;
        const auto& table = of_way->second.at(split);
        const auto function = score == "macro_iou" ? mtdn::macro_iou : mtdn::macro_f1;
        const auto& name = study_.data.tasks()[static_cast<std::size_t>(task - 1)];
        const auto tasks = table.tasks();
        if (std::find(tasks.begin(), tasks.end(), name) == tasks.end()) return std::nullopt;
        if (!sequence) return function(table.task(name).total(), table.absent());
        for (const auto& row : table.rows()) {
            const auto found = row.score.tasks.find(name);
            if (row.sequence == sequence->name && found != row.score.tasks.end())
                return function(found->second.total(), table.absent());
        }
        return std::nullopt;
    }

    /// What was published for the same: on the test filaments in the paper, on others in the dataset's expected.json.
    std::optional<double> published(const Way& way, mtdn::Split split, int task, const std::string& score,
                                    const mtdn::Sequence* sequence) const {
        if (study_.data_folder.empty()) return std::nullopt;
        if (split == mtdn::Split::test) {
            const int filament = sequence ? filament_of(*sequence) : 0;  // 0: both together
            if (sequence ? filament == 0 : !whole_test_set()) return std::nullopt;
            return published_score(way.first, way.second, task, score, filament);
        }
        const auto key = way.first.starts_with("mtdn-") ? way.first.substr(5) : way.first;
        const auto& task_name = study_.data.tasks()[static_cast<std::size_t>(task - 1)];
        const mtdn::Json::json_pointer path("/" + key + "/" + way.second + "/" + task_name + "/" +
                                            (sequence ? sequence->name : "total") + "/" + score);
        return expected_.contains(path) ? std::optional(expected_[path].get<double>()) : std::nullopt;
    }

    /// Whether anything was published on these data.
    bool has_published() const { return !study_.data_folder.empty() && (!expected_.is_null() || whole_test_set()); }

    /// "ours (published, difference)", as far as there is any.
    std::string cell(const Way& way, mtdn::Split split, int task, const std::string& score,
                     const mtdn::Sequence* sequence) const {
        return beside(ours(way, split, task, score, sequence), published(way, split, task, score, sequence));
    }
    static std::string beside(std::optional<double> ours, std::optional<double> published) {
        if (!ours) return "–";
        if (!published) return digits(*ours);
        return digits(*ours) + " (" + digits(*published) + ", " + signed_digits(*ours - *published) + ")";
    }

    /// Mean over both tasks.
    std::optional<double> overall(const Way& way, mtdn::Split split, bool of_paper) const {
        const auto one = [&](int task) {
            return of_paper ? published(way, split, task, "macro_f1", nullptr)
                            : ours(way, split, task, "macro_f1", nullptr);
        };
        const auto first = one(1), second = one(2);
        return first && second ? std::optional((*first + *second) / 2) : std::nullopt;
    }

private:
    static int filament_of(const mtdn::Sequence& sequence) {
        const mtdn::Json metadata = mtdn::parse_json(sequence.metadata, "metadata of sequence " + sequence.name);
        return metadata.is_object() && metadata.contains("filament") && metadata["filament"].is_number_integer()
                   ? metadata["filament"].get<int>() : 0;
    }
    bool whole_test_set() const {
        const auto test = study_.data.test();
        return test.size() == 2 && filament_of(test[0]) + filament_of(test[1]) == 13 &&
               filament_of(test[0]) * filament_of(test[1]) == 42;
    }

    const Study& study_;
    std::map<Way, std::map<mtdn::Split, mtdn::ScoreTable>> tables_;
    std::map<Way, std::map<std::string, mtdn::TaskMasks>> masks_;
    mtdn::Json expected_;
};

/// Writes what the choices are worth that have been looked into, if any.
void report_ablations(mtdn::Report& report, const Study& study, const Results& results);

/// Writes how much masks depend on the partner, by the models for which that is known; adds it to `scores`.
void report_partners(mtdn::Report& report, const Study& study, mtdn::Json& scores);
