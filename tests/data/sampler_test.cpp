#include <mtdn/data/sampler.hpp>

#include <set>
#include <tuple>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;

TEST_CASE("a permutation takes every value once and depends on its stream") {
    for (Index count : {1, 2, 3, 63, 64, 65, 1000, 6098}) {
        const Permutation first(count, Random(1, "x")), second(count, Random(2, "x"));
        std::set<Index> seen;
        Index same = 0, fixed = 0;
        for (Index i = 0; i < count; ++i) {
            seen.insert(first(i));
            same += first(i) == second(i) ? 1 : 0;
            fixed += first(i) == i ? 1 : 0;
        }
        CHECK(static_cast<Index>(seen.size()) == count);
        CHECK((*seen.begin() == 0 && *seen.rbegin() == count - 1));
        // Two random orders agree in 1 place on average (Poisson); 12 has a probability below 1e-9.
        if (count >= 63) CHECK((same < 12 && fixed < 12));
    }
    CHECK_THROWS_AS(Permutation(3, Random(1))(3), OptionError);
}

TEST_CASE("the first element of a permutation is as likely to be any") {
    constexpr Index count = 10, trials = 5000;
    std::vector<Index> hits(count, 0);
    for (Index seed = 0; seed < trials; ++seed)
        ++hits[static_cast<std::size_t>(Permutation(count, Random(static_cast<std::uint64_t>(seed), "y"))(0))];
    // 500 expected, standard deviation 21: five of them.
    for (Index n : hits) CHECK((n > 395 && n < 605));
}

TEST_CASE("an epoch of random pairs visits each pair of the policy once") {
    const std::vector<Index> counts{5, 1, 7};
    for (const char* name : {"unordered", "unordered_self", "ordered", "ordered_self"}) {
        const PairSampler sampler(counts, pair_policy(name), {.batch = 4, .seed = 3});
        std::set<std::tuple<Index, Index, Index>> seen;
        std::set<Index> geometries;
        Index pairs = 0, frames = 0;
        for (Index i = 0; i < sampler.batches(); ++i) {
            const Batch batch = sampler.batch(2, i);
            const auto size = static_cast<Index>(batch.pairs.size());
            CHECK(size == (i + 1 < sampler.batches() ? 4 : sampler.items() - 4 * i));
            CHECK(batch.frames.size() == 2 * batch.pairs.size());
            CHECK(batch.first_frame == frames);
            frames += 2 * size;
            for (Index k = 0; k < size; ++k) {
                const auto query = static_cast<std::size_t>(k), partner = static_cast<std::size_t>(size + k);
                CHECK(batch.pairs[query] == Pair{k, size + k});
                CHECK(batch.frames[query].sequence == batch.frames[partner].sequence);
                CHECK(batch.geometry[query] == batch.geometry[partner]);
                geometries.insert(batch.geometry[query]);
                seen.emplace(batch.frames[query].sequence, batch.frames[query].frame, batch.frames[partner].frame);
            }
            pairs += size;
        }
        CHECK(pairs == sampler.items());
        CHECK(static_cast<Index>(seen.size()) == pairs);
        CHECK(static_cast<Index>(geometries.size()) == pairs);
    }
    CHECK(PairSampler(counts, pair_policy("ordered_self"), {}).items() == 25 + 1 + 49);
}

TEST_CASE("a batch is a function of seed, epoch and index") {
    const PairSampler a({9, 9}, {}, {.batch = 8, .seed = 1}), b({9, 9}, {}, {.batch = 8, .seed = 1}),
        c({9, 9}, {}, {.batch = 8, .seed = 2});
    const auto later = a.batch(4, 3);
    CHECK(a.batch(0, 0) == b.batch(0, 0));
    CHECK(later == b.batch(4, 3));
    CHECK_FALSE(a.batch(0, 0) == a.batch(1, 0));
    CHECK_FALSE(a.batch(0, 0) == c.batch(0, 0));
    const CliqueSampler clique({9, 9}, {}, {.clique = 3, .batch = 18, .seed = 1});
    CHECK(clique.batch(1, 2) == clique.batch(1, 2));
    CHECK_FALSE(clique.batch(1, 2) == clique.batch(2, 2));
}

TEST_CASE("a clique is K different frames of one sequence and all their pairs") {
    const CliqueSampler sampler({6, 4}, {}, {.clique = 3, .batch = 18, .seed = 5});
    CHECK(sampler.items() == 54);  // 52 pairs, rounded up to cliques of 9
    CHECK(sampler.batches() == 3);
    for (Index i = 0; i < sampler.batches(); ++i) {
        const Batch batch = sampler.batch(0, i);
        REQUIRE(batch.frames.size() == 6);
        REQUIRE(batch.pairs.size() == 18);
        for (std::size_t c = 0; c < 2; ++c) {
            std::set<Index> frames;
            for (std::size_t k = 3 * c; k < 3 * c + 3; ++k) {
                CHECK(batch.frames[k].sequence == batch.frames[3 * c].sequence);
                CHECK(batch.geometry[k] == 2 * i + static_cast<Index>(c));
                frames.insert(batch.frames[k].frame);
            }
            CHECK(frames.size() == 3);
            std::set<std::pair<Index, Index>> pairs;
            for (std::size_t p = 9 * c; p < 9 * c + 9; ++p) pairs.emplace(batch.pairs[p].query, batch.pairs[p].partner);
            CHECK(pairs.size() == 9);
            CHECK((pairs.begin()->first == static_cast<Index>(3 * c) &&
                   pairs.rbegin()->second == static_cast<Index>(3 * c + 2)));
        }
    }
    CHECK(CliqueSampler({10}, {}, {.clique = 4, .batch = 64}).batch(0, 1).pairs.size() == 48);  // 7 cliques, 4 a batch
}

TEST_CASE("cliques are drawn in proportion to a sequence's pairs") {
    const CliqueSampler sampler({30, 10}, {}, {.clique = 2, .batch = 4, .seed = 8});
    Index first = 0, all = 0;
    for (Index epoch = 0; epoch < 8; ++epoch)
        for (Index i = 0; i < sampler.batches(); ++i, ++all)
            first += sampler.batch(epoch, i).frames[0].sequence == 0 ? 1 : 0;
    // 900 of 1000 pairs; 2000 draws have a standard deviation of 0.7 %: five of them.
    CHECK(static_cast<double>(first) / static_cast<double>(all) == Approx(0.9).margin(0.034));
}

TEST_CASE("an epoch of single frames visits each frame once") {
    const FrameSampler sampler({3, 5}, {.batch = 3, .seed = 1});
    CHECK(sampler.batches() == 3);
    std::set<std::pair<Index, Index>> seen;
    for (Index i = 0; i < 3; ++i)
        for (const auto& [sequence, frame] : sampler.batch(0, i).frames) seen.emplace(sequence, frame);
    CHECK(seen.size() == 8);
    CHECK(seen.rbegin()->second == 4);
    CHECK(sampler.batch(0, 2).frames.size() == 2);
    CHECK(sampler.batch(0, 0).pairs.empty());
}

TEST_CASE("a holder gives what it holds") {
    const PairSampler sampler({4}, {}, {.batch = 3});
    const AnyBatchSampler any = sampler;
    CHECK((any.batches() == sampler.batches() && any.items() == sampler.items()));
    CHECK(any.batch(1, 2) == sampler.batch(1, 2));
}

TEST_CASE("options that do not fit are errors") {
    CHECK_THAT(message_of<OptionError>([] { CliqueSampler({9}, {}, {.clique = 3, .batch = 16}); }),
               Contains("multiple of 9") && Contains("got 16"));
    CHECK_THAT(message_of<OptionError>([] {
                   CliqueSampler({9, 2}, {}, {.clique = 3, .batch = 9});
               }),
               Contains("sequence 1 has 2 frames") && Contains("cliques of 3"));
    CHECK_THAT(message_of<OptionError>([] { CliqueSampler({9}, {}, {.clique = 1, .batch = 9}); }),
               Contains("at least 2"));
    CHECK_THAT(message_of<OptionError>([] { PairSampler({9}, {}, {.batch = 0}); }), Contains("positive, got 0"));
    CHECK_THAT(message_of<DataError>([] { PairSampler({1, 1}, UnorderedPairs{}, {}); }), Contains("nothing to draw"));
    CHECK_THAT(message_of<OptionError>([] { PairSampler({2}, {}, {.batch = 2}).batch(0, 2); }),
               Contains("batch 2 of 2"));
}

TEST_CASE("shares are contiguous, as equal as can be, cut no clique, and together are the batch") {
    const PairSampler pairs({4, 5}, {}, {.batch = 7, .seed = 1});
    const CliqueSampler cliques({4, 5}, {}, {.clique = 2, .batch = 12, .seed = 1});
    for (const Batch& batch : {pairs.batch(0, 0), cliques.batch(0, 0)}) {
        const Index runs = batch.pairs.size() == 7 ? 7 : 3, each = static_cast<Index>(batch.pairs.size()) / runs;
        for (const Index ranks : {1, 2, 3, 5, 9}) {
            INFO(batch.pairs.size() << " pairs, " << ranks << " ranks");
            std::vector<Pair> all;
            std::set<Index> frames;
            for (Index rank = 0; rank < ranks; ++rank) {
                Share share;
                share_of(batch, rank, ranks, share);
                const auto count = static_cast<Index>(share.pairs.size());
                CHECK(count % each == 0);
                REQUIRE(count > 0);
                if (!share.counts) {
                    CHECK(count == each);
                    continue;
                }
                CHECK((count / each == runs / ranks || count / each == runs / ranks + 1));
                for (const Index frame : share.frames) CHECK(frames.insert(frame).second);  // no frame on two ranks
                for (const Pair& pair : share.pairs)
                    all.push_back({share.frames[static_cast<std::size_t>(pair.query)],
                                   share.frames[static_cast<std::size_t>(pair.partner)]});
            }
            CHECK((all == batch.pairs));
            CHECK(frames.size() == batch.frames.size());
        }
    }
}

TEST_CASE("a share of random pairs holds its queries, then its partners") {
    Share share;
    share_of(PairSampler({4, 5}, {}, {.batch = 5, .seed = 1}).batch(0, 0), 1, 2, share);
    CHECK((share.frames == std::vector<Index>{2, 3, 4, 7, 8, 9}));
    CHECK((share.pairs == std::vector<Pair>{{0, 3}, {1, 4}, {2, 5}}));
}

TEST_CASE("a share of single frames is some of them") {
    const auto batch = FrameSampler({4, 5}, {.batch = 5, .seed = 1}).batch(0, 0);
    Share share;
    share_of(batch, 0, 2, share);
    CHECK((share.frames == std::vector<Index>{0, 1}));
    CHECK(share.pairs.empty());
    share_of(batch, 1, 2, share);
    CHECK((share.frames == std::vector<Index>{2, 3, 4}));
    share_of(batch, 3, 6, share);
    CHECK((share.counts && share.frames == std::vector<Index>{2}));
}
