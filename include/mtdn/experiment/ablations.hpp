#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/experiment/recipe.hpp>

namespace mtdn {

/// A recipe with one thing chosen otherwise.
struct Variant {
    std::string label;  ///< what was chosen
    std::string base;   ///< recipe that it is held against
    Recipe recipe;      ///< named `<ablation>-<label>`; the base itself, under its own name, where nothing is changed
};

/// What one choice is worth: models that differ in nothing else.
struct Ablation {
    std::string name;
    std::string summary;
    std::vector<Variant> variants;  ///< each base comes before what is held against it
};

/// The choices that are looked into. Fusions of predictions, initialisation and single tasks are not among them: the
/// published recipes have those.
[[gnu::cold]] inline const std::vector<Ablation>& ablations() {
    static const std::vector<Ablation> all = [] {
        using Change = std::pair<std::string, std::function<void(Recipe&)>>;  // label, and what it does
        std::vector<Ablation> list;
        const auto add = [&](std::string name, std::string summary, const std::string& base, std::string published,
                             const std::vector<Change>& changes) {
            Ablation ablation{name, std::move(summary), {{std::move(published), base, recipe(base)}}};
            for (const auto& [label, change] : changes) {
                ablation.variants.push_back({label, base, recipe(base)});
                auto& changed = ablation.variants.back().recipe;
                change(changed);
                changed.name = name + "-" + label;
                changed.summary = changed.summary + ", " + name + " " + label;
            }
            list.push_back(std::move(ablation));
        };
        const auto fusion = [](std::string value) -> Change {
            return {value, [value](Recipe& r) { r.model.feature_fusion = value; }};
        };
        const auto statistics = [](std::string label, BatchNormPolicy value) -> Change {
            return {label, [value](Recipe& r) { r.options.batch_norm = value; }};
        };
        const auto clique = [](Index value) -> Change {
            return {std::to_string(value), [value](Recipe& r) { r.options.clique = value; }};
        };
        const auto pairs = [](std::string label, std::string value) -> Change {
            return {label, [value](Recipe& r) { r.options.pairs = value; }};
        };
        const auto loss = [](std::string value) -> Change {
            return {value, [value](Recipe& r) { r.options.loss.name = value; }};
        };
        const auto backbone = [](std::string value) -> Change {
            return {value, [value](Recipe& r) { r.model.backbone = value; }};
        };
        add("feature-fusion", "how two frames' features become one", "mtdn", "concat",
            {fusion("difference"), fusion("absolute"), fusion("product")});
        // Frozen statistics must be those of a network that has learned.
        add("batch-norm", "where batch statistics come from in training", "mtdn-init2", "branch",
            {statistics("stacked", BatchNormPolicy::stacked), statistics("frozen", BatchNormPolicy::frozen)});
        add("clique", "random pairs, or cliques of so many frames", "mtdn", "pairs", {clique(2), clique(4)});
        add("self-pairs", "whether frames are paired with themselves", "mtdn", "with", {pairs("without", "ordered")});
        add("pair-policy", "which pairs are learned from", "mtdn", "ordered_self",
            {pairs("unordered_self", "unordered_self"), pairs("unordered", "unordered")});
        add("loss", "what training makes small", "mtdn", "focal",
            {loss("cross-entropy"), loss("dice"), loss("tversky"), loss("focal+dice")});
        add("backbone", "the network that both frames go through", "mtdn", "unet", {backbone("residual")});

        Ablation labels{"labels", "share of every training sequence's frames that is learned from", {}};
        for (const std::string base : {"mtdn", "unet-a1", "unet-a2"}) {
            labels.variants.push_back({base + ", all", base, recipe(base)});
            for (const Index every : {2, 4, 8}) {
                const auto share = std::to_string(every);
                labels.variants.push_back({base + ", 1/" + share, base, recipe(base)});
                auto& fewer = labels.variants.back().recipe;
                fewer.every = every;
                fewer.name = "labels-" + base + "-" + share;
                fewer.summary = fewer.summary + ", 1/" + share + " of the frames";
            }
        }
        list.push_back(std::move(labels));
        return list;
    }();
    return all;
}

}  // namespace mtdn
