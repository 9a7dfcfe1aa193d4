#include <mtdn/metric/score.hpp>

#include <cmath>
#include <sstream>
#include <string>

#include "support/catch.hpp"

using mtdn::BinaryConfusion;
using mtdn::Masks;
using mtdn::ScoreTable;
using mtdn::TaskMasks;

namespace {

const TaskMasks truth{{"A1", Masks{{{1, 1, 0, 0}}, {{0, 0, 0, 0}}}}, {"A2", Masks{{{1, 0, 0, 0}}, {{0, 0, 0, 255}}}}};
const TaskMasks prediction{{"A1", Masks{{{1, 0, 0, 0}}, {{0, 0, 0, 0}}}},
                           {"A2", Masks{{{1, 0, 0, 0}}, {{1, 0, 0, 0}}}}};

std::string text_of(const auto& value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

}  // namespace

TEST_CASE("One sequence: frames, total and mean over frames") {
    const mtdn::SequenceScore score = mtdn::score(prediction, truth);
    const mtdn::TaskScore& a1 = score.tasks.at("A1");
    CHECK(a1.frames == std::vector<BinaryConfusion>{{1, 0, 1, 2}, {0, 0, 0, 4}});
    CHECK(a1.total() == BinaryConfusion{1, 0, 1, 6});
    const double first = (2.0 / 3 + 4.0 / 5) / 2;
    CHECK(a1.frame_mean(mtdn::macro_f1) == Approx((first + 0.5) / 2));
    CHECK(a1.frame_mean(mtdn::macro_f1, mtdn::AbsentClass::one) == Approx((first + 1) / 2));
    CHECK(a1.frame_mean(mtdn::f1, mtdn::AbsentClass::skip) == Approx(2.0 / 3));
    CHECK(std::isnan(a1.frame_mean(mtdn::f1, mtdn::AbsentClass::nan)));
    CHECK(std::isnan(mtdn::TaskScore{}.frame_mean(mtdn::f1)));
    CHECK(score.tasks.at("A2").total() == BinaryConfusion{1, 1, 0, 5});  // the ignored pixel is not there
}

TEST_CASE("Tasks that only one side has are left out") {
    CHECK(mtdn::score(prediction, {{"A2", truth.at("A2")}}).tasks.size() == 1);
    CHECK(mtdn::score({{"A1", prediction.at("A1")}}, truth).tasks.size() == 1);
    CHECK_THROWS_AS(mtdn::score(prediction, {{"B", truth.at("A2")}}), mtdn::DataError);
    CHECK_THROWS_WITH(mtdn::score(prediction, {{"B", truth.at("A2")}}),
                      Catch::Contains("no task in common; predicted: A1, A2; in the truth: B"));
    CHECK_THROWS_WITH(mtdn::score({}, truth), Catch::Contains("predicted: none"));
}

TEST_CASE("Masks that do not fit are refused with the task") {
    const TaskMasks narrow{{"A2", Masks{{{0, 0}}, {{0, 0}}}}};
    CHECK_THROWS_AS(mtdn::score(narrow, truth), mtdn::ShapeError);
    CHECK_THROWS_WITH(mtdn::score(narrow, truth),
                      "score: task \"A2\": the prediction has size (2, 1, 2), the truth (2, 1, 4); they must be equal");
    TaskMasks wrong = prediction;
    wrong["A1"](1, 0, 2) = 7;
    CHECK_THROWS_AS(mtdn::score(wrong, truth), mtdn::DataError);
    CHECK_THROWS_WITH(mtdn::score(wrong, truth),
                      Catch::Contains("task \"A1\"") && Catch::Contains("value 7 at frame 1, row 0, column 2"));
}

TEST_CASE("A table adds sequences to totals and tasks to one figure") {
    ScoreTable table;
    CHECK(std::isnan(table.overall()));
    table.add("first", mtdn::score(prediction, truth));
    table.add("second", mtdn::score({{"A1", truth.at("A1")}}, truth));
    CHECK(table.tasks() == std::vector<std::string>{"A1", "A2"});
    CHECK(table.rows().size() == 2);
    CHECK(table.task("A1").total() == BinaryConfusion{3, 0, 1, 12});
    CHECK(table.task("A1").frames.size() == 4);
    CHECK(table.task("A2").total() == BinaryConfusion{1, 1, 0, 5});
    const double expected = (mtdn::macro_f1(table.task("A1").total()) + mtdn::macro_f1(table.task("A2").total())) / 2;
    CHECK(table.overall() == Approx(expected));
    CHECK(table.mean_of_totals(mtdn::iou) == Approx((3.0 / 4 + 1.0 / 2) / 2));
    CHECK_THROWS_AS(table.task("B"), mtdn::OptionError);
    CHECK_THROWS_WITH(table.add("first", {}), Catch::Contains("\"first\" is in it already"));
}

TEST_CASE("Scores are written aligned, macro and feature side by side") {
    const std::string expected =
        "task  frames  macro F1  feature F1  macro IoU  feature IoU  macro F1/frame  feature F1/frame\n"
        "A1         2   0.79487     0.66667    0.67857      0.50000         0.61667           0.33333\n"
        "A2         2   0.78788     0.66667    0.66667      0.50000         0.70000           0.50000";
    CHECK(text_of(mtdn::score(prediction, truth)) == expected);

    ScoreTable table;
    table.add("first", mtdn::score(prediction, truth));
    table.add("after it", mtdn::score({{"A1", truth.at("A1")}}, truth));
    const std::string text = text_of(table);
    INFO(text);
    CHECK_THAT(text, Catch::StartsWith("task / sequence  frames  macro F1  feature F1"));
    CHECK_THAT(text, Catch::Contains("\nA1\n  first               2   0.79487     0.66667"));
    CHECK_THAT(text, Catch::Contains("\n  after it            2   1.00000     1.00000"));
    CHECK_THAT(text, Catch::Contains("\n  total               4   "));
    CHECK_THAT(text, Catch::Contains("\nA2\n  first  "));
    CHECK_THAT(text, Catch::Contains("\noverall                   " + mtdn::detail::score_digits(table.overall())));
    CHECK_THAT(text_of(ScoreTable{}), Catch::Contains("overall") && Catch::Contains("–"));
}
