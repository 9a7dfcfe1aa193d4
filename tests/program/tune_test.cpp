#include <algorithm>
#include <chrono>
#include <csignal>
#include <future>
#include <map>
#include <set>
#include <sstream>

#include "program/program.hpp"

#include <mtdn/io/csv.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/view/palette.hpp>

using namespace mtdn;
using namespace mtdn::testing;

namespace {

std::string search(const std::string& out, const std::string& more) {
    return "tune --data " + film().data + " --out " + out + " --depth 2 --channels 1 --threads 1 --seed 5 " + more;
}

/// A trial that is being trained, and the process that does; number −1 where there is none.
struct Running {
    Index trial = -1;
    pid_t process = 0;
};

Running running_in(const std::filesystem::path& folder) {
    std::map<Index, pid_t> begun;
    std::istringstream journal(text_of(folder / "journal.jsonl"));
    for (std::string line; std::getline(journal, line) && !journal.eof();) {
        const auto json = parse_json(line, "journal");
        const auto trial = json["trial"].get<Index>();
        begun.erase(trial);
        if (const auto who = json.value("begun", ""); !who.empty())
            begun[trial] = std::stoi(who.substr(who.rfind(' ')));
    }
    for (const auto& [trial, process] : begun) {
        const auto curve = text_of(folder / "trials" / ("00" + std::to_string(trial)) / "curve.csv");
        // A heading and two epochs: there is a checkpoint behind the first.
        if (std::count(curve.begin(), curve.end(), '\n') >= 3) return {trial, process};
    }
    return {};
}

/// A curve without its times: rate, loss and validation of every epoch.
std::vector<std::vector<double>> curve_of(const std::filesystem::path& run) {
    const auto table = read_csv(run / "curve.csv");
    return {table.numbers("epoch"), table.numbers("rate"), table.numbers("loss"), table.numbers("validation")};
}

}  // namespace

TEST_CASE("two workers search; one is killed, and the other takes up its trial where it was") {
    const Scratch scratch;
    const auto out = (scratch / "search").string();
    const auto command =
        search(out, "--trials 5 --epochs 16 --grace 4 --width 4,8 --gamma 0,2 --feature-fusion concat,product");
    auto run = std::async(std::launch::async, [&] { return mtdn_run(scratch, command + " --processes 2"); });
    Running victim;
    while (victim.trial < 0 && run.wait_for(std::chrono::milliseconds(5)) == std::future_status::timeout)
        victim = running_in(out);
    if (victim.trial >= 0) ::kill(victim.process, SIGKILL);
    const auto first = run.get();
    INFO(first.err);
    REQUIRE(victim.trial >= 0);
    REQUIRE(first.status == 0);
    CHECK(first.err.find("worker " + std::to_string(victim.process) + " was killed by signal 9") != std::string::npos);
    CHECK(first.err.find("left by a worker that is gone, taken up") != std::string::npos);
    const auto first_epoch = "trial " + std::to_string(victim.trial) + ": epoch 1 of ";
    CHECK(first.err.find(first_epoch) == first.err.rfind(first_epoch));  // none is learned twice

    const auto trials = read_csv(std::filesystem::path(out) / "trials.csv");
    REQUIRE(trials.rows.size() == 5);
    const auto epochs = trials.numbers("epochs");
    CHECK(std::count(epochs.begin(), epochs.end(), 16) >= 1);
    for (const double count : epochs) CHECK((count == 4 || count == 8 || count == 16));
    for (const auto& row : trials.rows) CHECK((row.back() == "stopped" || row.back() == "whole training"));
    for (const char* name : {"/plot.png", "/report.html"}) CHECK(std::filesystem::file_size(out + name) > 1000);

    // The trial that was left has learned what it would have learned in one go.
    const auto folder = std::filesystem::path(out) / "trials" / ("00" + std::to_string(victim.trial));
    const auto trial = parse_json(text_of(folder / "trial.json"), "trial.json");
    std::string whole = "train --data " + film().data + " --out " + (scratch / "whole").string() +
                        " --depth 2 --channels 1 --threads 1 --seed 5 --epochs 16";
    for (const auto& [option, key] :
         std::map<std::string, std::string>{{"lr", "rate"}, {"batch", "batch"}, {"width", "width"}, {"gamma", "gamma"}})
        whole += " --" + option + " " + json_text(trial[key], -1);
    REQUIRE(mtdn_run(scratch, whole + " --feature-fusion " + trial["feature_fusion"].get<std::string>()).status == 0);
    auto expected = curve_of(scratch / "whole");
    const auto found = curve_of(folder);
    REQUIRE(found[0].size() >= 4);
    for (auto& column : expected) column.resize(found[0].size());
    CHECK(found == expected);

    // Whoever joins need say no more than where, and in which colours; what else is said must be the same.
    const auto second = Palette{}.line(1);  // the best trial is black
    CHECK(count(read_png(out + "/plot.png"), second) > 0);
    const auto again = mtdn_run(scratch, "tune --json --palette okabe-ito --out " + out);
    REQUIRE(again.status == 0);
    const auto plot = read_png(out + "/plot.png");
    CHECK(count(plot, second) == 0);
    CHECK(count(plot, colour_blind_safe_palette().line(1)) > 0);
    const auto json = parse_json(again.out, "tune");
    CHECK(json["trials"].size() == 5);
    CHECK(std::filesystem::exists(json["model"].get<std::string>()));
    CHECK(first.out.find(json["model"].get<std::string>()) != std::string::npos);
    const auto other = mtdn_run(scratch, "tune --epochs 24 --out " + out);
    CHECK(other.status == 2);
    CHECK(other.err.find("begun with epochs = 16, it cannot be joined with 24") != std::string::npos);
    CHECK(mtdn_run(scratch, "tune --out " + (scratch / "nothing").string()).err.find("holds no search to join") !=
          std::string::npos);
}

TEST_CASE("processes that mpirun starts share one search, and one of them shows it") {
    if (std::system("command -v mpirun > /dev/null 2>&1") != 0) {
        WARN("skipped: there is no mpirun");
        return;
    }
    const Scratch scratch;
    const auto out = (scratch / "search").string();
    const auto run = mtdn_run(scratch, search(out, "--trials 4 --epochs 2 --grace 1 --width 4"),
                              "mpirun --allow-run-as-root --oversubscribe -n 3 ");
    INFO(run.err);
    REQUIRE(run.status == 0);
    const auto journal = text_of(out + "/journal.jsonl");
    std::set<std::string> workers;
    for (auto at = journal.find("begun\":\""); at != std::string::npos; at = journal.find("begun\":\"", at + 1))
        workers.insert(journal.substr(at, journal.find('}', at) - at));
    CHECK(workers.size() == 3);
    CHECK(run.out.find("model: ") != std::string::npos);
    CHECK(run.out.find("model: ") == run.out.rfind("model: "));
}

TEST_CASE(
    "a trial that has killed three workers without a checkpoint has failed, and one that has killed two goes on") {
    const Scratch scratch;
    const auto out = scratch / "search";
    for (const char* trial : {"000", "001"}) std::filesystem::create_directories(out / "trials" / trial);
    std::string journal;
    for (const int trial : {0, 1, 0, 1, 0})
        journal += "{\"trial\":" + std::to_string(trial) + ",\"rung\":0,\"begun\":\"elsewhere 1\",\"checkpoint\":0}\n";
    scratch.put("search/journal.jsonl", journal);
    const auto run = mtdn_run(scratch, search(out.string(), "--trials 3 --epochs 1 --grace 1 --width 4"));
    INFO(run.err);
    REQUIRE(run.status == 0);
    CHECK(run.err.find("trial 0: failed: 3 workers have ended before its next checkpoint") != std::string::npos);
    CHECK(run.err.find("trial 1: left by a worker that is gone, taken up") != std::string::npos);
    const auto trials = read_csv(out / "trials.csv");
    CHECK(trials.rows.back()[0] == "0");
    CHECK(trials.rows.back().back().starts_with("failed: 3 workers"));
}

TEST_CASE("a trial that cannot be trained is told with its reason, and the others go on") {
    const Scratch scratch;
    const auto out = (scratch / "search").string();
    // Of cliques of two frames, batches are multiples of four.
    const auto some =
        mtdn_run(scratch, search(out, "--trials 4 --epochs 1 --grace 1 --width 4 --clique 2 --batch 4,6,10"));
    INFO(some.out << some.err);
    REQUIRE(some.status == 0);
    CHECK(some.out.find("whole training") != std::string::npos);
    CHECK(some.out.find("failed: ") != std::string::npos);
    const auto all =
        mtdn_run(scratch, search(out + "2", "--trials 2 --epochs 1 --grace 1 --width 4 --clique 2 --batch 6"));
    CHECK(all.status == 1);
    CHECK(all.err.find("every trial failed; trial 0 failed: ") != std::string::npos);
}
