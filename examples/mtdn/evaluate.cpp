#include <filesystem>
#include <iostream>
#include <memory>

#include "cli.hpp"
#include "inside.hpp"
#include "network.hpp"
#include "pictures.hpp"
#include "scores.hpp"

#include <mtdn/data/baseline.hpp>
#include <mtdn/data/read_dataset.hpp>

namespace {

using mtdn::Index;

struct EvaluateCommand {
    std::string model, data, split = "test", fusion = "all", pictures, palette, frame_scores;
    std::string absent = "zero";
    bool threshold = false, soft = false;
    std::vector<std::string> inside;
    Index flips = 1;
};

mtdn::AbsentClass absent_class(const std::string& name) {
    if (name == "one") return mtdn::AbsentClass::one;
    if (name == "skip") return mtdn::AbsentClass::skip;
    if (name == "nan") return mtdn::AbsentClass::nan;
    return mtdn::AbsentClass::zero;
}

mtdn::Image frame_of(const mtdn::Images& frames, Index i) {
    auto frame = mtdn::make_array<float>(mtdn::extent(frames, 1), mtdn::extent(frames, 2));
    std::copy_n(mtdn::frame_data(frames, i), frame.size(), frame.data());
    return frame;
}

/// What plain thresholds make of a sequence.
mtdn::TaskMasks threshold_masks(const mtdn::Sequence& sequence) {
    mtdn::TaskMasks masks;
    const auto fill = [&](const std::string& task, auto&& mask_of_frame) {
        if (!sequence.masks.contains(task)) return;
        auto& all = masks[task] = mtdn::make_array<std::uint8_t>(sequence.size(), sequence.height(), sequence.width());
        for (Index i = 0; i < sequence.size(); ++i) {
            const auto mask = mask_of_frame(frame_of(sequence.frames, i));
            std::copy_n(mask.data(), mask.size(), mtdn::frame_data(all, i));
        }
    };
    fill("A1", mtdn::otsu_mask);
    fill("A2", mtdn::filled_interior);
    mtdn::require<mtdn::OptionError>(!masks.empty(), "evaluate: --threshold knows the tasks A1 and A2 alone, and ",
                                     "sequence \"", sequence.name, "\" has masks of neither");
    return masks;
}

void evaluate(const EvaluateCommand& c, const Common& common) {
    const auto network = open_network(c.model, common.machine);
    const auto data = mtdn::read_dataset(c.data);
    print_warnings(data.warnings());
    const auto chosen = c.split == "all" ? data.all()
                        : c.split == "train" ? data.train()
                        : c.split == "validation" ? data.validation() : data.test();
    std::vector<const mtdn::Sequence*> labelled;
    for (const auto& sequence : chosen)
        if (!left_out_unlabelled(sequence)) labelled.push_back(&sequence);
    mtdn::require<mtdn::DataError>(!labelled.empty(), c.data, ": no sequence with masks in split ", c.split,
                                   "; name another by --split");
    const mtdn::SequenceView sequences(std::move(labelled));
    mtdn::ScoreTable thresholds(absent_class(c.absent));
    std::vector<std::string> fusions{c.fusion};
    if (!network->compares_frames())
        fusions = {"single-frame"};
    else if (c.fusion == "all")
        fusions = {"backward", "forward", "consecutive", "ensemble"};
    const auto inside = nested(c.inside, network->tasks());

    mtdn::Json json;
    mtdn::CsvTable frames, threshold_frames;
    if (c.threshold)  // first, for it is quick and may be refused
        for (const auto& sequence : sequences) {
            const auto score = mtdn::score(threshold_masks(sequence), sequence.masks);
            add_frame_scores(threshold_frames, "threshold", sequence, score, thresholds.absent());
            thresholds.add(sequence.name, score);
        }
    std::map<std::string, std::vector<LabelledMasks>> columns;  // by sequence, one a fusion
    const auto take = [&](const std::string& name, const mtdn::ScoreTable& table) {
        json[name] = scores_json(table);
        if (!common.json) std::cout << name << '\n' << table << '\n';
    };
    for (const auto& name : fusions) {
        // Any will do where frames are not compared.
        const auto fusion = mtdn::prediction_fusion(network->compares_frames() ? name : "backward",
                                                    {.soft = c.soft && (c.fusion != "all" || name == "ensemble")});
        mtdn::ScoreTable table(absent_class(c.absent));
        for (const auto& sequence : sequences) {
            auto options = with_progress(name + ", " + sequence.name);
            options.flips = c.flips;
            auto result = network->segment(sequence.frames, fusion, options);
            keep_inside(inside, result);
            const auto score = mtdn::score(result.masks, sequence.masks);
            add_frame_scores(frames, name, sequence, score, table.absent());
            table.add(sequence.name, score);
            if (!c.pictures.empty()) columns[sequence.name].push_back({name, std::move(result.masks)});
        }
        take(name, table);
    }
    if (c.threshold) {
        take("threshold", thresholds);
        frames.rows.insert(frames.rows.end(), threshold_frames.rows.begin(), threshold_frames.rows.end());
    }
    if (!c.pictures.empty())
        for (const auto& sequence : sequences)
            write_pictures(c.pictures, sequence, columns[sequence.name], mtdn::palette_named(c.palette));
    if (!c.frame_scores.empty()) mtdn::write_csv(c.frame_scores, frames);
    if (common.json) print_json(json);
}

}  // namespace

void add_evaluate(CLI::App& app, Common& common) {
    auto c = std::make_shared<EvaluateCommand>();
    auto* command = app.add_subcommand("evaluate", "Scores a model on labelled sequences");
    add_device(*command, common);
    add_precision(*command, common);
    command->add_option("--model", c->model, "Weights (.safetensors)")->required();
    command->add_option("--data", c->data, "Folder of the dataset")->required();
    command->add_option("--split", c->split, "Sequences to score")
        ->check(CLI::IsMember({"train", "validation", "test", "all"}))->capture_default_str();
    command->add_option("--fusion", c->fusion, "Frames that each frame is compared with")
        ->check(CLI::IsMember({"all", "backward", "forward", "consecutive", "ensemble"}))->capture_default_str();
    command->add_flag("--soft", c->soft, "Ensemble: averages probabilities instead of votes");
    command->add_option("--flips", c->flips, flips_help)->check(CLI::IsMember({1, 4, 8}))->capture_default_str();
    command->add_option("--inside", c->inside, inside_help)->delimiter(',');
    command->add_option("--absent", c->absent, "Score of a class that is neither in truth nor in prediction")
        ->check(CLI::IsMember({"zero", "one", "skip", "nan"}))->capture_default_str();
    command->add_flag("--threshold", c->threshold,
                      "Scores plain thresholds, too: Otsu for A1, the filled interior of dark walls for A2");
    command->add_option("--pictures", c->pictures, "Folder for overlays, confusion maps and contact sheets");
    add_palette(*command, c->palette);
    command->add_option("--frame-scores", c->frame_scores,
                        "File (.csv) for each frame's scores, which mtdn plot draws");
    command->footer("Example: mtdn evaluate --model runs/film/best.safetensors --data film --split test --fusion all");
    command->callback([c, &common] { evaluate(*c, common); });
}
