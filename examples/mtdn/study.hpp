#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <mtdn/data/sequence.hpp>
#include <mtdn/experiment/ablations.hpp>
#include <mtdn/view/palette.hpp>

/// The paper's study on one dataset: what is trained, and where its files are.
struct Study {
    std::filesystem::path folder;
    std::string scale;
    std::uint64_t seed = 0;
    mtdn::Dataset data;
    std::filesystem::path data_folder;  ///< empty if the data are synthetic
    std::vector<mtdn::Recipe> recipes;  ///< as trained: at the study's scale, with the dataset's tasks
    std::vector<mtdn::Ablation> ablations;  ///< theirs, too
    mtdn::Palette palette{};            ///< of the pictures

    std::filesystem::path run(const std::string& recipe) const { return folder / "runs" / recipe; }
    std::filesystem::path masks(const std::string& recipe, const std::string& fusion) const {
        return folder / "masks" / recipe / fusion;
    }
};

/// A model of the study, and the ways in which it segments.
struct StudyModel {
    const mtdn::Recipe& recipe;
    std::vector<std::string> fusions;
    bool published;  ///< not a variant of an ablation
};

/// All models of a study, each once, those that others begin from or are held against first.
inline std::vector<StudyModel> models_of(const Study& study) {
    std::vector<StudyModel> models;
    const auto add = [&](const mtdn::Recipe& recipe, std::vector<std::string> fusions, bool published) {
        if (!recipe.model.is_siamese()) fusions = {"single-frame"};
        models.push_back({recipe, std::move(fusions), published});
    };
    for (const auto& recipe : study.recipes) add(recipe, {"backward", "forward", "consecutive", "ensemble"}, true);
    for (const auto& ablation : study.ablations)
        for (const auto& variant : ablation.variants)
            if (variant.recipe.name != variant.base) add(variant.recipe, {"backward"}, false);
    return models;
}

/// Writes report.html, report.md, scores.json and the pictures into the study's folder, from its runs and masks.
void write_report(const Study& study);
