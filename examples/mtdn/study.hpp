#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <mtdn/data/sequence.hpp>
#include <mtdn/experiment/recipe.hpp>
#include <mtdn/view/palette.hpp>

/// The paper's study on one dataset: what is trained, and where its files are.
struct Study {
    std::filesystem::path folder;
    std::string scale;
    std::uint64_t seed = 0;
    mtdn::Dataset data;
    std::filesystem::path data_folder;  ///< empty if the data are synthetic
    std::vector<mtdn::Recipe> recipes;  ///< as trained: at the study's scale, with the dataset's tasks
    mtdn::Palette palette{};            ///< of the pictures

    std::filesystem::path run(const std::string& recipe) const { return folder / "runs" / recipe; }
    std::filesystem::path masks(const std::string& recipe, const std::string& fusion) const {
        return folder / "masks" / recipe / fusion;
    }
};

/// The ways in which a recipe's model segments.
inline std::vector<std::string> fusions_of(const mtdn::Recipe& recipe) {
    if (!recipe.model.is_siamese()) return {"single-frame"};
    return {"backward", "forward", "consecutive", "ensemble"};
}

/// Writes report.html, report.md, scores.json and the pictures into the study's folder, from its runs and masks.
void write_report(const Study& study);
