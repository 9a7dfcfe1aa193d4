#include <mtdn/kinetics/kinetics.hpp>

#include <cmath>

#include <mtdn/data/synthetic.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;

namespace {

/// Upright bars: A1 of so many rows, 10 wide; A2 as long, 4 wide, in its middle.
TaskMasks bars(const std::vector<Index>& rows) {
    TaskMasks masks;
    for (const auto& [task, left, right] : {std::tuple{"A1", 5, 15}, {"A2", 8, 12}}) {
        auto& all = masks[task] = full_array<std::uint8_t>(0, rows.size(), 64, 20);
        for (std::size_t i = 0; i < rows.size(); ++i)
            for (std::size_t y = 0; y < static_cast<std::size_t>(rows[i]); ++y)
                for (auto x = static_cast<std::size_t>(left); x < static_cast<std::size_t>(right); ++x)
                    all(i, y + 2, x) = 1;
    }
    return masks;
}

const std::vector<double> four_seconds{0, 2, 5, 9};

}  // namespace

TEST_CASE("a bar that shortens has the volumes, conversions and rates of a tube that does") {
    const auto kinetics = measure_kinetics(bars({60, 56, 50, 42}), four_seconds, {.rate_window = 3});
    const double per_row = std::numbers::pi * (25 - 4);
    const double rows[] = {60, 56, 50, 42};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(kinetics.length[i] == Approx(rows[i]));
        CHECK(kinetics.outer_area.value[i] == 10 * rows[i]);
        CHECK(kinetics.core_area.value[i] == 4 * rows[i]);
        CHECK(kinetics.volume.value[i] == Approx(per_row * rows[i]));
        CHECK(kinetics.conversion.value[i] == Approx(1 - rows[i] / 60).margin(1e-12));
        CHECK(kinetics.rate.value[i] == Approx(2 * per_row));
        CHECK(kinetics.stray[i] == 0);
        CHECK(kinetics.volume.error[i] > 0);
        CHECK(kinetics.volume.error[i] < 0.03 * kinetics.volume.value[i]);
    }
    CHECK(kinetics.conversion.error[0] == 0);
    CHECK(kinetics.members == 0);
}

TEST_CASE("slopes of parabolas are exact at uneven times, at the ends too, and noise is averaged") {
    const std::vector<double> times{0, 1, 4, 4.5, 9, 11, 12, 20};
    for (const Index window : {3, 5, 7, 99}) {
        const auto slopes = slope_weights(times, window);
        for (std::size_t i = 0; i < times.size(); ++i) {
            double slope = 0;
            for (std::size_t j = 0; j < slopes[i].weights.size(); ++j) {
                const double t = times[slopes[i].first + j];
                slope += slopes[i].weights[j] * (7 - 3 * t + 0.4 * t * t);
            }
            CHECK(slope == Approx(-3 + 0.8 * times[i]).margin(1e-9));
        }
    }
    // The central difference of even times.
    CHECK(slope_weights(std::vector{0.0, 2.0, 4.0}, 3)[1].weights[0] == Approx(-0.25));
    CHECK(slope_weights(std::vector{0.0, 2.0, 4.0}, 3)[1].weights[1] == Approx(0).margin(1e-12));
    CHECK(slope_weights(std::vector{3.0, 5.0}, 3)[1].weights == std::vector{-0.5, 0.5});
    CHECK_THAT(message_of<OptionError>([&] { slope_weights(times, 4); }), Contains("odd and at least 3, got 4"));
}

TEST_CASE("a filament that is gone has no volume and is converted wholly") {
    const auto kinetics = measure_kinetics(bars({40, 20, 0, 0}), four_seconds);
    CHECK(kinetics.length[2] == 0);
    CHECK(kinetics.volume.value[3] == 0);
    CHECK(kinetics.conversion.value[3] == 1);
    CHECK(kinetics.volume.error[3] == 0);
}

TEST_CASE("a length that is given takes the measured one's place") {
    const auto masks = bars({60, 56, 50, 42});
    const auto one = measure_kinetics(masks, four_seconds, {.length = {60}});
    CHECK(one.volume.value[3] == Approx(std::numbers::pi * (420.0 * 420 - 168 * 168) / 240));
    const auto each = measure_kinetics(masks, four_seconds, {.length = {60, 56, 50, 42}});
    CHECK(each.volume.value == measure_kinetics(masks, four_seconds).volume.value);
}

TEST_CASE("every member of an ensemble gives a curve, and their spread is the error") {
    const auto masks = bars({60, 56, 50, 42});
    const auto alone = measure_kinetics(masks, four_seconds);
    EnsembleAreas areas;
    for (std::size_t i = 0; i < 4; ++i) {
        const double rows = alone.length[i];
        // All members agree on the core; the filament is seen 0.5 px too narrow, right, or too wide, all along.
        areas["A1"].push_back({9.5 * rows, 10 * rows, 10.5 * rows});
        areas["A2"].push_back({4 * rows, 4 * rows, 4 * rows});
    }
    const auto spread = measure_kinetics(masks, four_seconds, {}, areas);
    CHECK(spread.members == 3);
    for (std::size_t i = 0; i < 4; ++i) {
        const double rows = alone.length[i];
        const auto grown = [](double with, double without) { return std::sqrt(with * with - without * without); };
        CHECK(grown(spread.outer_area.error[i], alone.outer_area.error[i]) == Approx(0.5 * rows));
        CHECK(spread.core_area.error[i] == alone.core_area.error[i]);
        const double v[] = {9.5 * 9.5 - 16, 84, 10.5 * 10.5 - 16}, mean = (v[0] + v[1] + v[2]) / 3;
        const double deviation =
            std::sqrt((std::pow(v[0] - mean, 2) + std::pow(v[1] - mean, 2) + std::pow(v[2] - mean, 2)) / 2);
        CHECK(grown(spread.volume.error[i], alone.volume.error[i]) == Approx(std::numbers::pi / 4 * rows * deviation));
        // Each member is as much off at the start as later, so what is converted does not depend on the member.
        CHECK(spread.conversion.error[i] == Approx(alone.conversion.error[i]).epsilon(1e-9));
    }
    CHECK(spread.volume.value == alone.volume.value);

    // Enforced, a member's core is what it finds inside the filament.
    areas["A1&A2"] = areas["A2"];
    for (auto& of_frame : areas["A2"]) of_frame = {0, 500, 900};
    const auto enforced = measure_kinetics(masks, four_seconds, {.enforce = true}, areas);
    CHECK(enforced.volume.error == spread.volume.error);
    CHECK(enforced.conversion.error == spread.conversion.error);
}

TEST_CASE("a core outside the filament is counted, and taken away on request") {
    auto masks = bars({60, 56, 50, 42});
    masks["A2"](1, 60, 10) = 1;  // the second bar ends at row 57
    const auto as_it_is = measure_kinetics(masks, four_seconds),
               enforced = measure_kinetics(masks, four_seconds, {.enforce = true});
    CHECK(as_it_is.stray == std::vector<Index>{0, 1, 0, 0});
    CHECK(enforced.stray == as_it_is.stray);
    CHECK(as_it_is.core_area.value[1] == 225);
    CHECK(enforced.core_area.value[1] == 224);
}

TEST_CASE("input that has no kinetics is an error") {
    const auto masks = bars({60, 56, 50, 42});
    const auto error = [&](const TaskMasks& m, const std::vector<double>& t, const KineticsOptions& o = {},
                           const EnsembleAreas& a = {}) {
        return message_of<Error>([&] { measure_kinetics(m, t, o, a); });
    };
    CHECK_THAT(error(bars({0, 56, 50, 42}), four_seconds),
               Contains("the first frame's volume is 0 px³ (A1 0 px, A2 0 px)"));
    CHECK_THAT(error({{"A1", masks.at("A2")}, {"A2", masks.at("A1")}}, four_seconds),
               Contains("the first frame's volume is -"));
    CHECK_THAT(error(masks, {0, 2, 2, 9}), Contains("time does not rise at frame 2 (2 s, then 2 s)"));
    CHECK_THAT(error(masks, {0, 1}), Contains("4 frames, but 2 times"));
    CHECK_THAT(error({{"A1", masks.at("A1")}}, four_seconds), Contains("no masks of task \"A2\""));
    CHECK_THAT(error({{"A1", masks.at("A1")}, {"A2", bars({1, 2}).at("A2")}}, four_seconds), Contains("must be equal"));
    CHECK_THAT(error(bars({60}), {0}), Contains("needs 2 frames, got 1"));
    CHECK_THAT(error(masks, four_seconds, {.length = {1, 2}}), Contains("4 frames, but 2 lengths"));
    CHECK_THAT(error(masks, four_seconds, {.length = {-3}}), Contains("the length in frame 0 is -3"));
    CHECK_THAT(error(masks, four_seconds, {.length = {60, 56, 0, 42}}),
               Contains("frame 2 shows 500 px of filament, but its length is 0"));
    CHECK_THAT(error(masks, four_seconds, {}, {{"A1", {{1, 2}, {1, 2}}}}), Contains("areas of A1 are of 2"));
    CHECK_THAT(error(masks, four_seconds, {}, {{"A1", {{1, 2}, {1, 2}, {1}, {1, 2}}}}), Contains("but 1 in frame 2"));
    CHECK_THAT(error(masks, four_seconds, {}, {{"A1", {{1}, {1}, {1}, {1}}}}), Contains("1 areas of A1, but 0 of A2"));
}

TEST_CASE("straight tubes' volumes are within 2 % of the truth, by measured lengths and by true ones") {
    const auto film = synthesize({.sequences = 5, .frames = 6, .size = 256, .seed = 8, .bend = 0});
    double worst = 0;
    Index frames = 0;
    for (const auto& sequence : film.sequences())
        for (const bool given : {false, true}) {
            const auto kinetics =
                measure_kinetics(sequence.masks, sequence.seconds,
                                 {.length = given ? sequence.series.at("length") : std::vector<double>{}});
            for (std::size_t i = 0; i < sequence.seconds.size(); ++i) {
                const double truth = sequence.series.at("volume")[i];
                if (truth == 0) {
                    CHECK(kinetics.volume.value[i] == 0);
                    continue;
                }
                ++frames;
                INFO(sequence.name << " frame " << i << " length " << sequence.series.at("length")[i]);
                CHECK(kinetics.volume.value[i] == Approx(truth).epsilon(0.02));
                worst = std::max(worst, std::abs(kinetics.volume.value[i] / truth - 1));
            }
        }
    CHECK(frames > 40);
    CHECK(worst > 1e-4);  // counted pixels are not the truth itself
}
