#include <mtdn/kinetics/files.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;

namespace {

FilamentKinetics two_frames() {
    const MeasuredCurve curve{{3, 2}, {0.5, 0.5}};
    return {{0, 1}, curve, curve, {4, 4}, curve, curve, curve, {0, 0}, 0};
}

}  // namespace

TEST_CASE("a table of kinetics takes figures of as many frames as there are names, in the same columns") {
    CsvTable table;
    add_kinetics_rows(table, "a", {"0.png", "1.png"}, two_frames(), {}, 0, {7, 8});
    REQUIRE(table.rows.size() == 2);
    CHECK(table.numbers("true_volume_px3") == std::vector<double>{7, 8});
    CHECK(table.numbers("volume_px3_low") == std::vector<double>{2.5, 1.5});
    const auto error = [&](const std::vector<std::string>& frames, const FilamentKinetics& kinetics, double pixel_nm,
                           const std::vector<double>& truth) {
        auto copy = table;
        return message_of<ShapeError>([&] { add_kinetics_rows(copy, "b", frames, kinetics, {}, pixel_nm, truth); });
    };
    CHECK_THAT(error({"0.png", "1.png", "2.png"}, two_frames(), 0, {}), Contains("3 frame names, and figures of 2"));
    CHECK_THAT(error({"0.png", "1.png"}, two_frames(), 0, {7}), Contains("2 frames, but 1 true volumes"));
    auto short_rate = two_frames();
    short_rate.rate.error.pop_back();
    CHECK_THAT(error({"0.png", "1.png"}, short_rate, 0, {}), Contains("expected as many of all"));
    CHECK_THAT(error({"0.png", "1.png"}, two_frames(), 0.5, {}), Contains("other columns than sequence \"b\""));
}

TEST_CASE("a table of areas takes as many as there are frames and partners") {
    const std::vector<std::string> frames{"0.png", "1.png"};
    const std::vector<std::vector<std::string>> partners{{"1.png"}, {"0.png"}};
    CHECK(areas_table({{"A1", {{5}, {6}}}}, frames, partners).rows[1] ==
          std::vector<std::string>{"1.png", "0.png", "6"});
    const auto error = [&](const EnsembleAreas& areas, const std::vector<std::vector<std::string>>& others) {
        return message_of<ShapeError>([&] { areas_table(areas, frames, others); });
    };
    CHECK_THAT(error({{"A1", {{5}, {6}}}}, {{"1.png"}}), Contains("2 frames, but partners of 1"));
    CHECK_THAT(error({{"A1", {{5}}}}, partners), Contains("2 frames, but areas of A1 in 1"));
    CHECK_THAT(error({{"A1", {{5}, {}}}}, partners), Contains("frame \"1.png\" has 1 partners, but 0 areas of A1"));
}
