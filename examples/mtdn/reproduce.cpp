// mtdn reproduce: the paper's study. Trains its models, segments with every fusion, reports.
#include <array>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>

#include "cli.hpp"
#include "masks.hpp"
#include "network.hpp"
#include "study.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/synthetic.hpp>
#include <mtdn/experiment/progress.hpp>
#include <mtdn/version.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;
using mtdn::Json;

/// How much of the published effort is spent. `rate`: 0, the recipe's; few epochs need a higher one.
struct Scale {
    const char* name;
    Index width, size, channels, pair_epochs, frame_epochs;
    double rate, beta;
};
constexpr std::array scales{
    Scale{"full", 32, 256, 3, 500, 500, 0, 1},
    Scale{"half", 16, 128, 3, 12, 300, 0, 1},
    Scale{"quick", 8, 0, 1, 8, 24, 3e-3, 0.5},
};

struct ReproduceCommand {
    std::string data, out, scale = "full", palette;
    bool resume = false;
    std::vector<std::string> models;
    Index epochs = 0, epoch_pairs = 0, clique = 0, width = 0, size = -1;
    double minutes = 0;
};

/// The options that a study must be taken up with unchanged.
Json settings(const ReproduceCommand& c, const Common& common) {
    return {{"data", c.data.empty() ? "" : fs::weakly_canonical(fs::path(c.data) / ".").string()}, {"scale", c.scale}, {"seed", common.seed},
            {"epochs", c.epochs}, {"epoch-pairs", c.epoch_pairs}, {"clique", c.clique}, {"width", c.width},
            {"size", c.size}, {"minutes", c.minutes}};
}

void begin_or_take_up(const ReproduceCommand& c, const Common& common) {
    const fs::path file = fs::path(c.out) / "study.json";
    const Json now = settings(c, common);
    if (!fs::exists(file)) {
        mtdn::require<mtdn::IoError>(!c.resume, c.out, ": holds no study to resume");
        fs::create_directories(c.out);
        return mtdn::write_json(file, now);
    }
    mtdn::require<mtdn::IoError>(c.resume, c.out, ": holds a study already; go on with it by --resume, or name another folder");
    const Json begun = mtdn::parse_json_file(file);
    for (const auto& [key, value] : now.items())
        mtdn::require<mtdn::OptionError>(begun.contains(key) && begun[key] == value, file.string(), ": the study was begun with ",
                                         key, " = ", begun.contains(key) ? mtdn::json_text(begun[key], -1) : "(nothing)",
                                         ", it cannot be taken up with ", mtdn::json_text(value, -1));
}

mtdn::Recipe at_scale(mtdn::Recipe recipe, const ReproduceCommand& c, const Scale& scale, const mtdn::Dataset& data,
                      std::uint64_t seed) {
    auto& [name, summary, model, options, init] = recipe;
    for (auto& task : model.tasks) task = data.tasks()[task == "A1" ? 0 : 1];
    if (model.tasks.empty()) model.tasks = data.tasks();
    model.width = c.width > 0 ? c.width : scale.width;
    model.size = options.size = c.size >= 0 ? c.size : scale.size;
    model.in_channels = scale.channels;
    options.epochs = model.is_siamese() ? (c.epochs > 0 ? c.epochs : scale.pair_epochs) : scale.frame_epochs;
    options.epoch_pairs = model.is_siamese() ? c.epoch_pairs : 0;
    options.clique = model.is_siamese() ? c.clique : 0;
    if (scale.rate > 0) options.rate = scale.rate;
    options.loss.beta = scale.beta;
    options.seed = seed;
    if (c.minutes > 0) options.max_seconds = 60 * c.minutes;
    options.progress = mtdn::print_progress;
    return recipe;
}

/// Trains one model, or goes on where it was stopped; `result.json` says that it is done.
void train(const Study& study, const mtdn::Recipe& recipe, const Machine& machine) {
    const RunOptions run{.folder = study.run(recipe.name), .resume = fs::exists(study.run(recipe.name) / "checkpoint.safetensors")};
    if (fs::exists(run.folder / "result.json")) return;
    fs::create_directories(run.folder);
    const auto network = make_network(recipe.model, machine, study.seed);
    if (!recipe.init.empty() && !run.resume)
        print_warnings(network->load_backbone(study.run(recipe.init) / "best.safetensors"));
    std::cerr << recipe.name << ": " << recipe.summary << ", " << network->parameter_count() << " parameters, "
              << network->device() << '\n';
    const auto curve = network->train(study.data, recipe.options, run);
    double seconds = 0, best = -1;
    Index best_epoch = -1;
    for (const auto& record : curve) {
        seconds += record.seconds;
        if (record.validation > best) {
            best = record.validation;
            best_epoch = record.epoch;
        }
    }
    mtdn::write_json(run.folder / "result.json", {{"parameters", network->parameter_count()},
                                                  {"device", network->device()},
                                                  {"epochs", curve.size()},
                                                  {"best_epoch", best_epoch},
                                                  {"best_validation", best},
                                                  {"seconds", seconds},
                                                  {"seed", study.seed},
                                                  {"version", mtdn::version}});
}

/// Segments the validation and test sequences by every fusion, each folder whole or not at all.
void segment(const Study& study, const mtdn::Recipe& recipe, const Machine& machine) {
    std::unique_ptr<Network> network;
    for (const auto& fusion : fusions_of(recipe)) {
        const fs::path done = study.masks(recipe.name, fusion), part = done.string() + ".part";
        if (fs::exists(done)) continue;
        if (!network) network = open_network(study.run(recipe.name) / "best.safetensors", machine);
        fs::remove_all(part);
        const auto method = mtdn::prediction_fusion(recipe.model.is_siamese() ? fusion : "backward");
        for (const auto& sequence : study.data.sequences())
            if (sequence.split != mtdn::Split::train)
                write_masks(part, sequence,
                            network->segment(sequence.frames, method,
                                             with_progress(recipe.name + ", " + fusion + ", " + sequence.name)).masks,
                            mtdn::MaskPolarity{});
        fs::rename(part, done);
    }
}

void reproduce(const ReproduceCommand& c, const Common& common) {
    const auto& scale = *std::find_if(scales.begin(), scales.end(), [&](const Scale& s) { return s.name == c.scale; });
    mtdn::require<mtdn::OptionError>(!c.data.empty() || c.scale == "quick", "reproduce: --data is required; only --scale quick ",
                                     "makes films of its own");
    Study study{.folder = c.out, .scale = c.scale, .seed = common.seed, .data = {}, .data_folder = c.data, .recipes = {}};
    study.palette = mtdn::palette_named(c.palette);
    study.data = c.data.empty() ? mtdn::synthesize({.sequences = 7, .frames = 6, .size = 48, .seed = common.seed + 1})
                                : mtdn::read_dataset(c.data);
    print_warnings(study.data.warnings());
    mtdn::require<mtdn::DataError>(study.data.tasks().size() == 2, c.data, ": the study is of two tasks, found ",
                                   study.data.tasks().size());
    mtdn::require<mtdn::DataError>(study.data.train().size() > 0 && study.data.validation().size() > 0, c.data,
                                   ": needs training and validation sequences");
    for (const auto& sequence : study.data.sequences())
        for (const auto& task : study.data.tasks())
            mtdn::require<mtdn::DataError>(sequence.split == mtdn::Split::train || sequence.masks.contains(task), c.data,
                                           ": sequence \"", sequence.name, "\" has no masks of ", task, " to be scored by");
    const auto asked = [&](const std::string& name) {
        return c.models.empty() || std::find(c.models.begin(), c.models.end(), name) != c.models.end();
    };
    for (const auto& recipe : mtdn::recipes()) {
        study.recipes.push_back(at_scale(recipe, c, scale, study.data, common.seed));
        mtdn::require<mtdn::OptionError>(!asked(recipe.name) || recipe.init.empty() || asked(recipe.init) ||
                                             fs::exists(study.run(recipe.init) / "result.json"),
                                         "reproduce: ", recipe.name, " begins from ", recipe.init,
                                         ", which is neither named by --models nor trained");
    }
    begin_or_take_up(c, common);
    for (const auto& recipe : study.recipes) {
        if (!asked(recipe.name)) continue;
        train(study, recipe, common.machine);
        segment(study, recipe, common.machine);
        write_report(study);
    }
    const auto report = (fs::path(c.out) / "report.html").string();
    if (common.json)
        print_json({{"report", report}, {"models", study.recipes.size()}});
    else
        std::cout << "report: " << report << '\n';
}

}  // namespace

void add_reproduce(CLI::App& app, Common& common) {
    auto c = std::make_shared<ReproduceCommand>();
    auto* command = app.add_subcommand("reproduce", "The paper's study: trains its seven models, scores every fusion, reports");
    add_device(*command, common);
    add_precision(*command, common);
    command->add_option("--data", c->data, "Folder of a dataset of two tasks; --scale quick makes one where none is given");
    command->add_option("--out", c->out, "Folder of the study: report.html, report.md, scores.json, runs, masks, pictures")->required();
    command->add_option("--scale", c->scale,
                        "full: as published; half: width 16, 128 pixels, 12 epochs; quick: width 8, 8 epochs")
        ->check(CLI::IsMember({"full", "half", "quick"}))->capture_default_str();
    command->add_flag("--resume", c->resume, "Goes on with the study in --out, given the same options");
    command->add_option("--models", c->models, "Some of the recipes, as mtdn,unet-a2; all where not given")->delimiter(',')
        ->check(CLI::IsMember([] {
            std::vector<std::string> names;
            for (const auto& recipe : mtdn::recipes()) names.push_back(recipe.name);
            return names;
        }()));
    command->add_option("--epochs", c->epochs, "Epochs of the Siamese models; 0: the scale's")->check(CLI::NonNegativeNumber);
    command->add_option("--epoch-pairs", c->epoch_pairs, "Pairs between two validations; 0: all that there are")->check(CLI::NonNegativeNumber);
    command->add_option("--clique", c->clique, "Siamese models learn from cliques of K frames; 0: from random pairs")->check(CLI::NonNegativeNumber);
    command->add_option("--width", c->width, "Channels of the first level; 0: the scale's")->check(CLI::NonNegativeNumber);
    command->add_option("--size", c->size, "Frames' longer side in training, pixels; 0: as they are; the scale's where not given")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--minutes", c->minutes, "Each model stops after so many minutes, counted anew by --resume; 0: when it is done")->check(CLI::NonNegativeNumber);
    add_palette(*command, c->palette);
    command->footer("Example: mtdn reproduce --scale quick --out study");
    command->callback([c, &common] { reproduce(*c, common); });
}
