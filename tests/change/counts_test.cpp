#include <mtdn/change/counts.hpp>

#include <mtdn/change/testing/archetypes.hpp>
#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using mtdn::ClassCounts;
using mtdn::Index;
using mtdn::Masks;

namespace {

ClassCounts<4> by_listing(const mtdn::AnyPairPolicy& policy, const Masks& masks) {
    const Index frames = mtdn::extent(masks, 0);
    ClassCounts<4> counts;
    for (Index i = 0; i < policy.count(frames); ++i) {
        const auto [q, p] = policy.pair(frames, i);
        for (Index y = 0; y < mtdn::extent(masks, 1); ++y)
            for (Index x = 0; x < mtdn::extent(masks, 2); ++x) {
                const int query = masks(q, y, x), partner = masks(p, y, x);
                if (query != 255 && partner != 255) ++counts[static_cast<std::size_t>(2 * query + partner)];
            }
    }
    return counts;
}

}  // namespace

TEST_CASE("Counts of one pixel that appears, by hand") {
    const Masks masks = {{{0}}, {{1}}, {{1}}};  // n = 2 of N = 3
    CHECK(mtdn::class_counts(mtdn::OrderedSelfPairs{}, masks) == ClassCounts<4>{{1, 2, 2, 4}});
    CHECK(mtdn::class_counts(mtdn::OrderedPairs{}, masks) == ClassCounts<4>{{0, 2, 2, 2}});
    CHECK(mtdn::class_counts(mtdn::UnorderedPairs{}, masks) == ClassCounts<4>{{0, 2, 0, 1}});
    CHECK(mtdn::class_counts(mtdn::UnorderedSelfPairs{}, masks) == ClassCounts<4>{{1, 2, 0, 3}});
    CHECK(mtdn::frame_class_counts(masks) == ClassCounts<2>{{1, 2}});
}

TEST_CASE("Counts equal those of listed pairs, for every policy, with and without ignored pixels") {
    mtdn::Random random{1, "counts"};
    for (int trial = 0; trial < 40; ++trial) {
        auto masks = mtdn::make_array<std::uint8_t>(random.below(8), 4, 5);
        const double ignored = trial % 2 ? 0.2 : 0;
        for (auto& value : masks) value = random.chance(ignored) ? 255 : random.chance(0.3);
        for (const char* name : {"unordered", "unordered_self", "ordered", "ordered_self"}) {
            const auto policy = mtdn::pair_policy(name);
            CHECK(mtdn::class_counts(policy, masks) == by_listing(policy, masks));
        }
        CHECK(mtdn::class_counts(mtdn::UnorderedPairs{}, masks) == by_listing(mtdn::UnorderedPairs{}, masks));
        const mtdn::testing::PairPolicyArchetype neighbours;
        CHECK(mtdn::class_counts(neighbours, masks) == by_listing(neighbours, masks));
        CHECK(mtdn::class_counts(mtdn::AnyPairPolicy(neighbours), masks) == by_listing(neighbours, masks));
    }
}

TEST_CASE("Counts add up over tasks and sequences") {
    const mtdn::TaskMasks tasks{{"A1", Masks{{{1, 1}}}}, {"A2", Masks{{{0, 1}}}}};
    auto counts = mtdn::class_counts(mtdn::OrderedSelfPairs{}, tasks);
    CHECK(counts.size() == 2);
    CHECK(counts["A1"] == ClassCounts<4>{{0, 0, 0, 2}});
    CHECK(counts["A2"] == ClassCounts<4>{{1, 0, 0, 1}});
    CHECK((counts["A1"] += counts["A2"]) == ClassCounts<4>{{1, 0, 0, 3}});
    CHECK(counts["A1"].total() == 4);
}

TEST_CASE("A mask's third value is refused with its pixel") {
    const Masks wrong = {{{0, 1}}, {{0, 7}}};
    CHECK_THROWS_AS(mtdn::class_counts(mtdn::OrderedPairs{}, wrong), mtdn::DataError);
    CHECK_THROWS_WITH(mtdn::class_counts(mtdn::OrderedPairs{}, wrong),
                      Catch::Contains("class_counts") && Catch::Contains("value 7 at frame 1, row 0, column 1"));
    CHECK_THROWS_WITH(mtdn::frame_class_counts(wrong), Catch::Contains("frame_class_counts"));
}

TEST_CASE("Class weights") {
    using Weights = std::vector<double>;
    CHECK(mtdn::class_weights(ClassCounts<4>{{8, 4, 2, 2}}) == Weights{2, 4, 8, 8});
    CHECK(mtdn::class_weights(ClassCounts<4>{{8, 4, 4, 0}}) == Weights{2, 4, 4, 4});
    CHECK(mtdn::class_weights(ClassCounts<2>{{3, 1}}, 0) == Weights{1, 1});
    CHECK(mtdn::class_weights(ClassCounts<2>{{12, 4}}, 0.5)[1] == Approx(2));
    CHECK(mtdn::class_weights(ClassCounts<2>{{0, 4}}) == Weights{1, 1});
    CHECK_THROWS_AS(mtdn::class_weights(ClassCounts<4>{}), mtdn::DataError);
    CHECK_THROWS_WITH(mtdn::class_weights(ClassCounts<4>{}), Catch::Contains("no pixel was counted"));
    CHECK_THROWS_AS(mtdn::class_weights(ClassCounts<2>{{1, 1}}, -1), mtdn::OptionError);
}
