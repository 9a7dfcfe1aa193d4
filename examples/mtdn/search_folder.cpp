#include "search_folder.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include <mtdn/io/json.hpp>

using mtdn::FileLock;
using mtdn::Index;
using mtdn::Json;
using mtdn::SearchStep;

namespace {

std::string this_process() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return mtdn::concatenate(host.data(), " ", ::getpid());
}

std::vector<mtdn::TrialProgress> progress_of(const std::vector<Trial>& trials) {
    std::vector<mtdn::TrialProgress> progress;
    for (const auto& trial : trials) progress.push_back(trial.progress);
    return progress;
}

}  // namespace

SearchFolder::SearchFolder(std::filesystem::path folder, mtdn::HalvingOptions options)
    : folder_(std::move(folder)), options_(options) {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    mtdn::require<mtdn::IoError>(!error, folder_.string(), ": create failed: ", error.message());
}

std::filesystem::path SearchFolder::trial(Index number) const {
    char name[24];
    std::snprintf(name, sizeof name, "%03td", number);
    return folder_ / "trials" / name;
}

FileLock SearchFolder::lock() const { return FileLock(journal()); }

std::vector<Trial> SearchFolder::trials(const FileLock& lock) const {
    std::vector<Trial> trials(static_cast<std::size_t>(options_.trials));
    auto text = mtdn::read_text(journal());
    const auto whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
    if (whole < text.size() && ::ftruncate(lock.descriptor(), static_cast<off_t>(whole)) != 0)  // its writer was killed
        mtdn::detail::fail_file(journal(), "truncate", errno);
    Index number = 0;
    for (std::size_t at = 0; at < whole;) {
        const auto end = text.find('\n', at);
        const auto name = mtdn::concatenate(journal().string(), ", line ", ++number);
        const Json line = mtdn::parse_json(std::string_view(text).substr(at, end - at), name);
        at = end + 1;
        try {
            auto& trial = trials.at(line.at("trial").get<std::size_t>());
            if (line.contains("begun")) {
                const auto checkpoint = line.value("checkpoint", std::int64_t{0});
                trial.workers = trial.progress.running() && checkpoint == trial.checkpoint ? trial.workers + 1 : 1;
                trial.checkpoint = checkpoint;
                trial.progress.begun = line.at("rung").get<Index>() + 1;
                continue;
            }
            if (line.contains("left")) {
                trial.workers = 0;
                continue;
            }
            trial.failure = line.value("failed", "");
            trial.progress.scores.push_back(trial.failure.empty() ? line.at("score").get<double>()
                                                                  : mtdn::failed_score);
        } catch (const std::exception& damage) {
            mtdn::fail<mtdn::DataError>(name, ": damaged: ", damage.what());
        }
    }
    return trials;
}

SearchStep SearchFolder::next_step(const FileLock& lock) const {
    return mtdn::next_step(progress_of(trials(lock)), options_);
}

SearchFolder::Job SearchFolder::take() const {
    constexpr int most_workers = 3;
    const auto held = lock();
    std::vector<Index> given_up;
    const auto begin = [&](const SearchStep& step, bool left, std::optional<FileLock> claim) {
        append(held, mtdn::json_text({{"trial", step.trial},
                                      {"rung", step.rung},
                                      {"checkpoint", checkpoint_of(step.trial)},
                                      {"begun", this_process()}}, -1));
        return Job{step, left, std::move(claim), std::move(given_up)};
    };
    const auto all = trials(held);
    for (Index number = 0; number < options_.trials; ++number) {
        const auto& at = all[static_cast<std::size_t>(number)];
        if (!at.progress.running()) continue;
        auto claim = FileLock::try_lock(trial(number) / "lock");
        if (!claim) continue;
        const SearchStep step{SearchStep::Kind::train, number, at.progress.begun - 1};
        if (at.workers < most_workers || at.checkpoint != checkpoint_of(number))
            return begin(step, true, std::move(claim));
        Job job{step, true, std::move(claim)};
        reached(held, job, mtdn::failed_score,
                mtdn::concatenate(at.workers,
                                  " workers have ended before its next checkpoint; is there memory enough for it?"));
        given_up.push_back(number);
    }
    const auto step = next_step(held);
    if (step.kind != SearchStep::Kind::train) return {step, false, {}, std::move(given_up)};
    std::filesystem::create_directories(trial(step.trial));
    auto claim = FileLock::try_lock(trial(step.trial) / "lock");
    // Held by a machine that has vanished and that the file server still waits for.
    if (!claim) return {{}, false, {}, std::move(given_up)};
    return begin(step, false, std::move(claim));
}

std::int64_t SearchFolder::checkpoint_of(Index number) const {
    std::error_code missing;
    const auto written = std::filesystem::last_write_time(trial(number) / "checkpoint.safetensors", missing);
    return missing ? 0 : static_cast<std::int64_t>(written.time_since_epoch().count());
}

void SearchFolder::reached(const FileLock& lock, Job& job, double score, const std::string& failure) const {
    Json line{{"trial", job.step.trial}, {"rung", job.step.rung}};
    if (failure.empty())
        line["score"] = score;
    else
        line["failed"] = failure;
    append(lock, mtdn::json_text(line, -1));
    job.claim.reset();  // before another can be sent to the next rung
}

void SearchFolder::left(const FileLock& lock, const Job& job) const {
    append(lock, mtdn::json_text({{"trial", job.step.trial}, {"rung", job.step.rung}, {"left", this_process()}}, -1));
}

void SearchFolder::append(const FileLock& lock, const std::string& text) const {
    const std::string line = text + '\n';
    const auto written = ::write(lock.descriptor(), line.data(), line.size());
    if (written < 0) mtdn::detail::fail_file(journal(), "write", errno);
    mtdn::require<mtdn::IoError>(written == static_cast<ssize_t>(line.size()), journal().string(),
                                 ": write failed: the disk is full");
    if (::fsync(lock.descriptor()) != 0) mtdn::detail::fail_file(journal(), "fsync", errno);
}
