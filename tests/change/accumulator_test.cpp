#include <mtdn/change/accumulator.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using mtdn::Index;
using mtdn::Mask;
using mtdn::PredictionAccumulator;
using mtdn::Slot;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

double entropy(double p) { return p <= 0 || p >= 1 ? 0 : -p * std::log2(p) - (1 - p) * std::log2(1 - p); }

std::vector<float> random_logits(mtdn::Random& random, int pixels) {
    std::vector<float> logits(static_cast<std::size_t>(4 * pixels));
    for (auto& logit : logits) logit = static_cast<float>(2 * random.normal());
    return logits;
}

}  // namespace

TEST_CASE("One pair's categories become the mask of the frame in either slot") {
    const std::uint8_t categories[] = {0, 1, 2, 3};
    PredictionAccumulator as_query{1, 4}, as_partner{1, 4};
    as_query.add_categories(categories);
    as_partner.add_categories(categories, Slot::partner);
    CHECK((as_query.mask() == Mask{{0, 0, 1, 1}}));
    CHECK((as_partner.mask() == Mask{{0, 1, 0, 1}}));
    CHECK((as_query.uncertainty() == mtdn::Image{{0, 0, 0, 0}}));
    CHECK(as_query.height() == 1);
    CHECK(as_query.width() == 4);
    CHECK(as_query.count() == 1);
    CHECK(as_query.last_area() == 2);
    as_query.add_categories(std::array<std::uint8_t, 4>{0, 1, 1, 3}.data());
    CHECK(as_query.last_area() == 1);
    PredictionAccumulator soft{1, 1, true};
    soft.add_logits(std::array<float, 4>{0, 0, 0, 0}.data());
    CHECK(soft.last_area() == 0.5);
}

TEST_CASE("Votes are averaged, and a tie is background") {
    // One pixel a column: 0, 1, 2, 3 and 4 votes of 4 for feature.
    PredictionAccumulator votes{1, 5};
    for (int vote = 0; vote < 4; ++vote) {
        std::array<std::uint8_t, 5> categories{};
        for (int x = 0; x < 5; ++x) categories[static_cast<std::size_t>(x)] = vote < x ? 2 : 1;
        votes.add_categories(categories.data());
    }
    CHECK((votes.mask() == Mask{{0, 0, 0, 1, 1}}));
    CHECK((votes.share() == mtdn::Image{{0, 0.25F, 0.5F, 0.75F, 1}}));
    for (Index x = 0; x < 5; ++x)
        CHECK(votes.uncertainty()(0, x) == static_cast<float>(entropy(static_cast<double>(x) / 4)));
    CHECK(votes.uncertainty()(0, 2) == 1);
    votes.reset();
    CHECK(votes.count() == 0);
    votes.add_categories(std::array<std::uint8_t, 5>{}.data());
    CHECK((votes.mask() == Mask{{0, 0, 0, 0, 0}}));
}

TEST_CASE("Equal logits go to the lowest category") {
    struct Row {
        std::array<float, 4> logits;
        int category;
    };
    for (const Row& row : {Row{{0, 0, 0, 0}, 0}, Row{{-1, 2, 2, 2}, 1}, Row{{-1, 0, 3, 3}, 2}, Row{{0, 0, 0, 1}, 3},
                           Row{{-infinity, -infinity, -5, -infinity}, 2}})
        CHECK(mtdn::largest_logit(row.logits.data()) == row.category);
}

TEST_CASE("Logits vote as their largest category does") {
    mtdn::Random random{1, "logits"};
    PredictionAccumulator by_logits{2, 3}, by_categories{2, 3};
    for (int pair = 0; pair < 9; ++pair) {
        const auto logits = random_logits(random, 6);
        std::array<std::uint8_t, 6> categories{};
        for (std::size_t i = 0; i < 6; ++i) categories[i] = mtdn::largest_logit(logits.data() + 4 * i);
        const Slot slot = pair % 2 ? Slot::partner : Slot::query;
        by_logits.add_logits(logits.data(), slot);
        by_categories.add_categories(categories.data(), slot);
    }
    CHECK((by_logits.share() == by_categories.share()));
    CHECK((by_logits.mask() == by_categories.mask()));
    CHECK((by_logits.uncertainty() == by_categories.uncertainty()));
}

TEST_CASE("Soft averaging takes the mean probability of feature in the slot, in any order of pairs") {
    mtdn::Random random{2, "logits"};
    constexpr int pixels = 6, pairs = 7;
    std::vector<std::vector<float>> logits;
    std::vector<double> mean(pixels, 0);
    for (int pair = 0; pair < pairs; ++pair) {
        logits.push_back(random_logits(random, pixels));
        for (std::size_t i = 0; i < pixels; ++i) {
            std::array<double, 4> power{};
            for (std::size_t c = 0; c < 4; ++c) power[c] = std::exp(double{logits.back()[4 * i + c]});
            const double feature = power[3] + (pair % 2 ? power[1] : power[2]);
            mean[i] += feature / (power[0] + power[1] + power[2] + power[3]) / pairs;
        }
    }
    PredictionAccumulator forwards{2, 3, true}, backwards{2, 3, true};
    const auto slot = [](int pair) { return pair % 2 ? Slot::partner : Slot::query; };
    for (int pair = 0; pair < pairs; ++pair) {
        forwards.add_logits(logits[static_cast<std::size_t>(pair)].data(), slot(pair));
        backwards.add_logits(logits[static_cast<std::size_t>(pairs - 1 - pair)].data(), slot(pairs - 1 - pair));
    }
    CHECK(forwards.soft());
    for (std::size_t i = 0; i < pixels; ++i) {
        CHECK(forwards.share().data()[i] == Approx(mean[i]).margin(1e-7));  // single precision of the result
        CHECK(forwards.uncertainty().data()[i] == Approx(entropy(mean[i])).margin(1e-6));
        CHECK(forwards.mask().data()[i] == (mean[i] > 0.5));
    }
    CHECK((forwards.share() == backwards.share()));
}

TEST_CASE("A probability of exactly one half is background, and great logits stay finite") {
    PredictionAccumulator soft{1, 3, true};
    const float logits[] = {0, 0, 0, 0, 1e30F, -1e30F, -1e30F, -1e30F, -1e30F, 0, 1e30F, -infinity};
    soft.add_logits(logits);
    CHECK((soft.share() == mtdn::Image{{0.5F, 0, 1}}));
    CHECK((soft.mask() == Mask{{0, 0, 1}}));
    CHECK((soft.uncertainty() == mtdn::Image{{1, 0, 0}}));
}

TEST_CASE("What cannot be averaged is refused") {
    PredictionAccumulator votes{2, 2}, soft{2, 2, true};
    const std::uint8_t categories[] = {0, 1, 4, 3};
    CHECK_THROWS_AS(votes.add_categories(categories), mtdn::DataError);
    CHECK_THROWS_WITH(votes.add_categories(categories),
                      "PredictionAccumulator: category 4 at row 1, column 0; expected 0 to 3");
    CHECK_THROWS_AS(soft.add_categories(categories), mtdn::OptionError);
    CHECK_THROWS_WITH(soft.add_categories(categories), Catch::Contains("takes logits, not categories"));
    CHECK_THROWS_AS(votes.mask(), mtdn::OptionError);
    CHECK_THROWS_WITH(votes.uncertainty(), Catch::Contains("no pair was added"));
    CHECK_THROWS_AS(soft.share(), mtdn::OptionError);
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), infinity}) {
        std::vector<float> logits(16, 0);
        logits[13] = bad;
        CHECK_THROWS_AS(soft.add_logits(logits.data()), mtdn::DataError);
        CHECK_THROWS_WITH(votes.add_logits(logits.data()), Catch::Contains("row 1, column 1"));
    }
    const std::vector<float> nothing(16, -infinity);
    CHECK_THROWS_AS(soft.add_logits(nothing.data()), mtdn::DataError);
    CHECK(soft.count() == 0);
    CHECK_THROWS_AS((PredictionAccumulator{-1, 2}), mtdn::ShapeError);
}
