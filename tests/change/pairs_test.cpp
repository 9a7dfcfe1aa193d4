#include <mtdn/change/pairs.hpp>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include <mtdn/change/testing/archetypes.hpp>
#include <mtdn/change/testing/checks.hpp>

#include "support/catch.hpp"

using mtdn::Index;
using mtdn::Pair;

namespace {

struct Broken {  // breaks each law once
    Index count(Index frames) const { return frames; }
    Pair pair(Index frames, Index i) const { return i == 0 ? Pair{0, frames} : Pair{0, 0}; }
    std::string name() const { return "broken"; }
};

struct NoPair {
    Index count(Index) const { return 0; }
    std::string name() const { return ""; }
};
struct LooseCount {
    double count(Index) const { return 0; }
    Pair pair(Index, Index) const { return {}; }
    std::string name() const { return ""; }
};
struct Nameless {
    Index count(Index) const { return 0; }
    Pair pair(Index, Index) const { return {}; }
};
static_assert(!mtdn::finds_a_pair_by_its_number<NoPair> && !mtdn::PairPolicy<NoPair>);
static_assert(!mtdn::counts_the_pairs_of_a_sequence<LooseCount> && !mtdn::PairPolicy<LooseCount>);
static_assert(!mtdn::is_chosen_by_name<Nameless> && !mtdn::PairPolicy<Nameless>);

}  // namespace

TEST_CASE("The paper's numbers of pairs") {
    const auto sum = [](const mtdn::AnyPairPolicy& policy, std::initializer_list<Index> sequences) {
        Index pairs = 0;
        for (const Index frames : sequences) pairs += policy.count(frames);
        return pairs;
    };
    struct Row {
        const char* policy;
        Index train, validation, test;
    };
    for (const Row& row : {Row{"unordered", 2986, 1188, 442}, Row{"unordered_self", 3112, 1252, 483},
                           Row{"ordered", 5972, 2376, 884}, Row{"ordered_self", 6098, 2440, 925}}) {
        const auto policy = mtdn::pair_policy(row.policy);
        CHECK(policy.name() == row.policy);
        CHECK(sum(policy, {51, 56, 19}) == row.train);
        CHECK(sum(policy, {46, 18}) == row.validation);
        CHECK(sum(policy, {27, 14}) == row.test);
    }
}

TEST_CASE("Each policy gives exactly its pairs") {
    for (const char* name : {"unordered", "unordered_self", "ordered", "ordered_self"}) {
        const auto policy = mtdn::pair_policy(name);
        const auto kind = policy.kind();
        REQUIRE(kind);
        CHECK(mtdn::testing::check_pair_policy(policy, 20) == std::vector<std::string>{});
        for (Index frames = 0; frames <= 9; ++frames) {
            std::vector<Pair> expected, given;
            for (Index s = 0; s < frames; ++s)
                for (Index t = 0; t < frames; ++t)
                    if (s < t || (s == t && kind->with_self) || (s > t && kind->ordered)) expected.push_back({s, t});
            for (Index i = 0; i < policy.count(frames); ++i) given.push_back(policy.pair(frames, i));
            CHECK(given.size() == expected.size());
            CHECK(std::is_permutation(given.begin(), given.end(), expected.begin(), expected.end()));
        }
    }
}

TEST_CASE("A pair of a long sequence is found exactly") {
    const Index frames = 100'000'000;
    const mtdn::UnorderedPairs unordered;
    for (const Index row : {Index{1}, Index{94906267}, frames - 1}) {
        const Index first = row * (row - 1) / 2;
        CHECK((unordered.pair(frames, first) == Pair{0, row}));
        CHECK((unordered.pair(frames, first + row - 1) == Pair{row - 1, row}));
    }
    const mtdn::UnorderedSelfPairs with_self;
    CHECK((with_self.pair(frames, with_self.count(frames) - 1) == Pair{frames - 1, frames - 1}));
}

TEST_CASE("A number out of range and a name that is none are refused") {
    CHECK_THROWS_AS(mtdn::UnorderedPairs{}.pair(3, 3), mtdn::OptionError);
    CHECK_THROWS_WITH(mtdn::UnorderedPairs{}.pair(3, 3),
                      "unordered: pair 3 asked for, 3 frames make 3 (counted from 0)");
    CHECK_THROWS_AS(mtdn::OrderedPairs{}.pair(1, 0), mtdn::OptionError);
    CHECK_THROWS_AS(mtdn::OrderedSelfPairs{}.pair(2, -1), mtdn::OptionError);
    CHECK_THROWS_AS(mtdn::pair_policy("all"), mtdn::OptionError);
    CHECK_THROWS_WITH(mtdn::pair_policy("all"),
                      "pair_policy: \"all\" is none; expected unordered, unordered_self, ordered or ordered_self");
}

TEST_CASE("Any policy may be held, and the default is the training default") {
    CHECK(mtdn::AnyPairPolicy{}.name() == "ordered_self");
    const mtdn::AnyPairPolicy held = mtdn::testing::PairPolicyArchetype{};
    CHECK(held.name() == "neighbours");
    CHECK(held.count(5) == 4);
    CHECK((held.pair(5, 3) == Pair{3, 4}));
    CHECK_FALSE(held.kind());
    const mtdn::AnyPairPolicy copy = held;
    CHECK(copy.name() == "neighbours");
    CHECK(mtdn::testing::check_pair_policy(held).empty());
}

TEST_CASE("The check finds what a policy breaks") {
    const auto failures = mtdn::testing::check_pair_policy(Broken{}, 3);
    CHECK_THAT(failures,
               Catch::VectorContains(std::string("broken: pair(3, 0) = (0, 3) names a frame outside the sequence")));
    CHECK_THAT(failures, Catch::VectorContains(std::string("broken: pair(3, 2) = (0, 0) came before")));
}
