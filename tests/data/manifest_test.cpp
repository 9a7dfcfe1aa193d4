#include <mtdn/data/manifest.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;

namespace {

Manifest parsed(const std::string& text) { return parse_manifest(parse_json(text, "film.json"), "film.json"); }

/// The message of the error that a manifest draws.
std::string failure(const std::string& text) {
    return message_of<DataError>([&] { parsed(text); });
}

std::string with_sequence(const std::string& body) { return R"({"sequences": {"a": {)" + body + "}}}"; }

}  // namespace

TEST_CASE("a manifest's every key is read") {
    const auto manifest = parsed(R"({
        "name": "film", "frames": "f/*.tif", "tasks": {"A2": "m/2/*.png", "A1": "m/1/*.png"},
        "mask": {"feature": 0, "background": 255, "threshold": 100.5}, "white": 4095,
        "time": {"frames_per_second": 4, "first_frame_number": 10}, "pixel_size_nm": 0.52,
        "metadata": {"whoever": ["wrote", 1]},
        "sequences": {
            "b": {"split": "train", "metadata": {"diameter_nm": 24}},
            "a": {"split": "validation", "frames": "other/*.png", "tasks": {}, "seconds": [0, 1.5],
                  "series": {"volume": [3, 2]}},
            "c": {"split": "test", "time": {"frames_per_second": 1}, "tasks": {"A3": "x/*.png"}, "white": 1023}}})");
    CHECK(manifest.description.name == "film");
    CHECK(manifest.description.tasks == std::vector<std::string>{"A2", "A1", "A3"});
    CHECK(manifest.description.pixel_size_nm == 0.52);
    CHECK(manifest.description.metadata == R"({"whoever":["wrote",1]})");
    CHECK((manifest.polarity == MaskPolarity{0, 255}));
    CHECK(manifest.threshold == 100.5);
    REQUIRE(manifest.sequences.size() == 3);
    const auto &b = manifest.sequences[0], &a = manifest.sequences[1], &c = manifest.sequences[2];
    CHECK((b.name == "b" && b.split == Split::train && b.frames == "f/*.tif" && b.tasks.size() == 2));
    CHECK((b.time->frames_per_second == 4 && b.time->first_frame_number == 10));
    CHECK(b.metadata == R"({"diameter_nm":24})");
    CHECK((a.split == Split::validation && a.frames == "other/*.png" && a.tasks.empty()));
    CHECK(a.seconds == std::vector<double>{0, 1.5});
    CHECK(a.series.at("volume") == std::vector<double>{3, 2});
    CHECK((c.split == Split::test && c.time->frames_per_second == 1 && c.time->first_frame_number == 0));
    CHECK((b.time_is_shared && !c.time_is_shared));
    CHECK((a.white == 4095 && b.white == 4095 && c.white == 1023));
}

TEST_CASE("a manifest's defaults") {
    const auto manifest = parsed(with_sequence(R"("split": "test")"));
    CHECK((manifest.polarity == MaskPolarity{255, 0}));
    CHECK(manifest.sequences[0].frames == "frames/*.png");
    CHECK_FALSE(manifest.sequences[0].time);
    CHECK_FALSE(manifest.threshold);
    CHECK(manifest.sequences[0].white == 0);
    CHECK(manifest.description.pixel_size_nm == 0);
}

TEST_CASE("an unknown key is an error that names it, its place and the known ones") {
    CHECK_THAT(failure(R"({"fames": "x", "sequences": {}})"),
               Contains("film.json") && Contains("unknown key \"fames\"") && Contains("frames, tasks, mask") &&
                   Contains("metadata"));
    CHECK_THAT(failure(with_sequence(R"("split": "test", "frame": 1)")),
               Contains("sequence \"a\"") && Contains("unknown key \"frame\"") && Contains("split, frames, tasks"));
    CHECK_THAT(failure(R"({"mask": {"feture": 1}, "sequences": {}})"), Contains("\"mask\"") &&
                                                                           Contains("unknown key \"feture\"") &&
                                                                           Contains("feature, background, threshold"));
    CHECK_THAT(failure(R"({"time": {"fps": 1}, "sequences": {}})"), Contains("\"time\"") && Contains("\"fps\""));
}

TEST_CASE("a sequence belongs to one split") {
    CHECK_THAT(failure(with_sequence(R"("split": ["train", "test"])")),
               Contains("\"a\"") && Contains("2 splits") && Contains("belongs to one"));
    CHECK_THAT(failure(with_sequence(R"("split": "training")")),
               Contains("train, validation or test") && Contains("\"training\""));
    CHECK_THAT(failure(with_sequence("")), Contains("has no \"split\""));
    // Twice in one object: JSON allows it, the parser does not.
    CHECK_THAT(
        message_of<IoError>([] { parsed(R"({"sequences": {"a": {"split": "train"}, "a": {"split": "test"}}})"); }),
        Contains("\"a\" stands twice"));
}

TEST_CASE("a value of the wrong kind is an error that shows it") {
    CHECK_THAT(failure("[]"), Contains("film.json: expected an object, found array"));
    CHECK_THAT(failure("{}"), Contains("no \"sequences\""));
    CHECK_THAT(failure(R"({"sequences": {}})"), Contains("names no sequence"));
    CHECK_THAT(failure(R"({"name": 3, "sequences": {}})"), Contains("\"name\": expected a text, found 3"));
    CHECK_THAT(failure(R"({"tasks": {"A1": null}, "sequences": {}})"), Contains("\"A1\": expected a text, found null"));
    CHECK_THAT(failure(R"({"mask": {"feature": 256}, "sequences": {}})"), Contains("0 to 255, found 256"));
    for (const std::string value : {"0", "65536", "4095.5"})
        CHECK_THAT(failure(R"({"white": )" + value + R"(, "sequences": {}})"),
                   Contains("\"white\": expected a whole number from 1 to 65535, found " + value));
    CHECK_THAT(failure(with_sequence(R"("split": "test", "white": "4095")")), Contains("\"white\": expected a number"));
    CHECK_THAT(failure(R"({"mask": {"feature": 0}, "sequences": {}})"), Contains("must differ, both are 0"));
    CHECK_THAT(failure(R"({"pixel_size_nm": -1, "sequences": {}})"), Contains("must be positive, is -1"));
    CHECK_THAT(failure(R"({"time": {"frames_per_second": 0}, "sequences": {}})"), Contains("must be positive"));
    CHECK_THAT(failure(with_sequence(R"("split": "test", "seconds": 3)")), Contains("list of numbers"));
    CHECK_THAT(failure(with_sequence(R"("split": "test", "seconds": [1, "2"])")), Contains("found \"2\""));
    CHECK_THAT(failure(with_sequence(R"("split": "test", "seconds": [1], "time": {})")), Contains("one of them"));
    CHECK_THAT(failure(R"({"metadata": 1, "sequences": {}})"), Contains("\"metadata\": expected an object"));
    CHECK_THAT(failure(R"({"sequences": {"../x": {"split": "test"}}})"), Contains("\"../x\"") && Contains("folder"));
}
