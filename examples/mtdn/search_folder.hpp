#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <mtdn/experiment/search.hpp>
#include <mtdn/io/lock.hpp>

/// How far a trial is, and why it can go no further.
struct Trial {
    mtdn::TrialProgress progress{};
    std::string failure{};        ///< empty where there is none
    std::int64_t checkpoint = 0;  ///< when that was written which the last worker began with; 0: with none
    int workers = 0;              ///< that have begun with it, on this rung
};

/// The folder of a search, which is all that its workers share: processes of one machine, of `mpirun`, jobs of a
/// cluster.
///
/// Who may train a trial holds the lock of its folder, which the system takes from a process that ends. What has been
/// begun and reached is in `journal.jsonl`, a line each. It is read and written by who holds it, so that all see the
/// same, on NFS, too, where other files may be seen late.
class SearchFolder {
public:
    /// What a worker is to do; while it trains it holds the trial.
    struct Job {
        mtdn::SearchStep step{};
        bool left = false;  ///< by a worker that is gone
        std::optional<mtdn::FileLock> claim{};
        std::vector<mtdn::Index> given_up{};  ///< trials that have failed instead of being taken up
    };

    SearchFolder(std::filesystem::path folder, mtdn::HalvingOptions options);

    std::filesystem::path file(const std::string& name) const { return folder_ / name; }
    std::filesystem::path trial(mtdn::Index number) const;

    /// The right to read and to write; waits for it.
    mtdn::FileLock lock() const;
    /// All trials by number.
    std::vector<Trial> trials(const mtdn::FileLock& lock) const;
    mtdn::SearchStep next_step(const mtdn::FileLock& lock) const;
    /// Work, before all that which others have left. A trial that three workers have left, one after the other and none
    /// of them with a new checkpoint or a reason of their own, would kill a fourth as well: it has failed.
    Job take() const;
    /// The trial has reached the rung with this score, or has failed, and is let go.
    void reached(const mtdn::FileLock& lock, Job& job, double score, const std::string& failure) const;
    /// The worker goes for a reason that is none of the trial's.
    void left(const mtdn::FileLock& lock, const Job& job) const;

private:
    std::int64_t checkpoint_of(mtdn::Index trial) const;
    std::filesystem::path journal() const { return file("journal.jsonl"); }
    void append(const mtdn::FileLock& lock, const std::string& line) const;

    std::filesystem::path folder_;
    mtdn::HalvingOptions options_;
};
