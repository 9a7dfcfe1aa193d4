#include <mtdn/metric/category_matrix.hpp>

#include <cmath>

#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using mtdn::AbsentClass;
using mtdn::CategoryMatrix;
using mtdn::Index;
using mtdn::Labels;

namespace {

Labels random_labels(mtdn::Random& random, Index classes) {
    auto labels = mtdn::make_array<std::uint8_t>(2, 3, 5);
    for (auto& value : labels) value = random.chance(0.1) ? 255 : static_cast<std::uint8_t>(random.below(classes));
    return labels;
}

}  // namespace

TEST_CASE("Rows are the truth, columns the prediction") {
    CategoryMatrix matrix;
    matrix.add(mtdn::Mask{{0, 1, 1, 3, 255, 2}}, mtdn::Mask{{0, 1, 2, 3, 1, 255}});
    CHECK(matrix.classes() == 4);
    CHECK(matrix(0, 0) == 1);
    CHECK(matrix(1, 1) == 1);
    CHECK(matrix(2, 1) == 1);
    CHECK(matrix(1, 2) == 0);
    CHECK(matrix(3, 3) == 1);
    CHECK(matrix.total() == 4);
    CHECK(mtdn::accuracy(matrix) == 0.75);
    // F1 of 0 and 3 is 1, of 1 it is 2/3, of 2 it is 0.
    CHECK(mtdn::macro_f1(matrix) == Approx((1 + 2.0 / 3 + 0 + 1) / 4));
}

TEST_CASE("Any number of classes agrees with counting pixel by pixel") {
    mtdn::Random random{1, "matrix"};
    for (const Index classes : {1, 2, 4, 7}) {
        CategoryMatrix sum{classes}, whole{classes};
        for (int trial = 0; trial < 5; ++trial) {
            const Labels prediction = random_labels(random, classes), truth = random_labels(random, classes);
            CategoryMatrix one{classes};
            one.add(prediction, truth);
            sum += one;
            whole.add(prediction, truth);
            for (Index t = 0; t < classes; ++t)
                for (Index p = 0; p < classes; ++p) {
                    std::int64_t count = 0;
                    for (std::size_t i = 0; i < truth.size(); ++i)
                        count += truth.data()[i] == t && prediction.data()[i] == p;
                    CHECK(one(t, p) == count);
                }
        }
        CHECK(sum == whole);
        for (Index c = 0; c < classes; ++c) CHECK(whole.one_against_rest(c).total() == whole.total());
    }
}

TEST_CASE("With two classes all scores are those of the binary confusion") {
    mtdn::Random random{2, "matrix"};
    for (int trial = 0; trial < 20; ++trial) {
        const Labels prediction = random_labels(random, 2), truth = random_labels(random, 2);
        CategoryMatrix matrix{2};
        matrix.add(prediction, truth);
        const auto binary = mtdn::confusion(prediction, truth);
        CHECK(matrix.one_against_rest(1) == binary);
        CHECK(matrix.one_against_rest(0) == binary.of_background());
        CHECK(mtdn::macro_f1(matrix) == Approx(mtdn::macro_f1(binary)));
        CHECK(mtdn::accuracy(matrix) == Approx(mtdn::accuracy(binary)));
        CHECK(mtdn::kappa(matrix) == Approx(mtdn::kappa(binary)).margin(1e-14));  // rounding about 0
    }
}

TEST_CASE("Kappa by hand") {
    // Rows 4, 3, 3; columns 6, 3, 1; six on the diagonal.
    CategoryMatrix matrix{3};
    const std::uint8_t truth[] = {0, 0, 0, 0, 1, 1, 1, 2, 2, 2}, prediction[] = {0, 0, 0, 1, 1, 1, 0, 2, 0, 0};
    matrix.add(prediction, truth, 10);
    const double agreement = 0.6, chance = (4 * 6 + 3 * 3 + 3 * 1) / 100.0;
    CHECK(mtdn::kappa(matrix) == Approx((agreement - chance) / (1 - chance)));
}

TEST_CASE("Absent classes score by the rule") {
    CategoryMatrix matrix;
    matrix.add(mtdn::Mask{{0, 0, 3}}, mtdn::Mask{{0, 0, 3}});
    CHECK(mtdn::macro_f1(matrix) == 0.5);
    CHECK(mtdn::macro_f1(matrix, AbsentClass::one) == 1);
    CHECK(mtdn::macro_f1(matrix, AbsentClass::skip) == 1);
    CHECK(std::isnan(mtdn::macro_f1(matrix, AbsentClass::nan)));
    CHECK(mtdn::macro_f1(CategoryMatrix{}) == 0);
    CHECK(std::isnan(mtdn::macro_f1(CategoryMatrix{}, AbsentClass::skip)));
    CHECK(mtdn::kappa(CategoryMatrix{}, AbsentClass::one) == 1);
    CHECK(std::isnan(mtdn::accuracy(CategoryMatrix{}, AbsentClass::nan)));
}

TEST_CASE("What does not fit is refused, and counts nothing") {
    CategoryMatrix matrix;
    CHECK_THROWS_AS(matrix.add(mtdn::Mask{{0, 4}}, mtdn::Mask{{0, 1}}), mtdn::DataError);
    CHECK_THROWS_WITH(matrix.add(mtdn::Mask{{0, 1}}, mtdn::Mask{{0, 4}}),
                      Catch::Contains("CategoryMatrix: the truth has the value 4 at element 1; expected 0 to 3"));
    CHECK(matrix.total() == 0);
    CHECK_THROWS_AS(matrix.add(mtdn::Mask{{0, 1}}, mtdn::Mask{{0}}), mtdn::ShapeError);
    CHECK_THROWS_WITH(matrix += CategoryMatrix{3}, Catch::Contains("3 classes") && Catch::Contains("one of 4"));
    CHECK_THROWS_AS(CategoryMatrix{0}, mtdn::OptionError);
}
