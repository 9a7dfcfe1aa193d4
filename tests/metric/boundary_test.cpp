#include <mtdn/metric/boundary.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using mtdn::Index;
using mtdn::Mask;

namespace {

Mask random_mask(mtdn::Random& random) {
    const double density = random.uniform();
    auto mask = mtdn::make_array<std::uint8_t>(1 + random.below(9), 1 + random.below(9));
    for (auto& value : mask) value = random.chance(density * density);
    return mask;
}

Mask random_twin(mtdn::Random& random, const Mask& mask) {
    Mask twin = mask;
    for (auto& value : twin) value = random.chance(0.3) ? random.chance(0.3) : value;
    return twin;
}

std::vector<double> distances(const Mask& from, const Mask& to) {
    std::vector<double> result;
    for (Index y = 0; y < mtdn::extent(from, 0); ++y)
        for (Index x = 0; x < mtdn::extent(from, 1); ++x) {
            if (from(y, x) != 1) continue;
            double least = std::numeric_limits<double>::infinity();
            for (Index v = 0; v < mtdn::extent(to, 0); ++v)
                for (Index u = 0; u < mtdn::extent(to, 1); ++u)
                    if (to(v, u) == 1) least = std::min(least, std::hypot(double(y - v), double(x - u)));
            result.push_back(least);
        }
    return result;
}

}  // namespace

TEST_CASE("The distance transform equals a search over all pixels") {
    mtdn::Random random{1, "distance"};
    for (int trial = 0; trial < 200; ++trial) {
        const Mask set = random_mask(random);
        const auto squared = mtdn::squared_distance(set);
        const Mask everywhere = mtdn::full_array<std::uint8_t>(1, mtdn::extent(set, 0), mtdn::extent(set, 1));
        const auto expected = distances(everywhere, set);
        bool equal = true;
        for (std::size_t i = 0; i < expected.size(); ++i)
            equal &= std::isinf(expected[i]) ? squared.data()[i] == expected[i]
                                             : squared.data()[i] == std::round(expected[i] * expected[i]);
        CHECK(equal);
    }
    CHECK(mtdn::squared_distance(mtdn::make_array<std::uint8_t>(0, 5)).size() == 0);
}

TEST_CASE("A boundary is made of the pixels with a neighbour outside") {
    const Mask mask = {{1, 1, 1, 0, 0}, {1, 1, 1, 1, 0}, {1, 1, 1, 1, 1}, {0, 0, 1, 1, 1}};
    const Mask expected = {{1, 1, 1, 0, 0}, {1, 0, 0, 1, 0}, {1, 1, 0, 0, 1}, {0, 0, 1, 1, 1}};
    CHECK((mtdn::boundary(mask) == expected));
}

TEST_CASE("Distances by hand") {
    Mask a = mtdn::full_array<std::uint8_t>(0, 5, 9), b = a;
    a(1, 1) = 1;
    b(4, 5) = 1;
    CHECK(mtdn::hausdorff(a, b) == 5.0);
    CHECK(mtdn::hausdorff95(a, b) == 5.0);
    CHECK(mtdn::boundary_f1(a, b) == 0);
    CHECK(mtdn::boundary_f1(a, b, 5) == 1);
    CHECK(mtdn::boundary_f1(a, b, 4.99) == 0);
    b(1, 1) = 1;
    CHECK(mtdn::hausdorff(a, b) == 5.0);
    CHECK(*mtdn::hausdorff95(a, b) == Approx(4.75));  // 95 % of the way from 0 to 5
    CHECK(mtdn::boundary_f1(a, b) == Approx(2 * 1 * 0.5 / 1.5));
}

TEST_CASE("Empty masks") {
    const Mask empty = mtdn::full_array<std::uint8_t>(0, 3, 3), full = mtdn::full_array<std::uint8_t>(1, 3, 3);
    CHECK(mtdn::hausdorff(empty, empty) == 0.0);
    CHECK(mtdn::hausdorff95(empty, empty) == 0.0);
    CHECK(mtdn::boundary_f1(empty, empty) == 1);
    CHECK_FALSE(mtdn::hausdorff(empty, full));
    CHECK_FALSE(mtdn::hausdorff95(full, empty));
    CHECK(mtdn::boundary_f1(empty, full) == 0);
    CHECK(mtdn::boundary_f1(full, empty) == 0);
    CHECK(mtdn::hausdorff(full, full) == 0.0);
}

TEST_CASE("Scores equal a search over all pairs of boundary pixels, and are symmetric") {
    mtdn::Random random{2, "distance"};
    int defined = 0;
    for (int trial = 0; trial < 200; ++trial) {
        const Mask a = random_mask(random), b = random_twin(random, a);
        auto there = distances(mtdn::boundary(a), mtdn::boundary(b));
        auto back = distances(mtdn::boundary(b), mtdn::boundary(a));
        const auto hausdorff = mtdn::hausdorff(a, b);
        CHECK(mtdn::hausdorff(b, a) == hausdorff);
        CHECK(mtdn::hausdorff95(b, a) == mtdn::hausdorff95(a, b));
        CHECK(mtdn::boundary_f1(b, a, 1) == Approx(mtdn::boundary_f1(a, b, 1)));
        if (there.empty() || back.empty()) continue;
        ++defined;
        REQUIRE(hausdorff);
        const double greatest =
            std::max(*std::max_element(there.begin(), there.end()), *std::max_element(back.begin(), back.end()));
        CHECK(*hausdorff == Approx(greatest));
        CHECK(*mtdn::hausdorff95(a, b) <= *hausdorff);
        const auto share = [](const std::vector<double>& values) {
            return std::count_if(values.begin(), values.end(), [](double d) { return d <= 1; }) / double(values.size());
        };
        const double p = share(there), r = share(back);
        CHECK(mtdn::boundary_f1(a, b, 1) == Approx(p + r == 0 ? 0 : 2 * p * r / (p + r)));
    }
    CHECK(defined > 50);
}

TEST_CASE("Ignored pixels are background in both masks") {
    const Mask prediction = {{1, 0, 0, 0, 1}}, truth = {{1, 0, 0, 0, 255}};
    CHECK(mtdn::hausdorff(prediction, truth) == 0.0);
    CHECK(mtdn::boundary_f1(truth, prediction) == 1);
}

TEST_CASE("What does not fit is refused") {
    CHECK_THROWS_AS(mtdn::hausdorff(Mask{{0, 1}}, Mask{{0}, {1}}), mtdn::ShapeError);
    CHECK_THROWS_WITH(mtdn::hausdorff(Mask{{0, 1}}, Mask{{0, 9}}), Catch::Contains("truth has the value 9"));
    CHECK_THROWS_AS(mtdn::boundary_f1(Mask{{1}}, Mask{{1}}, -1), mtdn::OptionError);
    const mtdn::BoundaryDistances distances{Mask{{1}}, Mask{{1}}};
    CHECK_THROWS_WITH(distances.percentile(101), Catch::Contains("0 to 100, got 101"));
}
