#include <mtdn/metric/confusion.hpp>

#include <cmath>

#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using mtdn::AbsentClass;
using mtdn::BinaryConfusion;
using mtdn::Mask;

TEST_CASE("The truth table of a pixel") {
    struct Row {
        std::uint8_t prediction, truth;
        BinaryConfusion expected;
    };
    for (const Row& row : {Row{1, 1, {1, 0, 0, 0}}, Row{1, 0, {0, 1, 0, 0}}, Row{0, 1, {0, 0, 1, 0}},
                           Row{0, 0, {0, 0, 0, 1}}, Row{255, 1, {}}, Row{0, 255, {}}, Row{255, 255, {}}})
        CHECK(mtdn::confusion(Mask{{row.prediction}}, Mask{{row.truth}}) == row.expected);
}

TEST_CASE("Confusions of whole masks equal the pixels' sum") {
    mtdn::Random random{1, "confusion"};
    for (int trial = 0; trial < 30; ++trial) {
        auto a = mtdn::make_array<std::uint8_t>(2, 4, 5), b = a;
        for (auto& value : a) value = random.chance(0.1) ? 255 : random.chance(0.4);
        for (auto& value : b) value = random.chance(0.1) ? 255 : random.chance(0.4);
        BinaryConfusion sum;
        for (std::size_t i = 0; i < a.size(); ++i) sum += mtdn::confusion(Mask{{a.data()[i]}}, Mask{{b.data()[i]}});
        const BinaryConfusion whole = mtdn::confusion(a, b);
        CHECK(whole == sum);
        CHECK(whole.of_background().of_background() == whole);
        CHECK(whole.of_background().total() == whole.total());
    }
}

TEST_CASE("Scores by hand") {
    constexpr BinaryConfusion c{3, 1, 2, 4};
    static_assert(mtdn::f1(c) == 6.0 / 9);
    CHECK(mtdn::iou(c) == Approx(3.0 / 6));
    CHECK(mtdn::precision(c) == Approx(3.0 / 4));
    CHECK(mtdn::recall(c) == Approx(3.0 / 5));
    CHECK(mtdn::accuracy(c) == Approx(0.7));
    CHECK(mtdn::macro_f1(c) == Approx((6.0 / 9 + 8.0 / 11) / 2));
    CHECK(mtdn::macro_iou(c) == Approx((3.0 / 6 + 4.0 / 7) / 2));
    CHECK(mtdn::macro_precision(c) == Approx((3.0 / 4 + 4.0 / 6) / 2));
    CHECK(mtdn::macro_recall(c) == Approx((3.0 / 5 + 4.0 / 5) / 2));
    const double chance = 0.4 * 0.5 + 0.6 * 0.5;
    CHECK(mtdn::kappa(c) == Approx((0.7 - chance) / (1 - chance)));
    CHECK(mtdn::kappa(BinaryConfusion{5, 0, 0, 5}) == 1);
    CHECK(mtdn::kappa(BinaryConfusion{0, 5, 5, 0}) == -1);
}

TEST_CASE("F1 and IoU tell the same, and nothing is above 1") {
    mtdn::Random random{2, "confusion"};
    for (int trial = 0; trial < 100; ++trial) {
        const BinaryConfusion c{random.below(9), random.below(9), random.below(9), random.below(9)};
        CHECK(mtdn::f1(c) == Approx(2 * mtdn::iou(c) / (1 + mtdn::iou(c))));
        for (auto score : {mtdn::f1, mtdn::iou, mtdn::precision, mtdn::recall}) {
            CHECK(score(c, AbsentClass::zero) >= 0);
            CHECK(score(c, AbsentClass::zero) <= 1);
        }
    }
}

TEST_CASE("A class absent from truth and prediction scores by the rule") {
    const BinaryConfusion empty{0, 0, 0, 9};  // a perfect empty frame
    CHECK(mtdn::f1(empty) == 0);
    CHECK(mtdn::macro_f1(empty) == 0.5);
    CHECK(mtdn::macro_iou(empty, AbsentClass::zero) == 0.5);
    CHECK(mtdn::f1(empty, AbsentClass::one) == 1);
    CHECK(mtdn::macro_f1(empty, AbsentClass::one) == 1);
    CHECK(std::isnan(mtdn::f1(empty, AbsentClass::skip)));
    CHECK(mtdn::macro_f1(empty, AbsentClass::skip) == 1);
    CHECK(mtdn::macro_recall(empty.of_background(), AbsentClass::skip) == 1);
    CHECK(std::isnan(mtdn::macro_f1(empty, AbsentClass::nan)));
    CHECK(mtdn::kappa(empty) == 0);
    CHECK(mtdn::kappa(empty, AbsentClass::one) == 1);
    CHECK(std::isnan(mtdn::kappa(empty, AbsentClass::skip)));

    CHECK(std::isnan(mtdn::macro_f1(BinaryConfusion{}, AbsentClass::skip)));
    CHECK(std::isnan(mtdn::accuracy(BinaryConfusion{}, AbsentClass::nan)));
    CHECK(mtdn::accuracy(BinaryConfusion{}) == 0);
}

TEST_CASE("A class that is there but never found scores 0 under every rule") {
    const BinaryConfusion missed{0, 0, 3, 6}, invented{0, 3, 0, 6};
    for (const AbsentClass rule : {AbsentClass::zero, AbsentClass::one, AbsentClass::skip, AbsentClass::nan}) {
        CHECK(mtdn::f1(missed, rule) == 0);
        CHECK(mtdn::precision(missed, rule) == 0);
        CHECK(mtdn::recall(invented, rule) == 0);
        CHECK(mtdn::iou(invented, rule) == 0);
    }
}

TEST_CASE("Masks that do not fit are refused") {
    CHECK_THROWS_AS(mtdn::confusion(Mask{{0, 1}}, Mask{{0}, {1}}), mtdn::ShapeError);
    CHECK_THROWS_WITH(mtdn::confusion(Mask{{0, 1}}, Mask{{0}, {1}}),
                      "confusion: the prediction has size (1, 2), the truth (2, 1); they must be equal");
    CHECK_THROWS_AS(mtdn::confusion(Mask{{0, 1}}, Mask{{0, 3}}), mtdn::DataError);
    CHECK_THROWS_WITH(mtdn::confusion(Mask{{0, 1}}, Mask{{0, 3}}),
                      Catch::Contains("confusion: the truth has the value 3 at row 0, column 1"));
}
