#include <mtdn/change/fusion.hpp>

#include <vector>

#include <mtdn/change/fuse.hpp>
#include <mtdn/change/labels.hpp>
#include <mtdn/change/testing/archetypes.hpp>
#include <mtdn/change/testing/checks.hpp>
#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using mtdn::Comparison;
using mtdn::Index;
using mtdn::Mask;
using mtdn::Masks;
using mtdn::Slot;
using Comparisons = std::vector<Comparison>;

namespace {

Mask frame_of(const Masks& masks, Index frame) {
    auto mask = mtdn::make_array<std::uint8_t>(mtdn::extent(masks, 1), mtdn::extent(masks, 2));
    std::copy_n(mtdn::frame_data(masks, frame), mask.size(), mask.data());
    return mask;
}

struct Broken {
    std::vector<Comparison> partners(Index query, Index frames) const {
        if (frames == 1) return {};
        return {{{query, frames}, Slot::query}, {{query, 0}, Slot::partner}};
    }
    mtdn::PredictionAccumulator accumulator(Index height, Index width) const { return {width, height}; }
    std::string name() const { return "broken"; }
};

struct PairsOnly {
    std::vector<mtdn::Pair> partners(Index, Index) const { return {}; }
    mtdn::PredictionAccumulator accumulator(Index height, Index width) const { return {height, width}; }
    std::string name() const { return ""; }
};
static_assert(!mtdn::lists_the_pairs_that_segment_a_frame<PairsOnly> && !mtdn::PredictionFusion<PairsOnly>);
static_assert(mtdn::starts_an_accumulator<PairsOnly> && !mtdn::starts_an_accumulator<mtdn::OrderedPairs>);

}  // namespace

TEST_CASE("The partners of each fusion") {
    CHECK(mtdn::ForwardFusion{}.partners(2, 4) == Comparisons{{{2, 0}}});
    CHECK(mtdn::BackwardFusion{}.partners(2, 4) == Comparisons{{{2, 3}}});
    CHECK(mtdn::ConsecutiveFusion{}.partners(2, 4) == Comparisons{{{2, 3}}});
    CHECK(mtdn::ConsecutiveFusion{}.partners(1, 4) == Comparisons{{{1, 2}}});
    CHECK(mtdn::ConsecutiveFusion{}.partners(3, 4) == Comparisons{{{3, 3}}});
    CHECK(mtdn::EnsembleFusion{}.partners(1, 3) == Comparisons{{{1, 0}}, {{1, 1}}, {{1, 2}}});
    CHECK(mtdn::EnsembleFusion{{.both_slots = true}}.partners(1, 2) ==
          Comparisons{{{1, 0}}, {{0, 1}, Slot::partner}, {{1, 1}}, {{1, 1}, Slot::partner}});
}

TEST_CASE("Every fusion obeys the laws, and segments from perfect change maps perfectly") {
    mtdn::Random random{1, "fusion"};
    auto truth = mtdn::make_array<std::uint8_t>(5, 3, 4);
    for (auto& value : truth) value = random.chance(0.4);
    const auto perfect = [&](const mtdn::Pair& pair) {
        return mtdn::change_labels(frame_of(truth, pair.query), frame_of(truth, pair.partner));
    };
    const std::vector<mtdn::AnyPredictionFusion> fusions{mtdn::ForwardFusion{},
                                                         mtdn::BackwardFusion{},
                                                         mtdn::ConsecutiveFusion{},
                                                         mtdn::EnsembleFusion{},
                                                         mtdn::EnsembleFusion{{.both_slots = true}},
                                                         mtdn::testing::PredictionFusionArchetype{}};
    for (const auto& fusion : fusions) {
        CHECK(mtdn::testing::check_prediction_fusion(fusion) == std::vector<std::string>{});
        const mtdn::FusedMasks fused = mtdn::fuse(fusion, 5, perfect);
        CHECK((fused.masks == truth));
        CHECK((fused.uncertainty == mtdn::full_array<float>(0.0F, 5, 3, 4)));
    }
}

TEST_CASE("An ensemble outvotes a wrong pair") {
    const auto one_wrong = [](const mtdn::Pair& pair) {
        return Mask{{static_cast<std::uint8_t>(pair.partner == 1 ? 0 : 3)}};
    };
    const auto fused = mtdn::fuse(mtdn::EnsembleFusion{}, 3, one_wrong);
    CHECK((fused.masks == Masks{{{1}}, {{1}}, {{1}}}));
    CHECK(fused.uncertainty(0, 0, 0) == Approx(0.9182958340544896));  // of one third
    CHECK((mtdn::fuse(mtdn::EnsembleFusion{}, 2, one_wrong).masks == Masks{{{0}}, {{0}}}));
    CHECK((mtdn::fuse(mtdn::EnsembleFusion{}, 0, one_wrong).masks.size() == 0));
}

TEST_CASE("fuse refuses change maps that do not fit") {
    const auto growing = [](const mtdn::Pair& pair) { return mtdn::full_array<std::uint8_t>(0, 2, 2 + pair.query); };
    CHECK_THROWS_AS(mtdn::fuse(mtdn::BackwardFusion{}, 3, growing), mtdn::ShapeError);
    CHECK_THROWS_WITH(mtdn::fuse(mtdn::BackwardFusion{}, 3, growing),
                      Catch::Contains("fuse: the change map of frames 1 and 2 has size (2, 3); expected (2, 2)"));
    const auto wrong = [](const mtdn::Pair&) { return mtdn::full_array<std::uint8_t>(9, 2, 2); };
    CHECK_THROWS_AS(mtdn::fuse(mtdn::BackwardFusion{}, 3, wrong), mtdn::DataError);
}

TEST_CASE("A fusion is found by its name") {
    for (const char* name : {"backward", "forward", "consecutive", "ensemble"})
        CHECK(mtdn::prediction_fusion(name).name() == name);
    CHECK(mtdn::AnyPredictionFusion{}.name() == "backward");
    CHECK(mtdn::prediction_fusion("ensemble", {.soft = true}).accumulator(1, 1).soft());
    CHECK(mtdn::prediction_fusion("ensemble", {.both_slots = true}).partners(0, 3).size() == 6);
    CHECK_THROWS_AS(mtdn::prediction_fusion("median"), mtdn::OptionError);
    CHECK_THROWS_WITH(mtdn::prediction_fusion("median"),
                      "prediction_fusion: \"median\" is none; expected backward, forward, consecutive or ensemble");
    CHECK_THROWS_WITH(mtdn::prediction_fusion("forward", {.soft = true}), Catch::Contains("forward has none"));
}

TEST_CASE("A frame outside the sequence is refused") {
    CHECK_THROWS_AS(mtdn::BackwardFusion{}.partners(3, 3), mtdn::OptionError);
    CHECK_THROWS_WITH(mtdn::EnsembleFusion{}.partners(-1, 3),
                      Catch::Contains("EnsembleFusion: frame -1 of a sequence of 3"));
    CHECK_THROWS_AS(mtdn::ForwardFusion{}.partners(0, 0), mtdn::OptionError);
    CHECK_THROWS_AS(mtdn::ConsecutiveFusion{}.partners(5, 3), mtdn::OptionError);
}

TEST_CASE("The check finds what a fusion breaks") {
    const auto failures = mtdn::testing::check_prediction_fusion(Broken{}, 2);
    const auto has = [&](const char* text) { CHECK_THAT(failures, Catch::VectorContains(std::string(text))); };
    has("broken: partners(0, 1) is empty");
    has("broken: partners(0, 2) names a frame outside the sequence");
    has("broken: partners(1, 2) has a pair without the frame in the slot named");
    has("broken: accumulator(2, 3) is not an empty one of 2 rows and 3 columns");
}
