#include <mtdn/change/labels.hpp>

#include <algorithm>
#include <array>
#include <vector>

#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using mtdn::change_labels;
using mtdn::ignore_label;
using mtdn::Index;
using mtdn::Mask;
using mtdn::Masks;

namespace {

Masks random_masks(mtdn::Random& random, double ignored) {
    auto masks = mtdn::make_array<std::uint8_t>(3, 5, 7);
    for (auto& value : masks) value = random.chance(ignored) ? ignore_label : random.chance(0.4);
    return masks;
}

}  // namespace

TEST_CASE("Labels of all pairs of mask values") {
    const Mask query = {{0, 0, 1, 1, 255, 255, 255, 0, 1}};
    const Mask partner = {{0, 1, 0, 1, 0, 1, 255, 255, 255}};
    const Mask labels = change_labels(query, partner);
    CHECK((labels == Mask{{0, 1, 2, 3, 255, 255, 255, 255, 255}}));
    CHECK((mtdn::recover_query(labels) == Mask{{0, 0, 1, 1, 255, 255, 255, 255, 255}}));
    CHECK((mtdn::recover_partner(labels) == Mask{{0, 1, 0, 1, 255, 255, 255, 255, 255}}));
}

TEST_CASE("Recovering undoes deriving, on whole images") {
    mtdn::Random random{1, "labels"};
    for (int trial = 0; trial < 50; ++trial) {
        const Masks query = random_masks(random, 0), partner = random_masks(random, 0);
        const mtdn::Labels labels = change_labels(query, partner);
        CHECK((mtdn::recover_query(labels) == query));
        CHECK((mtdn::recover_partner(labels) == partner));
        CHECK((change_labels(mtdn::recover_query(labels), mtdn::recover_partner(labels)) == labels));

        const mtdn::Labels back = change_labels(partner, query);
        bool exchanged = true;
        for (std::size_t i = 0; i < labels.size(); ++i)
            exchanged &= back.data()[i] ==
                         static_cast<std::uint8_t>(mtdn::swapped(static_cast<mtdn::Category>(labels.data()[i])));
        CHECK(exchanged);
    }
}

TEST_CASE("A change map with ignored pixels survives being recovered and derived again") {
    mtdn::Random random{2, "labels"};
    for (int trial = 0; trial < 20; ++trial) {
        const Masks query = random_masks(random, 0.2), partner = random_masks(random, 0.2);
        const mtdn::Labels labels = change_labels(query, partner);
        CHECK((change_labels(mtdn::recover_query(labels), mtdn::recover_partner(labels)) == labels));
        Index ignored = 0, expected = 0;
        for (std::size_t i = 0; i < labels.size(); ++i) {
            ignored += labels.data()[i] == ignore_label;
            expected += query.data()[i] == ignore_label || partner.data()[i] == ignore_label;
        }
        CHECK(ignored == expected);
    }
}

TEST_CASE("Pointers give what arrays give") {
    mtdn::Random random{3, "labels"};
    const Masks query = random_masks(random, 0.1), partner = random_masks(random, 0.1);
    std::vector<std::uint8_t> labels(query.size());
    change_labels(query.data(), partner.data(), labels.data(), static_cast<Index>(labels.size()));
    const auto expected = change_labels(query, partner);
    CHECK(std::equal(labels.begin(), labels.end(), expected.data()));

    std::vector<std::uint8_t> wrong{0, 1, 2};
    CHECK_THROWS_AS(change_labels(wrong.data(), wrong.data(), labels.data(), 3), mtdn::DataError);
    CHECK_THROWS_WITH(change_labels(wrong.data(), wrong.data(), labels.data(), 3),
                      Catch::Contains("change_labels: the query mask has the value 2 at element 2"));
    CHECK_NOTHROW(change_labels(wrong.data(), wrong.data(), labels.data(), 2));
}

TEST_CASE("Any expression of the right rank will do") {
    const Masks masks = {{{0, 1}, {1, 0}}, {{1, 1}, {0, 0}}};
    const std::array<std::size_t, 2> shape{2, 2};
    const auto first = xt::adapt(mtdn::frame_data(masks, 0), 4, xt::no_ownership(), shape);
    const auto second = xt::adapt(mtdn::frame_data(masks, 1), 4, xt::no_ownership(), shape);
    CHECK((change_labels(first, second) == Mask{{1, 3}, {2, 0}}));
    const mtdn::Array<double, 2> area = {{0.2, 0.9}, {0.7, 0.1}};
    CHECK((change_labels(area > 0.5, second) == Mask{{1, 3}, {2, 0}}));
    const mtdn::Array<bool, 3> truths = {{{true, false}}};
    CHECK((change_labels(truths, truths) == mtdn::Labels{{{3, 0}}}));
    const mtdn::Array<float, 2> labels = {{3, 2}};
    CHECK((mtdn::recover_partner(labels) == Mask{{1, 0}}));
}

TEST_CASE("Wrong masks are refused with the pixel or both sizes") {
    const Mask good = {{0, 1, 0}, {1, 1, 0}}, wrong = {{0, 1, 0}, {1, 128, 0}};
    CHECK_THROWS_AS(change_labels(good, wrong), mtdn::DataError);
    CHECK_THROWS_WITH(
        change_labels(good, wrong),
        "change_labels: the partner mask has the value 128 at row 1, column 1; expected 0 to 1 or 255 (ignore)");
    CHECK_THROWS_WITH(change_labels(wrong, good), Catch::Contains("query mask has the value 128"));
    CHECK_THROWS_AS(change_labels(good, Mask{{0, 1, 0}}), mtdn::ShapeError);
    CHECK_THROWS_WITH(change_labels(good, Mask{{0, 1, 0}}),
                      Catch::Contains("query mask has size (2, 3), the partner mask (1, 3)"));
    CHECK_THROWS_AS(change_labels(good, Masks{{{0, 1, 0}, {1, 1, 0}}}), mtdn::ShapeError);
    CHECK_THROWS_WITH(
        mtdn::recover_query(Mask{{0, 4}}),
        Catch::Contains("recover_query: the change map has the value 4 at row 0, column 1; expected 0 to 3"));
    CHECK_THROWS_WITH(mtdn::recover_partner(Mask{{7}}), Catch::Contains("recover_partner") && Catch::Contains("7"));
}
