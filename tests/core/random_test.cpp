#include <mtdn/core/random.hpp>

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "support/catch.hpp"

using mtdn::Index;
using mtdn::Random;

// Known answers published with Random123 (philox4x32, 10 rounds).
static_assert(mtdn::philox({0, 0, 0, 0}, {0, 0}) ==
              std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(mtdn::philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
              std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(mtdn::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});

static_assert(std::uniform_random_bit_generator<Random>);

TEST_CASE("A stream is a function of seed, purpose, epoch and item") {
    const auto first = [](Random random) {
        std::array<std::uint32_t, 9> words{};
        for (auto& word : words) word = random();
        return words;
    };
    const Random root{7};
    CHECK(first(Random{7, "crop", 3, 4}) == first(root.stream("crop", 3, 4)));

    Random used{7};
    for (int i = 0; i < 5; ++i) used();
    CHECK(first(used.stream("crop", 3, 4)) == first(Random{7, "crop", 3, 4}));

    std::set<std::array<std::uint32_t, 9>> seen;
    for (std::uint64_t seed : {0, 7})
        for (const char* purpose : {"", "crop", "flip"})
            for (std::uint64_t epoch : {0, 1})
                for (std::uint64_t item : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40})
                    seen.insert(first(Random{seed, purpose, epoch, item}));
    CHECK(seen.size() == 2 * 3 * 2 * 3);
}

TEST_CASE("Distributions have the moments they should") {
    // 20 000 draws: the mean of a uniform one has standard error 0.002, of a normal one 0.007; 5 errors are allowed.
    constexpr int draws = 20000;
    Random random{1, "moments"};
    double uniform = 0, normal = 0, square = 0, heads = 0, least = 1, greatest = 0;
    for (int i = 0; i < draws; ++i) {
        const double u = random.uniform(), n = random.normal();
        uniform += u / draws;
        normal += n / draws;
        square += n * n / draws;
        heads += random.chance(0.25) ? 1.0 / draws : 0.0;
        least = std::min(least, u);
        greatest = std::max(greatest, u);
    }
    CHECK(uniform == Approx(0.5).margin(0.0105));
    CHECK(normal == Approx(0).margin(0.036));
    CHECK(square == Approx(1).margin(0.05));
    CHECK(heads == Approx(0.25).margin(0.0155));
    CHECK(least >= 0);
    CHECK(least < 0.001);
    CHECK(greatest < 1);
    CHECK(greatest > 0.999);
    CHECK_FALSE(random.chance(0));
    CHECK(random.chance(1));
    for (int i = 0; i < 100; ++i) {
        const double u = random.uniform(-2, 3);
        CHECK((u >= -2 && u < 3));
    }
}

TEST_CASE("below draws every number as often") {
    Random random{1, "below"};
    std::array<int, 5> tally{};
    for (int i = 0; i < 5000; ++i) ++tally.at(static_cast<std::size_t>(random.below(5)));
    for (int count : tally) CHECK(count == Approx(1000).margin(150));  // five standard errors are 141
    CHECK(random.below(1) == 0);
    CHECK_THROWS_AS(random.below(0), mtdn::OptionError);
    CHECK_THROWS_WITH(random.below(-3), Catch::Contains("below") && Catch::Contains("-3"));
}

TEST_CASE("shuffle gives every order") {
    std::set<std::vector<int>> orders;
    Random random{1, "shuffle"};
    for (int i = 0; i < 300; ++i) {
        std::vector<int> values{1, 2, 3, 4};
        random.shuffle(values.begin(), values.end());
        orders.insert(values);
    }
    CHECK(orders.size() == 24);  // each is missed with probability (23/24)^300 = 3e-6
    for (const auto& order : orders) CHECK(std::accumulate(order.begin(), order.end(), 0) == 10);
}
