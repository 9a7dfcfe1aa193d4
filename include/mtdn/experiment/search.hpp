#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/random.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// What a random search draws from; the defaults are what was published.
///
/// @source paper §2.4
struct SearchSpace {
    double rate_low = 1e-5, rate_high = 1e-2;          ///< learning rate, its logarithm uniform
    std::vector<Index> batch{4, 8, 16};                ///< pairs a step
    std::vector<Index> width{32};                      ///< channels of the first level
    std::vector<double> gamma{2};                      ///< focusing exponent of the focal loss
    std::vector<std::string> feature_fusion{"concat"};  ///< as `feature_fusion` takes them
};

/// What one trial of a search has of its own.
struct TrialOptions {
    double rate = 0;
    Index batch = 0;
    Index width = 0;
    double gamma = 0;
    std::string feature_fusion{};
};

/// The options of trial `number`: a function of (space, seed, number) alone, so that any process can draw any trial.
/// Each option has a stream of its own: what is drawn of one does not depend on what the others are drawn from.
///
/// @throws OptionError if there is nothing to draw from
inline TrialOptions draw_trial(const SearchSpace& space, std::uint64_t seed, Index number) {
    require<OptionError>(space.rate_low > 0 && space.rate_low <= space.rate_high && std::isfinite(space.rate_high),
                         "draw_trial: learning rates must be positive and rising, got ", space.rate_low, " to ",
                         space.rate_high);
    const auto stream = [&](std::string_view purpose) {
        return Random(seed, purpose, 0, static_cast<std::uint64_t>(number));
    };
    const auto one_of = [&](const auto& values, const char* name, std::string_view purpose) {
        require<OptionError>(!values.empty(), "draw_trial: nothing to draw the ", name, " from");
        return values[static_cast<std::size_t>(stream(purpose).below(static_cast<Index>(values.size())))];
    };
    const double rate = std::exp(stream("search rate").uniform(std::log(space.rate_low), std::log(space.rate_high)));
    return {.rate = std::clamp(rate, space.rate_low, space.rate_high),  // exp(log(x)) may be a rounding beside x
            .batch = one_of(space.batch, "batch", "search batch"),
            .width = one_of(space.width, "width", "search width"),
            .gamma = one_of(space.gamma, "gamma", "search gamma"),
            .feature_fusion = one_of(space.feature_fusion, "fusion of features", "search feature fusion")};
}

/// How asynchronous successive halving spends epochs; the defaults are what was published.
///
/// @source Li et al. 2020, "A system for massively parallel hyperparameter tuning", Algorithm 2; paper §2.4
struct HalvingOptions {
    Index trials = 100;    ///< that are begun
    Index epochs = 500;    ///< of a whole training
    Index grace = 10;      ///< epochs that every trial gets
    double reduction = 2;  ///< η: one in so many is promoted from a rung, to η times its epochs
};

/// Epochs at which trials are held against each other: grace, grace·η, grace·η² …, and last all epochs.
///
/// @throws OptionError
inline std::vector<Index> search_rungs(const HalvingOptions& options) {
    require<OptionError>(options.trials > 0 && options.grace > 0 && options.epochs > 0 && options.reduction > 1,
                         "search_rungs: expected positive trials, grace and epochs and a reduction above 1, got ",
                         options.trials, ", ", options.grace, ", ", options.epochs, " and ", options.reduction);
    std::vector<Index> rungs;
    for (auto epochs = static_cast<double>(options.grace); epochs < static_cast<double>(options.epochs);) {
        const auto rung = static_cast<Index>(std::llround(epochs));
        if (rung < options.epochs && (rungs.empty() || rung > rungs.back())) rungs.push_back(rung);
        epochs *= options.reduction;
    }
    rungs.push_back(options.epochs);
    return rungs;
}

/// The score of a trial that cannot go on.
inline constexpr double failed_score = -std::numeric_limits<double>::infinity();

/// How far a trial is.
struct TrialProgress {
    Index begun = 0;                ///< rungs that it has been sent to
    std::vector<double> scores{};   ///< at those that it has reached, greater is better; `failed_score` where it failed

    bool running() const { return begun > static_cast<Index>(scores.size()); }
};

/// What a worker without work is to do.
struct SearchStep {
    enum class Kind : std::uint8_t {
        train,   ///< take the trial to the rung
        wait,    ///< the trials that are running will decide
        finish,  ///< the search is done
    };
    Kind kind = Kind::wait;
    Index trial = -1, rung = -1;
};

/// The next step of an asynchronous successive halving, a function of what has been begun and reached so far.
///
/// From the highest rung that has one, the best trial is promoted that is among the best ⌊n/η⌋ of the n that have
/// reached the rung, and has not been promoted yet; where there is none, the next trial is begun. When nothing else is
/// left, the best trial of the highest rung goes on, so that every search ends with a whole training. Of equal scores
/// the lower number's is the better; who has failed is counted, and never promoted.
///
/// @param trials by number, as many as `options.trials`
inline SearchStep next_step(std::span<const TrialProgress> trials, const HalvingOptions& options) {
    using Kind = SearchStep::Kind;
    require<OptionError>(static_cast<Index>(trials.size()) == options.trials, "next_step: expected ", options.trials,
                         " trials, got ", trials.size());
    const auto rungs = static_cast<Index>(search_rungs(options).size());
    const auto at = [&](Index trial) -> const TrialProgress& { return trials[static_cast<std::size_t>(trial)]; };
    // Those that have reached a rung, the best first.
    const auto reached = [&](Index rung) {
        std::vector<Index> found;
        for (Index trial = 0; trial < options.trials; ++trial)
            if (static_cast<Index>(at(trial).scores.size()) > rung) found.push_back(trial);
        const auto score = [&](Index trial) {
            const double reached_score = at(trial).scores[static_cast<std::size_t>(rung)];
            return std::isnan(reached_score) ? failed_score : reached_score;
        };
        std::stable_sort(found.begin(), found.end(), [&](Index a, Index b) { return score(a) > score(b); });
        return found;
    };
    const auto promotable = [&](Index trial, Index rung) {
        return at(trial).begun == rung + 1 && at(trial).scores[static_cast<std::size_t>(rung)] > failed_score;
    };
    for (Index rung = rungs - 2; rung >= 0; --rung) {
        auto best = reached(rung);
        best.resize(static_cast<std::size_t>(std::floor(static_cast<double>(best.size()) / options.reduction)));
        for (const Index trial : best)
            if (promotable(trial, rung)) return {Kind::train, trial, rung + 1};
    }
    for (Index trial = 0; trial < options.trials; ++trial)
        if (at(trial).begun == 0) return {Kind::train, trial, 0};
    if (std::any_of(trials.begin(), trials.end(), [](const TrialProgress& trial) { return trial.running(); }))
        return {Kind::wait, -1, -1};
    for (Index rung = rungs - 1; rung >= 0; --rung)
        for (const Index trial : reached(rung)) {
            if (rung == rungs - 1 && at(trial).scores.back() > failed_score) return {Kind::finish, -1, -1};
            if (rung < rungs - 1 && promotable(trial, rung)) return {Kind::train, trial, rung + 1};
        }
    return {Kind::finish, -1, -1};
}

}  // namespace mtdn
