#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "ranks.hpp"
#include "train_command.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/experiment/progress.hpp>
#include <mtdn/experiment/recipe.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;
using mtdn::Json;

void begin_with(TrainCommand& c, const mtdn::Recipe& recipe) {
    c.model = recipe.model;
    c.tasks = recipe.model.tasks;
    c.options = recipe.options;
}

// What is of one training alone.
void add_run_options(CLI::App& command, TrainCommand& c) {
    command.add_option("--out", c.out, "Folder of the run")->required();
    command.add_flag("--resume", c.resume, "Goes on with the run in --out; options not given are as they were");
    std::vector<std::string> names;
    std::string recipes = "A published recipe; options given beside it come first:";
    for (const auto& recipe : mtdn::recipes()) {
        names.push_back(recipe.name);
        recipes += "\n  " + recipe.name + ": " + recipe.summary;
    }
    c.keep(command, "recipe", c.recipe, recipes)
        ->check(CLI::IsMember(names))
        ->trigger_on_parse()  // before other options are stored, so that these come first
        ->each([&c](const std::string& name) { begin_with(c, mtdn::recipe(name)); });
    c.keep(command, "width", c.model.width, "Channels of the first level")->check(CLI::PositiveNumber);
    c.keep(command, "feature-fusion", c.model.feature_fusion, "How two frames' features become one")
        ->check(CLI::IsMember({"concat", "difference", "absolute", "product"}));
    c.keep(command, "minutes", c.minutes, "Stops after so many minutes; 0: when it is done")
        ->check(CLI::NonNegativeNumber);
    c.keep(command, "batch", c.options.batch, "Pairs a step; of a single-frame model frames, 4 unless given")
        ->check(CLI::PositiveNumber);
    c.keep(command, "lr", c.options.rate, "Learning rate of the first epoch")->check(CLI::PositiveNumber);
    c.keep(command, "gamma", c.options.loss.gamma, "Focal loss: focusing exponent")->check(CLI::NonNegativeNumber);
}

}  // namespace

void add_training_options(CLI::App& command, TrainCommand& c, Common& common) {
    c.keep(command, "data", c.data, "Folder of the dataset");
    c.keep(command, "init", c.init, "Begins with the backbone of these weights, or of the best of this run's folder");
    c.keep(command, "model", c.model.model, "siamese: compares frames; single-frame: segments each by itself")
        ->check(CLI::IsMember({"siamese", "single-frame"}));
    c.keep(command, "backbone", c.model.backbone, "Backbone")->check(CLI::IsMember({"unet", "residual"}));
    c.keep(command, "depth", c.model.depth, "Number of halvings")->check(CLI::Range(1, 10));
    c.keep(command, "channels", c.model.in_channels, "Channels that a grey frame is copied to")
        ->check(CLI::PositiveNumber);
    c.keep(command, "size", c.model.size, "Frames' longer side in training, pixels; 0: as they are")
        ->check(CLI::NonNegativeNumber);
    c.keep(command, "tasks", c.tasks, "Tasks, as A1,A2; all of the dataset's where not given")->delimiter(',');
    c.keep(command, "epochs", c.options.epochs, "Epochs at most")->check(CLI::PositiveNumber);
    c.keep(command, "epoch-pairs", c.options.epoch_pairs, "Pairs between two validations; 0: all that there are")
        ->check(CLI::NonNegativeNumber);
    c.keep(command, "schedule", c.options.schedule, "Learning rate over the epochs")
        ->check(CLI::IsMember({"constant", "linear", "cosine", "step"}));
    c.keep(command, "warm-up", c.options.warm_up, "Epochs over which the rate rises")->check(CLI::NonNegativeNumber);
    c.keep(command, "optimizer", c.options.optimizer, "Optimizer")->check(CLI::IsMember({"adamw", "sgd"}));
    c.keep(command, "weight-decay", c.options.weight_decay, "Weight decay")->check(CLI::NonNegativeNumber);
    c.keep(command, "clip", c.options.clip, "Largest norm of the gradient; 0: any")->check(CLI::NonNegativeNumber);
    c.keep(command, "ema", c.options.ema,
           "Decay a step of a moving average of the weights, which is then what is validated and kept; 0: none")
        ->check(CLI::Range(0.0, 0.99999));
    c.keep(command, "deep-supervision", c.options.deep_supervision,
           "Adds the loss of heads at the decoder's coarser levels, this / 2^l times at level l = 1, 2, ...; 0: none")
        ->check(CLI::NonNegativeNumber);
    c.keep(command, "pairs", c.options.pairs, "Pair policy")
        ->check(CLI::IsMember({"unordered", "unordered_self", "ordered", "ordered_self"}));
    c.keep(command, "clique", c.options.clique, "Cliques of K frames instead of random pairs; 0: pairs")
        ->check(CLI::NonNegativeNumber);
    c.keep(command, "loss", c.options.loss.name,
           "focal, cross-entropy, dice, tversky, or several joined by +, with weights as in focal+dice:0.5; "
           "tversky:1:0.3:0.7 is of weight 1, counts false positives 0.3 and false negatives 0.7")
        ->check([](const std::string& text) {
            try {
                mtdn::loss_terms(text);
            } catch (const mtdn::OptionError& error) {
                return std::string(error.what());
            }
            return std::string();
        });
    c.keep(command, "beta", c.options.loss.beta, "Class weights (total / count)^beta; 0: none")
        ->check(CLI::NonNegativeNumber);
    c.keep(command, "batch-norm", c.batch_norm, "Where batch statistics come from")
        ->check(CLI::IsMember({"branch", "stacked", "frozen"}));
    c.keep(command, "kept", c.kept_as, "What waits for the way back; bf16 takes less memory")
        ->check(CLI::IsMember({"single", "bf16"}));
    c.keep(command, "frozen-epochs", c.options.frozen_epochs, "The first so many epochs leave the backbone as it is")
        ->check(CLI::NonNegativeNumber);
    c.keep(command, "no-augmentation", c.no_augmentation, "true: frames as they are");
    c.keep(command, "patience", c.options.patience, "Epochs without a better score before it stops; 0: never")
        ->check(CLI::NonNegativeNumber);
    c.keep(command, "precision", common.machine.precision, precision_help)
        ->check(CLI::IsMember({"single", "bf16", "tf32", "tf32x3"}));
    c.keep(command, "tensorboard", c.run.tensorboard,
           "true: writes its curves to tensorboard/ as TensorBoard reads them, too");
    c.keep(command, "checkpoint-seconds", c.run.checkpoint_seconds, "A checkpoint at least so often")
        ->check(CLI::NonNegativeNumber);
}

void require_training(const mtdn::Dataset& data, const std::string& folder) {
    if (!data.train().empty()) return;
    const bool described = fs::exists(fs::path(folder) / mtdn::DatasetOptions{}.manifest);
    mtdn::fail<mtdn::DataError>(
        folder, ": there is no sequence to train on: ",
        described ? "dataset.json gives none the split train; expected"
                  : "without a dataset.json all are of split test; write one (`mtdn info` shows one for it) with",
        " \"sequences\": {\"", data.sequences().front().name, "\": {\"split\": \"train\"}, …}");
}

namespace {

void take_up(TrainCommand& c, Common& common) {
    if (c.run.writes) mtdn::remove_temporary_files(c.out);
    const Json saved = mtdn::parse_json_file(fs::path(c.out) / "run.json");
    try {
        for (auto& kept : c.kept)
            // One that is not there is of later than the run, which has been as where it is not given.
            if (const Json& options = saved.at("options"); kept.option->count() == 0 && options.contains(kept.name))
                kept.set(options[kept.name]);
        common.seed = saved.at("seed").get<std::uint64_t>();
    } catch (const Json::exception& damage) {
        mtdn::fail<mtdn::DataError>((fs::path(c.out) / "run.json").string(), ": damaged: ", damage.what());
    }
}

void begin(const TrainCommand& c, const Common& common) {
    std::error_code error;
    mtdn::require<mtdn::IoError>(!fs::exists(fs::path(c.out) / "run.json", error), c.out,
                                 ": holds a run already; go on with it by --resume, or name another folder");
    fs::create_directories(c.out, error);
    mtdn::require<mtdn::IoError>(!error, c.out, ": create failed: ", error.message());
    Json options;
    for (const auto& kept : c.kept) options[kept.name] = kept.get();
    options["data"] = fs::absolute(c.data).string();
    if (!c.init.empty()) options["init"] = fs::absolute(c.init).string();
    mtdn::write_json(fs::path(c.out) / "run.json", {{"seed", common.seed}, {"options", std::move(options)}});
}

// Ranks of one machine share its processors, and have a GPU each.
void settle(const Ranks& ranks, Machine& machine) {
    machine.gpu = ranks.local_rank;
    if (machine.threads > 0 || ranks.local_size == 1) return;
    const auto share = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)) / ranks.local_size;
    // Fewer where mpirun has bound the process to some.
    machine.threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, std::max(1, share));
}

void train(TrainCommand& c, Common& common, const Ranks& ranks) {
    c.options.ranks = ranks.all;
    c.run.writes = ranks.all.rank() == 0;
    settle(ranks, common.machine);
    if (!c.model.is_siamese() && c.recipe.empty() && !c.given("batch")) c.options.batch = 4;  // as published
    if (c.resume) take_up(c, common);
    mtdn::require<mtdn::OptionError>(!c.data.empty(), "train: --data is required");
    if (const auto& from = c.recipe.empty() ? std::string() : mtdn::recipe(c.recipe).init; !from.empty())
        mtdn::require<mtdn::OptionError>(!c.init.empty(), "train: the recipe ", c.recipe, " begins from a run of ",
                                         from, "; name it by --init");
    const auto data = mtdn::read_dataset(c.data, {.only_tasks = c.tasks});
    if (c.run.writes) print_warnings(data.warnings());
    require_training(data, c.data);
    c.model.tasks = data.tasks();
    mtdn::require<mtdn::DataError>(!c.model.tasks.empty(), c.data, ": no task has masks to learn from");
    c.complete(common);
    c.options.progress = mtdn::print_progress;
    auto network = make_network(c.model, common.machine, common.seed);
    // Where it was stopped before its first checkpoint, it begins anew.
    const bool goes_on = c.resume && fs::exists(fs::path(c.out) / "checkpoint.safetensors");
    if (!c.init.empty() && !goes_on) {
        const auto warnings =
            network->load_backbone(fs::is_directory(c.init) ? fs::path(c.init) / "best.safetensors" : fs::path(c.init));
        if (c.run.writes) print_warnings(warnings);
    }
    if (c.run.writes) {
        const auto others = ranks.all.size() > 1 ? mtdn::concatenate(", ", ranks.all.size(), " ranks") : "";
        std::cerr << mtdn::concatenate(c.model.backbone, ", ", network->parameter_count(), " parameters, ",
                                       network->device(), others, '\n');
        if (!c.resume) begin(c, common);
    }
    c.run.folder = c.out;
    c.run.resume = goes_on;
    const auto curve = network->train(data, c.options, c.run);
    if (!c.run.writes) return;

    double best = -1;
    Index best_epoch = -1;
    for (const auto& record : curve)
        if (record.validation > best) {
            best = record.validation;
            best_epoch = record.epoch;
        }
    const auto file = (fs::path(c.out) / "best.safetensors").string();
    if (common.json) {
        Json json{{"model", file}, {"parameters", network->parameter_count()}, {"epochs", curve.size()}};
        json["best_epoch"] = best_epoch < 0 ? Json(nullptr) : Json(best_epoch);
        json["best_validation"] = best_epoch < 0 ? Json(nullptr) : Json(best);
        json["loss"] = curve.empty() ? Json(nullptr) : Json(curve.back().loss);
        return print_json(json);
    }
    std::cout << curve.size() << " epochs";
    if (best_epoch >= 0) std::cout << ", best validation score " << best << " in epoch " << best_epoch + 1;
    std::cout << "\nmodel: " << file << '\n';
}

}  // namespace

void add_train(CLI::App& app, Common& common) {
    auto options = std::make_shared<TrainCommand>();
    auto* command = app.add_subcommand("train", "Trains a model on a dataset's training sequences");
    add_device(*command, common);
    add_run_options(*command, *options);
    add_training_options(*command, *options, common);
    command->footer("Example: mtdn train --data film --out runs/film --width 16 --size 128 --epochs 20\n"
                    "By several processes: mpirun -n 4 mtdn train ...");
    command->callback([options, &common] {
        const Ranks ranks = join_ranks();
        try {
            train(*options, common, ranks);
        } catch (const std::exception& error) {
            if (!ranks.end) throw;
            // The others would wait for this one. The line goes out whole, as they may write one too.
            std::cerr << mtdn::concatenate("mtdn: rank ", ranks.all.rank(), " of ", ranks.all.size(), ": ",
                                           error.what(), '\n');
            ranks.end(dynamic_cast<const mtdn::OptionError*>(&error) ? 2 : 1);
        }
    });
}
