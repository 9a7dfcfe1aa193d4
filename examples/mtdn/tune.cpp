// mtdn tune: random search with asynchronous successive halving, by any number of processes that share a folder.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <thread>

#include "search_folder.hpp"
#include "train_command.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/io/report.hpp>
#include <mtdn/view/plot.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;
using mtdn::Json;
using mtdn::SearchStep;

struct TuneCommand {
    TrainCommand train;  ///< what all trials share; its kept options are the search's
    mtdn::SearchSpace space;
    std::vector<double> rates{space.rate_low, space.rate_high};
    mtdn::HalvingOptions halving;
    int processes = 1;
    std::string palette;
};

/// A trial as it is shown.
struct Result {
    Index number = 0;
    mtdn::TrialOptions options{};
    std::vector<double> epochs{}, validation{};  ///< of its curve
    double best = std::nan(""), seconds = 0;
    Index best_epoch = -1;
    std::string state{};
};

std::string digits(const char* format, double value) {
    char text[32];
    std::snprintf(text, sizeof text, format, value);
    return std::isnan(value) ? "-" : text;
}

/// All trials, the best first.
std::vector<Result> results_of(const TuneCommand& c, const SearchFolder& search, const std::vector<Trial>& trials) {
    const auto rungs = static_cast<Index>(mtdn::search_rungs(c.halving).size());
    std::vector<Result> results;
    for (Index number = 0; number < c.halving.trials; ++number) {
        const auto& progress = trials[static_cast<std::size_t>(number)].progress;
        const auto& failure = trials[static_cast<std::size_t>(number)].failure;
        Result result{.number = number, .options = mtdn::draw_trial(c.space, c.train.options.seed, number)};
        if (const auto file = search.trial(number) / "curve.csv"; fs::exists(file)) {
            const auto curve = mtdn::read_csv(file);
            result.epochs = curve.numbers("epoch");
            result.validation = curve.numbers("validation");
            for (const double seconds : curve.numbers("seconds")) result.seconds += seconds;
        }
        for (std::size_t i = 0; i < result.epochs.size(); ++i)
            if (result.validation[i] > result.best || (result.best_epoch < 0 && !std::isnan(result.validation[i]))) {
                result.best = result.validation[i];
                result.best_epoch = static_cast<Index>(result.epochs[i]);
            }
        result.state = progress.begun == 0    ? "not begun"
                       : progress.running()   ? "running"
                       : !failure.empty()     ? "failed: " + failure
                       : progress.begun < rungs ? "stopped"
                                                : "whole training";
        results.push_back(std::move(result));
    }
    std::stable_sort(results.begin(), results.end(), [](const Result& a, const Result& b) {
        return a.best > b.best || (!std::isnan(a.best) && std::isnan(b.best));
    });
    return results;
}

std::vector<mtdn::Report::Row> table_of(const std::vector<Result>& results) {
    std::vector<mtdn::Report::Row> rows{
        {"trial", "rate", "batch", "width", "gamma", "fusion", "epochs", "best score", "in epoch", "seconds", "state"}};
    for (const auto& r : results)
        rows.push_back({std::to_string(r.number), digits("%.2e", r.options.rate), std::to_string(r.options.batch),
                        std::to_string(r.options.width), digits("%g", r.options.gamma), r.options.feature_fusion,
                        std::to_string(r.epochs.size()), digits("%.5f", r.best),
                        r.best_epoch < 0 ? "-" : std::to_string(r.best_epoch + 1), digits("%.0f", r.seconds), r.state});
    return rows;
}

/// Validation against epochs: the five best in colours, the best with points, all others grey.
mtdn::Picture plot_of(const std::vector<Result>& results, const mtdn::Palette& palette) {
    mtdn::PlotPanel panel{.title = "trials", .x_label = "epochs", .y_label = "score"};
    const auto add = [&](std::size_t k, const std::string& label, mtdn::Colour colour, bool points) {
        auto epochs = results[k].epochs;
        for (double& epoch : epochs) epoch += 1;
        panel.lines.push_back({label, epochs, results[k].validation, {}, colour, points});
    };
    const auto shown = std::min<std::size_t>(results.size(), 5);
    for (std::size_t k = shown; k < results.size(); ++k) add(k, "", {195, 195, 195}, false);
    for (std::size_t k = 0; k < shown; ++k)
        add(k, mtdn::concatenate("trial ", results[k].number, k == 0 ? ", best" : ""),
            k == 0 ? mtdn::black : palette.line(static_cast<Index>(k)), k == 0);
    return mtdn::plot({panel});
}

/// Writes trials.csv, plot.png and report.html; the caller holds the search, so that none is older than what it
/// replaces.
void write_results(const TuneCommand& c, const SearchFolder& search, const std::vector<Result>& results) {
    mtdn::CsvTable table{{"trial", "rate", "batch", "width", "gamma", "feature_fusion", "epochs", "best_validation",
                          "best_epoch", "seconds", "state"},
                         {}};
    for (const auto& r : results)
        table.rows.push_back(
            {std::to_string(r.number), mtdn::number_text(r.options.rate), std::to_string(r.options.batch),
             std::to_string(r.options.width), mtdn::number_text(r.options.gamma), r.options.feature_fusion,
             std::to_string(r.epochs.size()), std::isnan(r.best) ? "" : mtdn::number_text(r.best),
             r.best_epoch < 0 ? "" : std::to_string(r.best_epoch), mtdn::number_text(r.seconds), r.state});
    mtdn::write_csv(search.file("trials.csv"), table);
    mtdn::write_png(search.file("plot.png"), plot_of(results, mtdn::palette_named(c.palette)));
    mtdn::Report report("Search on " + c.train.data);
    report.text(mtdn::concatenate(c.halving.trials, " trials; everyone gets ", c.halving.grace, " epochs, one in ",
                                  c.halving.reduction, " goes on to ", c.halving.reduction, " times as many, up to ",
                                  c.halving.epochs, ". Seed ", c.train.options.seed, "."));
    report.table("Trials, the best first", table_of(results));
    report.picture("Validation score against epochs", search.file("plot.png"));
    mtdn::write_file(search.file("report.html"), report.html());
}

void print_results(const SearchFolder& search, const std::vector<Result>& results, bool as_json) {
    const auto& best = results.front();
    mtdn::require<mtdn::Error>(best.best_epoch >= 0, search.file("trials").string(), ": every trial failed; trial ",
                               best.number, " ", best.state);
    const auto model = (search.trial(best.number) / "best.safetensors").string();
    if (as_json) {
        Json json{
            {"model", model}, {"best_trial", best.number}, {"best_validation", best.best}, {"trials", Json::array()}};
        for (const auto& r : results) {
            Json row{{"trial", r.number},        {"rate", r.options.rate},
                     {"batch", r.options.batch}, {"width", r.options.width},
                     {"gamma", r.options.gamma}, {"feature_fusion", r.options.feature_fusion},
                     {"epochs", r.epochs.size()}};
            row["best_validation"] = r.best_epoch < 0 ? Json(nullptr) : Json(r.best);
            row["best_epoch"] = r.best_epoch < 0 ? Json(nullptr) : Json(r.best_epoch);
            row["seconds"] = r.seconds;
            row["state"] = r.state;
            json["trials"].push_back(std::move(row));
        }
        return print_json(json);
    }
    const auto rows = table_of(results);
    for (const auto& row : rows) {
        for (std::size_t column = 0; column + 1 < row.size(); ++column) {
            std::size_t width = 0;
            for (const auto& other : rows) width = std::max(width, other[column].size());
            std::cout << std::setw(static_cast<int>(width)) << row[column] << "  ";
        }
        std::cout << row.back() << '\n';
    }
    std::cout << "\nplot: " << search.file("plot.png").string() << "\nmodel: " << model << '\n';
}

/// Takes a trial to a rung, from where it was left; its best score so far, or why it failed.
std::pair<double, std::string> train_trial(const TuneCommand& c, const Machine& machine, const mtdn::Dataset& data,
                                           const fs::path& folder, const SearchFolder::Job& job) {
    const auto trial = mtdn::draw_trial(c.space, c.train.options.seed, job.step.trial);
    const Index until = mtdn::search_rungs(c.halving)[static_cast<std::size_t>(job.step.rung)];
    RunOptions run = c.train.run;
    run.folder = folder;
    run.resume = fs::exists(folder / "checkpoint.safetensors");
    run.until_epoch = until;
    auto model = c.train.model;
    model.width = trial.width;
    model.feature_fusion = trial.feature_fusion;
    auto options = c.train.options;
    options.rate = trial.rate;
    options.batch = trial.batch;
    options.loss.gamma = trial.gamma;
    const std::string name = mtdn::concatenate("trial ", job.step.trial, ": ");
    options.on_epoch = [&](const mtdn::EpochRecord& record) {
        std::cerr << mtdn::concatenate(name, "epoch ", record.epoch + 1, " of ", until,
                                       digits("  loss %.4f", record.loss),
                                       digits("  validation %.4f\n", record.validation));
    };
    std::cerr << mtdn::concatenate(name, job.left ? "left by a worker that is gone, taken up" : "sent", " to epoch ",
                                   until, "; rate ", digits("%.2e", trial.rate), ", batch ", trial.batch, ", width ",
                                   trial.width, ", gamma ", trial.gamma, ", ", trial.feature_fusion, '\n');
    mtdn::remove_temporary_files(folder);
    mtdn::write_json(folder / "trial.json", {{"trial", job.step.trial},
                                             {"rate", trial.rate},
                                             {"batch", trial.batch},
                                             {"width", trial.width},
                                             {"gamma", trial.gamma},
                                             {"feature_fusion", trial.feature_fusion}});
    auto network = make_network(model, machine, options.seed);
    double best = mtdn::failed_score;
    try {
        const fs::path init = c.train.init;
        if (!init.empty() && !run.resume)
            print_warnings(network->load_backbone(fs::is_directory(init) ? init / "best.safetensors" : init));
        for (const auto& record : network->train(data, options, run)) best = std::max(best, record.validation);
    } catch (const mtdn::IoError&) {
        throw;  // no fault of the trial: whoever runs the search again goes on with it
    } catch (const std::exception& error) {
        std::cerr << mtdn::concatenate(name, "failed: ", error.what(), '\n');
        return {mtdn::failed_score, error.what()};
    }
    return {best, std::isfinite(best) ? "" : "no validation score is finite"};
}

/// Works until the search is done; whether it was this worker who ended it, or who found nothing to do from the first.
bool work(const TuneCommand& c, const Machine& machine, const mtdn::Dataset& data, const SearchFolder& search) {
    using std::chrono::milliseconds;
    milliseconds pause{0};
    for (bool first = true;; first = false) {
        auto job = search.take();
        if (!job.given_up.empty()) {
            const auto held = search.lock();
            const auto trials = search.trials(held);
            for (const Index number : job.given_up)
                std::cerr << mtdn::concatenate("trial ", number, ": failed: ",
                                               trials[static_cast<std::size_t>(number)].failure, '\n');
            write_results(c, search, results_of(c, search, trials));
        }
        if (job.step.kind == SearchStep::Kind::finish) return first || !job.given_up.empty();
        if (job.step.kind == SearchStep::Kind::wait) {
            pause = std::clamp(2 * pause, milliseconds(50), milliseconds(2000));
            std::this_thread::sleep_for(pause);
            continue;
        }
        pause = milliseconds{0};
        std::pair<double, std::string> outcome;
        try {
            outcome = train_trial(c, machine, data, search.trial(job.step.trial), job);
        } catch (const std::exception&) {
            search.left(search.lock(), job);
            throw;
        }
        const auto& [score, failure] = outcome;
        const auto held = search.lock();
        search.reached(held, job, score, failure);
        write_results(c, search, results_of(c, search, search.trials(held)));
        if (search.next_step(held).kind == SearchStep::Kind::finish) return true;
    }
}

/// Works by several processes, and waits for them; whether this is the one that waited.
bool work_by_processes(const TuneCommand& c, const Machine& machine, const mtdn::Dataset& data,
                       const SearchFolder& search) {
    std::vector<pid_t> workers;
    for (int i = 0; i < c.processes; ++i) {
        const pid_t worker = ::fork();  // before any thread is begun; what was read is shared
        mtdn::require<mtdn::Error>(worker >= 0, "tune: fork failed: ", std::strerror(errno));
        if (worker == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // who ends the search ends its workers
            work(c, machine, data, search);
            return false;
        }
        workers.push_back(worker);
    }
    for (const pid_t worker : workers) {
        int status = 0;
        while (::waitpid(worker, &status, 0) < 0 && errno == EINTR) {}
        if (WIFSIGNALED(status))
            print_warnings({{mtdn::concatenate("worker ", worker, " was killed by signal ", WTERMSIG(status),
                                               "; the others go on with its trial")}});
    }
    return true;
}

/// Takes the options that were not given from the search that is in the folder; those that were must be the same.
void join(TuneCommand& c, Common& common, bool seed_given, const fs::path& file) {
    const Json begun = mtdn::parse_json_file(file);
    const auto same = [&](const std::string& name, const Json& saved, const Json& now) {
        mtdn::require<mtdn::OptionError>(saved == now, file.string(), ": the search was begun with ", name, " = ",
                                         mtdn::json_text(saved, -1), ", it cannot be joined with ",
                                         mtdn::json_text(now, -1));
    };
    try {
        for (auto& kept : c.train.kept)
            if (kept.option->count() == 0)
                kept.set(begun.at("options").at(kept.name));
            else
                same(kept.name, begun.at("options").at(kept.name), kept.get());
        if (seed_given) same("seed", begun.at("seed"), common.seed);
        common.seed = begun.at("seed").get<std::uint64_t>();
    } catch (const Json::exception& damage) {
        mtdn::fail<mtdn::DataError>(file.string(), ": damaged: ", damage.what());
    }
}

void tune(TuneCommand& c, Common& common, bool seed_given) {
    const fs::path file = fs::path(c.train.out) / "search.json";
    if (!c.train.data.empty()) c.train.data = fs::weakly_canonical(c.train.data).string();
    if (!c.train.init.empty()) c.train.init = fs::weakly_canonical(c.train.init).string();
    if (fs::exists(file)) join(c, common, seed_given, file);
    mtdn::require<mtdn::OptionError>(!c.train.data.empty(), "tune: --data is required, as ", c.train.out,
                                     " holds no search to join");
    c.space.rate_low = c.rates.front();
    c.space.rate_high = c.rates.back();
    mtdn::draw_trial(c.space, common.seed, 0);
    c.halving.epochs = c.train.options.epochs;
    mtdn::search_rungs(c.halving);
    const auto data = mtdn::read_dataset(c.train.data, {.only_tasks = c.train.tasks});
    print_warnings(data.warnings());
    require_training(data, c.train.data);
    mtdn::require<mtdn::DataError>(!data.tasks().empty(), c.train.data, ": no task has masks to learn from");
    mtdn::require<mtdn::DataError>(data.validation().size() > 0, c.train.data,
                                   ": there is no validation sequence to hold trials against");
    c.train.model.tasks = data.tasks();
    c.train.complete(common);

    const SearchFolder search(c.train.out, c.halving);
    {
        const auto held = search.lock();
        Json ours{{"seed", common.seed}};
        for (const auto& kept : c.train.kept) ours["options"][kept.name] = kept.get();
        if (!fs::exists(file)) mtdn::write_json(file, ours);
        mtdn::require<mtdn::OptionError>(mtdn::parse_json_file(file) == ours, file.string(),
                                         ": another worker has begun a search with other options meanwhile");
    }
    Machine machine = common.machine;
    if (machine.threads == 0 && c.processes > 1)
        machine.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / c.processes);
    if (!(c.processes > 1 ? work_by_processes : work)(c, machine, data, search)) return;
    const auto held = search.lock();
    mtdn::require<mtdn::Error>(search.next_step(held).kind == SearchStep::Kind::finish, c.train.out,
                               ": the search is not done, and no worker is left; the same command goes on with it");
    const auto results = results_of(c, search, search.trials(held));
    write_results(c, search, results);  // in this worker's palette, even where it found nothing to train
    print_results(search, results, common.json);
}

}  // namespace

void add_tune(CLI::App& app, Common& common) {
    auto c = std::make_shared<TuneCommand>();
    auto* command = app.add_subcommand(
        "tune",
        "Searches for rate, batch, width, gamma and fusion of features: random trials, of which the better ones go on");
    add_device(*command, common);
    command
        ->add_option("--out", c->train.out,
                     "Folder of the search, which all its workers share; one that holds a search is joined, "
                     "and options not given are as they were")
        ->required();
    command->add_option("--processes", c->processes, "Workers on this machine")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    add_palette(*command, c->palette);
    c->train.keep(*command, "trials", c->halving.trials, "Trials")->check(CLI::PositiveNumber);
    c->train.keep(*command, "grace", c->halving.grace, "Epochs that every trial gets")->check(CLI::PositiveNumber);
    c->train
        .keep(*command, "reduction", c->halving.reduction, "One trial in so many goes on, to so many times its epochs")
        ->check(CLI::Range(1.01, 1e6));
    c->train.keep(*command, "lr", c->rates, "Lowest and highest learning rate, log-uniform between")
        ->delimiter(',')
        ->expected(2)
        ->check(CLI::PositiveNumber);
    c->train.keep(*command, "batch", c->space.batch, "Pairs a step, one of these")
        ->delimiter(',')
        ->check(CLI::PositiveNumber);
    c->train.keep(*command, "width", c->space.width, "Channels of the first level, one of these")
        ->delimiter(',')
        ->check(CLI::PositiveNumber);
    c->train.keep(*command, "gamma", c->space.gamma, "Focusing exponent of the focal loss, one of these")
        ->delimiter(',')
        ->check(CLI::NonNegativeNumber);
    c->train
        .keep(*command, "feature-fusion", c->space.feature_fusion,
              "How two frames' features become one, one of these: concat, "
              "difference, absolute, product")
        ->delimiter(',')
        ->check(CLI::IsMember({"concat", "difference", "absolute", "product"}));
    add_training_options(*command, c->train, common);
    command->footer(
        "Example: mtdn tune --data film --out search --processes 2 --trials 12 --epochs 40 --grace 5 --width 8,16\n"
        "Over several machines: mpirun -n 8 mtdn tune ..., or that command in every job of an array.");
    command->callback([c, command, &common] { tune(*c, common, command->count("--seed") > 0); });
}
