#include <mtdn/experiment/search.hpp>

#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using Kind = SearchStep::Kind;

namespace {

/// A step as text: "3 to rung 1", "wait", "finish".
std::string step_of(const std::vector<TrialProgress>& trials, const HalvingOptions& options) {
    const auto step = next_step(trials, options);
    if (step.kind == Kind::train) return concatenate(step.trial, " to rung ", step.rung);
    return step.kind == Kind::wait ? "wait" : "finish";
}

/// What has happened in a whole search.
struct Course {
    std::vector<TrialProgress> trials;
    Index steps = 0;
};

/// Runs a search with so many workers, whose trainings end in random order; checks every promotion as it is made.
template <class Score>
Course simulate(const HalvingOptions& options, Index workers, std::uint64_t seed, Score score) {
    Random random(seed, "workers");
    Course course{std::vector<TrialProgress>(static_cast<std::size_t>(options.trials)), 0};
    std::vector<std::pair<Index, Index>> jobs;
    const auto rungs = static_cast<Index>(search_rungs(options).size());
    while (true) {
        const auto step = next_step(course.trials, options);
        if (step.kind == Kind::finish) break;
        if (step.kind == Kind::train && static_cast<Index>(jobs.size()) < workers) {
            auto& trial = course.trials.at(static_cast<std::size_t>(step.trial));
            REQUIRE(step.rung < rungs);
            REQUIRE(trial.begun == step.rung);  // no rung is left out, none is begun twice
            REQUIRE(static_cast<Index>(trial.scores.size()) == step.rung);
            ++trial.begun;
            jobs.emplace_back(step.trial, step.rung);
            ++course.steps;
            continue;
        }
        REQUIRE(!jobs.empty());  // who waits, waits for somebody
        const auto k = random.below(static_cast<Index>(jobs.size()));
        const auto [trial, rung] = jobs[static_cast<std::size_t>(k)];
        jobs.erase(jobs.begin() + k);
        course.trials[static_cast<std::size_t>(trial)].scores.push_back(score(trial, rung));
    }
    CHECK(jobs.empty());
    return course;
}

}  // namespace

TEST_CASE("rungs multiply by the reduction and end with all epochs") {
    const auto rungs = [](Index epochs, Index grace, double reduction) {
        return search_rungs({.epochs = epochs, .grace = grace, .reduction = reduction});
    };
    CHECK(search_rungs({}) == std::vector<Index>{10, 20, 40, 80, 160, 320, 500});
    CHECK(rungs(80, 10, 2) == std::vector<Index>{10, 20, 40, 80});
    CHECK(rungs(10, 10, 2) == std::vector<Index>{10});
    CHECK(rungs(5, 10, 2) == std::vector<Index>{5});
    CHECK(rungs(4, 1, 1.5) == std::vector<Index>{1, 2, 3, 4});
    CHECK(message_of<OptionError>([&] { rungs(5, 1, 1); }).find("reduction above 1, got 100, 1, 5 and 1") !=
          std::string::npos);
}

TEST_CASE("a trial is a function of seed and number, and its options are independent of each other") {
    SearchSpace space{.width = {8, 16}, .gamma = {0, 1, 2}, .feature_fusion = {"concat", "product"}};
    std::map<Index, int> batches;
    std::set<Index> widths;
    std::set<double> gammas, rates;
    std::set<std::string> fusions;
    int low = 0;
    for (Index number = 0; number < 3000; ++number) {
        const auto trial = draw_trial(space, 7, number);
        CHECK((trial.rate >= 1e-5 && trial.rate <= 1e-2));
        low += trial.rate < 1e-4;
        ++batches[trial.batch];
        rates.insert(trial.rate);
        widths.insert(trial.width);
        gammas.insert(trial.gamma);
        fusions.insert(trial.feature_fusion);
    }
    // A third of three decades, and a third of three values: 1000 ± 26 is one standard deviation.
    CHECK((low > 870 && low < 1130));
    for (const Index batch : {4, 8, 16}) CHECK((batches[batch] > 870 && batches[batch] < 1130));
    CHECK(rates.size() == 3000);
    CHECK(widths == std::set<Index>{8, 16});
    CHECK(gammas == std::set<double>{0, 1, 2});
    CHECK(fusions == std::set<std::string>{"concat", "product"});

    auto other = space;
    other.batch = {2};
    other.width = {4};
    CHECK(draw_trial(space, 7, 5).rate == draw_trial(other, 7, 5).rate);
    CHECK(draw_trial(space, 7, 5).gamma == draw_trial(other, 7, 5).gamma);
    CHECK(draw_trial(space, 7, 5).rate != draw_trial(space, 8, 5).rate);
    other.rate_low = other.rate_high = 3e-4;
    CHECK(draw_trial(other, 7, 5).rate == 3e-4);
    other.batch.clear();
    CHECK(message_of<OptionError>([&] { draw_trial(other, 7, 5); }) == "draw_trial: nothing to draw the batch from");
    CHECK_THROWS_AS(draw_trial({.rate_low = 1e-2, .rate_high = 1e-5}, 7, 5), OptionError);
}

TEST_CASE("steps of a search of four trials on rungs of 1, 2 and 4 epochs, by hand") {
    const HalvingOptions options{.trials = 4, .epochs = 4, .grace = 1, .reduction = 2};
    using Trials = std::vector<TrialProgress>;
    CHECK(step_of(Trials(4), options) == "0 to rung 0");
    CHECK(step_of({{1}, {}, {}, {}}, options) == "1 to rung 0");          // another worker begins another trial
    CHECK(step_of({{1, {.5}}, {}, {}, {}}, options) == "1 to rung 0");    // the best ⌊1/2⌋ of one is none
    CHECK(step_of({{1, {.5}}, {1, {.7}}, {}, {}}, options) == "1 to rung 1");
    CHECK(step_of({{1, {.5}}, {2, {.7}}, {}, {}}, options) == "2 to rung 0");
    // Trial 2 takes the place of trial 1 at the head of three, which has been promoted all the same.
    CHECK(step_of({{1, {.5}}, {2, {.7}}, {1, {.9}}, {}}, options) == "2 to rung 1");
    CHECK(step_of({{1, {.5}}, {2, {.7, .8}}, {2, {.9}}, {}}, options) == "3 to rung 0");
    // The highest rung goes first.
    CHECK(step_of({{1, {.5}}, {2, {.7, .8}}, {2, {.9, .6}}, {}}, options) == "1 to rung 2");
    CHECK(step_of({{1, {.5}}, {3, {.7, .8}}, {2, {.9, .6}}, {1}}, options) == "wait");
    CHECK(step_of({{1, {.5}}, {3, {.7, .8}}, {2, {.9, .6}}, {1, {.1}}}, options) == "wait");
    CHECK(step_of({{1, {.5}}, {3, {.7, .8, .9}}, {2, {.9, .6}}, {1, {.1}}}, options) == "finish");
    // Equal scores: the lower number.
    CHECK(step_of({{1, {.5}}, {1, {.5}}, {1}, {1}}, options) == "0 to rung 1");
    // Alone on its rung, a trial is promoted when nothing else is left, not before.
    CHECK(step_of({{1, {.5}}, {2, {.7, .8}}, {1, {.6}}, {1}}, options) == "wait");
    CHECK(step_of({{1, {.5}}, {2, {.9, .8}}, {1, {.6}}, {1, {failed_score}}}, options) == "2 to rung 1");
    CHECK(step_of({{1, {.5}}, {2, {.9, .8}}, {2, {.6, failed_score}}, {1, {failed_score}}}, options) == "1 to rung 2");
    // Its failure there brings back the next of those that are left.
    CHECK(step_of({{1, {.5}}, {3, {.9, .8, failed_score}}, {2, {.6, failed_score}}, {1, {failed_score}}}, options) ==
          "0 to rung 1");
    const TrialProgress failed{1, {failed_score}};
    CHECK(step_of({failed, failed, failed, failed}, options) == "finish");
    CHECK_THROWS_AS(next_step(Trials(3), options), OptionError);
}

TEST_CASE(
    "whatever the order of arrival, no rung is skipped, the best of each are promoted, and a whole training ends it") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const HalvingOptions options{.trials = 1 + static_cast<Index>(seed * 7 % 31), .epochs = 100, .grace = 3,
                                     .reduction = seed % 3 == 0 ? 3.0 : 2.0};
        const auto rungs = static_cast<Index>(search_rungs(options).size());
        // Quality is the trial's own: the best trial is the best on every rung.
        const auto quality = [&](Index trial, Index) {
            return Random(seed, "quality", 0, static_cast<std::uint64_t>(trial)).uniform();
        };
        const auto [trials, steps] = simulate(options, 1 + static_cast<Index>(seed % 5), seed, quality);
        Index best = 0;
        for (Index trial = 1; trial < options.trials; ++trial)
            if (quality(trial, 0) > quality(best, 0)) best = trial;
        CHECK(trials[static_cast<std::size_t>(best)].begun == rungs);
        for (Index rung = 0; rung + 1 < rungs; ++rung) {
            std::vector<std::pair<double, Index>> reached;
            for (Index trial = 0; trial < options.trials; ++trial)
                if (trials[static_cast<std::size_t>(trial)].begun > rung)
                    reached.emplace_back(-quality(trial, 0), trial);
            std::sort(reached.begin(), reached.end());
            const auto head = static_cast<std::size_t>(static_cast<double>(reached.size()) / options.reduction);
            for (std::size_t k = 0; k < head; ++k)
                CHECK(trials[static_cast<std::size_t>(reached[k].second)].begun > rung + 1);
        }
        for (const auto& trial : trials) CHECK((trial.begun >= 1 && !trial.running()));
    }
}

TEST_CASE("one worker that meets the trials from worst to best promotes each, from best to worst the half") {
    const HalvingOptions options{.trials = 16, .epochs = 2, .grace = 1, .reduction = 2};
    const auto promoted = [&](double sign) {
        Index count = 0;
        for (const auto& trial :
             simulate(options, 1, 0, [&](Index t, Index) { return sign * static_cast<double>(t); }).trials)
            count += trial.begun == 2;
        return count;
    };
    CHECK(promoted(-1) == 8);
    CHECK(promoted(1) == 15);  // each but the first is the best when it arrives: the price of not waiting
}

TEST_CASE("trials that fail are never promoted, and a search of failures ends") {
    const HalvingOptions options{.trials = 12, .epochs = 40, .grace = 5, .reduction = 2};
    const auto some = simulate(options, 3, 1, [](Index trial, Index) {
        return trial % 3 == 0 ? 0.1 * static_cast<double>(trial) : failed_score;
    });
    for (Index trial = 0; trial < options.trials; ++trial)
        if (trial % 3 != 0) CHECK(some.trials[static_cast<std::size_t>(trial)].begun == 1);
    CHECK(some.trials[9].begun == 4);
    CHECK(simulate(options, 3, 1, [](Index, Index) { return failed_score; }).steps == 12);
}
