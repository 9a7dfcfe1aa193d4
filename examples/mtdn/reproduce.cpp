// mtdn reproduce: the paper's study. Trains its models, segments with every fusion, reports.
#include <array>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>

#include "cli.hpp"
#include "masks.hpp"
#include "network.hpp"
#include "partners.hpp"
#include "study.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/synthetic.hpp>
#include <mtdn/data/thinned.hpp>
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
    std::vector<std::string> models, ablations;
    Index epochs = 0, epoch_pairs = 0, clique = 0, width = 0, size = -1;
    double minutes = 0;
};

/// The options that a study must be taken up with unchanged.
Json settings(const ReproduceCommand& c, const Common& common) {
    return {{"data", c.data.empty() ? "" : fs::weakly_canonical(fs::path(c.data) / ".").string()},
            {"scale", c.scale}, {"seed", common.seed}, {"epochs", c.epochs}, {"epoch-pairs", c.epoch_pairs},
            {"clique", c.clique}, {"width", c.width}, {"size", c.size}, {"minutes", c.minutes}};
}

void begin_or_take_up(const ReproduceCommand& c, const Common& common) {
    const fs::path file = fs::path(c.out) / "study.json";
    const Json now = settings(c, common);
    if (!fs::exists(file)) {
        mtdn::require<mtdn::IoError>(!c.resume, c.out, ": holds no study to resume");
        fs::create_directories(c.out);
        return mtdn::write_json(file, now);
    }
    mtdn::require<mtdn::IoError>(c.resume, c.out,
                                 ": holds a study already; go on with it by --resume, or name another folder");
    const Json begun = mtdn::parse_json_file(file);
    for (const auto& [key, value] : now.items())
        mtdn::require<mtdn::OptionError>(
            begun.contains(key) && begun[key] == value, file.string(), ": the study was begun with ", key, " = ",
            begun.contains(key) ? mtdn::json_text(begun[key], -1) : "(nothing)", ", it cannot be taken up with ",
            mtdn::json_text(value, -1));
}

mtdn::Recipe at_scale(mtdn::Recipe recipe, const ReproduceCommand& c, const Scale& scale, const mtdn::Dataset& data,
                      std::uint64_t seed) {
    auto& model = recipe.model;
    auto& options = recipe.options;
    for (auto& task : model.tasks) task = data.tasks()[task == "A1" ? 0 : 1];
    if (model.tasks.empty()) model.tasks = data.tasks();
    model.width = c.width > 0 ? c.width : scale.width;
    model.size = options.size = c.size >= 0 ? c.size : scale.size;
    model.in_channels = scale.channels;
    options.epochs = model.is_siamese() ? (c.epochs > 0 ? c.epochs : scale.pair_epochs) : scale.frame_epochs;
    options.epoch_pairs = model.is_siamese() ? c.epoch_pairs : 0;
    if (model.is_siamese() && options.clique == 0) options.clique = c.clique;
    // What learns from fewer frames makes as many steps as what learns from all.
    if (recipe.every > 1 && options.epoch_pairs == 0)
        for (const auto& sequence : data.train())
            options.epoch_pairs += model.is_siamese() ? mtdn::pair_policy(options.pairs).count(sequence.size())
                                                      : sequence.size();
    if (scale.rate > 0) options.rate = scale.rate;
    options.loss.beta = scale.beta;
    options.seed = seed;
    if (c.minutes > 0) options.max_seconds = 60 * c.minutes;
    options.progress = mtdn::print_progress;
    return recipe;
}

/// Trains one model, or goes on where it was stopped; `result.json` says that it is done.
void train(const Study& study, const mtdn::Recipe& recipe, const Machine& machine) {
    const auto folder = study.run(recipe.name);
    const RunOptions run{.folder = folder, .resume = fs::exists(folder / "checkpoint.safetensors")};
    if (fs::exists(run.folder / "result.json")) return;
    fs::create_directories(run.folder);
    const auto network = make_network(recipe.model, machine, study.seed);
    if (!recipe.init.empty() && !run.resume)
        print_warnings(network->load_backbone(study.run(recipe.init) / "best.safetensors"));
    std::cerr << recipe.name << ": " << recipe.summary << ", " << network->parameter_count() << " parameters, "
              << network->device() << '\n';
    mtdn::Dataset fewer;
    const auto curve = network->train(
        recipe.every > 1 ? fewer = mtdn::thinned(study.data, recipe.every) : study.data, recipe.options, run);
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

/// Segments the validation and test sequences by every fusion, each folder whole or not at all; `speed.json` has the
/// frames a second.
void segment(const Study& study, const StudyModel& model, const Machine& machine) {
    const auto& recipe = model.recipe;
    const auto run = study.run(recipe.name);
    std::unique_ptr<Network> opened;
    const auto network = [&]() -> const Network& {
        if (!opened) opened = open_network(run / "best.safetensors", machine);
        return *opened;
    };
    for (const auto& fusion : model.fusions) {
        const fs::path done = study.masks(recipe.name, fusion), part = done.string() + ".part";
        if (fs::exists(done)) continue;
        fs::remove_all(part);
        const auto method = mtdn::prediction_fusion(recipe.model.is_siamese() ? fusion : "backward");
        double frames = 0, seconds = 0;
        for (const auto& sequence : study.data.sequences()) {
            if (sequence.split == mtdn::Split::train) continue;
            const auto progress = with_progress(recipe.name + ", " + fusion + ", " + sequence.name);
            const auto& ready = network();
            const auto begin = std::chrono::steady_clock::now();
            const auto masks = ready.segment(sequence.frames, method, progress).masks;
            seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
            frames += static_cast<double>(sequence.size());
            write_masks(part, sequence, masks, mtdn::MaskPolarity{});
        }
        Json speeds = fs::exists(run / "speed.json") ? mtdn::parse_json_file(run / "speed.json") : Json();
        speeds[fusion] = frames / seconds;
        mtdn::write_json(run / "speed.json", speeds);
        fs::rename(part, done);
    }
    if (!model.published || !recipe.model.is_siamese() || fs::exists(run / "partners.csv")) return;
    PartnerTable partners;
    for (const auto& sequence : study.data.sequences())
        if (sequence.split != mtdn::Split::train) partners[sequence.name] = network().partner_masks(sequence);
    write_partners(run / "partners.csv", partners);
}

/// The models that are asked for: by name, or all; those of ablations, with what these begin from and are held against.
std::set<std::string> models_asked(const ReproduceCommand& c, const Study& study) {
    std::set<std::string> asked(c.models.begin(), c.models.end());
    if (c.models.empty() && c.ablations.empty())
        for (const auto& recipe : study.recipes) asked.insert(recipe.name);
    for (const auto& ablation : study.ablations) {
        if (std::find(c.ablations.begin(), c.ablations.end(), ablation.name) == c.ablations.end()) continue;
        for (const auto& variant : ablation.variants) {
            asked.insert({variant.recipe.name, variant.base});
            if (!variant.recipe.init.empty()) asked.insert(variant.recipe.init);
        }
    }
    for (const auto& recipe : study.recipes)
        mtdn::require<mtdn::OptionError>(!asked.contains(recipe.name) || recipe.init.empty() ||
                                             asked.contains(recipe.init) ||
                                             fs::exists(study.run(recipe.init) / "result.json"),
                                         "reproduce: ", recipe.name, " begins from ", recipe.init,
                                         ", which is neither named by --models nor trained");
    return asked;
}

void reproduce(const ReproduceCommand& c, const Common& common) {
    const auto& scale = *std::find_if(scales.begin(), scales.end(), [&](const Scale& s) { return s.name == c.scale; });
    mtdn::require<mtdn::OptionError>(!c.data.empty() || c.scale == "quick",
                                     "reproduce: --data is required; only --scale quick makes films of its own");
    mtdn::require<mtdn::OptionError>(
        c.clique == 0 || std::find(c.ablations.begin(), c.ablations.end(), "clique") == c.ablations.end(),
        "reproduce: the ablation clique is held against random pairs; expected no --clique");
    Study study{.folder = c.out, .scale = c.scale, .seed = common.seed, .data = {}, .data_folder = c.data,
                .recipes = {}, .ablations = mtdn::ablations()};
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
            mtdn::require<mtdn::DataError>(sequence.split == mtdn::Split::train || sequence.masks.contains(task),
                                           c.data, ": sequence \"", sequence.name, "\" has no masks of ", task,
                                           " to be scored by");
    for (const auto& recipe : mtdn::recipes())
        study.recipes.push_back(at_scale(recipe, c, scale, study.data, common.seed));
    for (auto& ablation : study.ablations)
        for (auto& variant : ablation.variants)
            variant.recipe = at_scale(std::move(variant.recipe), c, scale, study.data, common.seed);
    const auto asked = models_asked(c, study);
    begin_or_take_up(c, common);
    for (const auto& model : models_of(study)) {
        if (!asked.contains(model.recipe.name)) continue;
        train(study, model.recipe, common.machine);
        segment(study, model, common.machine);
        write_report(study);
    }
    const auto report = (fs::path(c.out) / "report.html").string();
    if (common.json)
        print_json({{"report", report}, {"models", asked.size()}});
    else
        std::cout << "report: " << report << '\n';
}

}  // namespace

void add_reproduce(CLI::App& app, Common& common) {
    auto c = std::make_shared<ReproduceCommand>();
    auto* command =
        app.add_subcommand("reproduce", "The paper's study: trains its seven models, scores every fusion, reports");
    add_device(*command, common);
    add_precision(*command, common);
    command->add_option("--data", c->data,
                        "Folder of a dataset of two tasks; --scale quick makes one where none is given");
    command
        ->add_option("--out", c->out, "Folder of the study: report.html, report.md, scores.json, runs, masks, pictures")
        ->required();
    command->add_option("--scale", c->scale,
                        "full: as published; half: width 16, 128 pixels, 12 epochs; quick: width 8, 8 epochs")
        ->check(CLI::IsMember({"full", "half", "quick"}))->capture_default_str();
    command->add_flag("--resume", c->resume, "Goes on with the study in --out, given the same options");
    const auto names = [](const auto& list) {
        std::vector<std::string> result;
        for (const auto& item : list) result.push_back(item.name);
        return result;
    };
    command->add_option("--models", c->models, "Some of the recipes, as mtdn,unet-a2; all where none is given")
        ->delimiter(',')
        ->check(CLI::IsMember(names(mtdn::recipes())));
    std::string ablations = "Choices to look into, as clique,loss; no other models then but by --models:";
    for (const auto& ablation : mtdn::ablations()) ablations += "\n  " + ablation.name + ": " + ablation.summary;
    command->add_option("--ablation", c->ablations, ablations)
        ->delimiter(',')
        ->check(CLI::IsMember(names(mtdn::ablations())));
    const auto add = [&](const char* name, auto& value, const char* help) {
        command->add_option(name, value, help)->check(CLI::NonNegativeNumber);
    };
    add("--epochs", c->epochs, "Epochs of the Siamese models; 0: the scale's");
    add("--epoch-pairs", c->epoch_pairs, "Pairs between two validations; 0: all that there are");
    add("--clique", c->clique, "Siamese models learn from cliques of K frames; 0: from random pairs");
    add("--width", c->width, "Channels of the first level; 0: the scale's");
    add("--size", c->size, "Frames' longer side in training, pixels; 0: as they are; the scale's where not given");
    add("--minutes", c->minutes,
        "Each model stops after so many minutes, counted anew by --resume; 0: when it is done");
    add_palette(*command, c->palette);
    command->footer("Example: mtdn reproduce --scale quick --out study");
    command->callback([c, &common] { reproduce(*c, common); });
}
