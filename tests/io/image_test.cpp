#include <mtdn/io/image.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;

namespace {

RawImage raw(Index channels, int bits, std::vector<std::uint16_t> values) {
    return {1, static_cast<Index>(values.size()) / channels, channels, bits, std::move(values)};
}

}  // namespace

TEST_CASE("a frame's value follows from its channels and depth") {
    struct Case {
        const char* name;
        RawImage image;
        double value;
    };
    const std::vector<Case> cases{
        {"grey", raw(1, 8, {51}), 51 / 255.0},
        {"grey 16", raw(1, 16, {13107}), 0.2},
        {"white 16", raw(1, 16, {65535}), 1},
        {"alpha is dropped", raw(2, 8, {51, 0}), 51 / 255.0},
        {"equal colours keep their value", raw(3, 8, {178, 178, 178}), 178 / 255.0},
        {"and alpha is not composited", raw(4, 8, {128, 128, 128, 178}), 128 / 255.0},
        {"red", raw(3, 8, {255, 0, 0}), 0.299},
        {"green", raw(4, 8, {0, 255, 0, 7}), 0.587},
        {"blue 16", raw(3, 16, {0, 0, 65535}), 0.114},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(to_frame(c.image)(0, 0) == static_cast<float>(c.value));
    }
}

TEST_CASE("what is white in 16 bits may be said; 8 bits have their own") {
    CHECK((to_frame(raw(1, 16, {4095, 819, 4096}), 4095) == Image{{1, 0.2f, 1}}));
    CHECK((to_frame(raw(3, 16, {4095, 4095, 4095, 0, 8190, 0}), 4095) == Image{{1, 1}}));
    CHECK((to_frame(raw(1, 8, {51, 255}), 4095) == Image{{0.2f, 1}}));
    for (const int white : {-1, 65536})
        CHECK(message_of<OptionError>([&] { to_frame(raw(1, 8, {0}), white); }).find("0 … 65535, got ") !=
              std::string::npos);
}

TEST_CASE("a mask reads in either polarity, with alpha or depth") {
    const auto check = [](const RawImage& image, MaskPolarity polarity, std::optional<double> threshold) {
        const auto mask = to_mask(image, polarity, threshold, "m.png");
        return std::vector<int>(mask.begin(), mask.end());
    };
    using Bits = std::vector<int>;
    CHECK(check(raw(1, 8, {0, 255}), {}, {}) == Bits{0, 1});
    CHECK(check(raw(1, 8, {0, 255}), {.feature = 0, .background = 255}, {}) == Bits{1, 0});
    CHECK(check(raw(1, 8, {0, 1}), {.feature = 1, .background = 0}, {}) == Bits{0, 1});
    CHECK(check(raw(1, 16, {0, 65535}), {}, {}) == Bits{0, 1});
    CHECK(check(raw(4, 8, {0, 0, 0, 178, 255, 255, 255, 0}), {}, {}) == Bits{0, 1});
    CHECK(check(raw(1, 8, {0, 127, 128, 255}), {}, 128) == Bits{0, 0, 1, 1});
    CHECK(check(raw(1, 8, {0, 127, 128, 255}), {.feature = 0, .background = 255}, 128) == Bits{1, 1, 0, 0});
    CHECK(check(raw(1, 16, {32895, 32896}), {}, 128) == Bits{0, 1});
}

TEST_CASE("a third value is named with its file, pixel and value") {
    RawImage image{2, 3, 1, 8, {0, 255, 0, 255, 0, 77}};
    CHECK(message_of<DataError>([&] { to_mask(image, {}, {}, "m.png"); }) ==
          "m.png: pixel (row 1, column 2) of a mask has value 77, expected 255 (feature) or 0 (background); say in "
          "dataset.json which values it has, \"mask\": {\"feature\": 1, \"background\": 0} (--polarity 1,0), or where "
          "the brighter begin, \"mask\": {\"threshold\": 128} (--threshold 128)");
    // What the message advises works, also for counts of 16 bits, which no polarity names.
    const auto labels = raw(1, 16, {0, 1});
    const auto message = message_of<DataError>([&] { to_mask(labels, {}, {}, "m.png"); });
    const std::string before = "(--threshold ";
    REQUIRE(message.find(before) != std::string::npos);
    const double advised = std::stod(message.substr(message.find(before) + before.size()));
    CHECK((to_mask(labels, {}, advised, "m.png") == Mask{{0, 1}}));
    image = {1, 2, 3, 8, {0, 0, 0, 255, 254, 255}};
    CHECK(message_of<DataError>([&] { to_mask(image, {}, 10, "m.png"); }) ==
          "m.png: pixel (row 0, column 1) of a mask must have R = G = B, has (255, 254, 255)");
    CHECK(message_of<OptionError>([&] {
              to_mask(image, {.feature = 3, .background = 3}, {}, "m.png");
          }).find("both are 3") != std::string::npos);
}

TEST_CASE("masks and frames written read back; the content tells the format") {
    const Scratch scratch;
    Mask mask = full_array<std::uint8_t>(0, 2, 3);
    mask(1, 2) = 1;
    for (const MaskPolarity polarity : {MaskPolarity{}, MaskPolarity{.feature = 0, .background = 255}}) {
        write_mask(scratch / "m.png", mask, polarity);
        CHECK(read_png(scratch / "m.png").values[5] == polarity.feature);
        CHECK((read_mask(scratch / "m.png", polarity) == mask));
    }
    mask(0, 1) = 2;
    CHECK(message_of<DataError>([&] {
              write_mask(scratch / "m.png", mask, {});
          }).find("pixel (row 0, column 1) of a mask must be 0 or 1, is 2") != std::string::npos);

    Image frame = make_array<float>(1, 4);
    frame(0, 0) = -1, frame(0, 1) = 0.5f, frame(0, 2) = 2, frame(0, 3) = std::nanf("");
    write_frame(scratch / "f.png", frame);
    CHECK(read_png(scratch / "f.png").values == std::vector<std::uint16_t>{0, 128, 255, 0});

    write_tiff(scratch / "really_a_tiff.png", full_array<std::uint8_t>(51, 1, 2, 2));
    CHECK(read_frame(scratch / "really_a_tiff.png")(1, 1) == 0.2f);
    write_tiff(scratch / "two.tif", full_array<std::uint8_t>(51, 2, 2, 2));
    CHECK(message_of<IoError>([&] { read_frame(scratch / "two.tif"); }).find("of one page, found 2; a stack") !=
          std::string::npos);
    CHECK(message_of<IoError>([&] { read_frame(scratch.put("t.png", "text")); }).find("not a PNG or TIFF file") !=
          std::string::npos);
    CHECK(message_of<IoError>([&] { read_frame(scratch.put("e.png", "")); }).find("empty (0 bytes)") !=
          std::string::npos);
}
