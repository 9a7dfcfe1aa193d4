#include <mtdn/view/change_map.hpp>
#include <mtdn/view/confusion_map.hpp>
#include <mtdn/view/overlay.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;

namespace {

Mask mask_of(std::initializer_list<std::uint8_t> values) {
    Mask mask = make_array<std::uint8_t>(1, values.size());
    std::copy(values.begin(), values.end(), mask.begin());
    return mask;
}

bool is(const Picture& picture, Index column, Colour colour) { return pixel(picture, 0, column) == colour; }

}  // namespace

TEST_CASE("a change map has the paper's colour for every category") {
    const auto map = change_map(mask_of({0, 1, 2, 3, 255}));
    CHECK((extent(map, 0) == 1 && extent(map, 1) == 5 && extent(map, 2) == 3));
    const Palette palette;
    CHECK(is(map, 0, white));
    const Colour appearing = pixel(map, 0, 1), disappearing = pixel(map, 0, 2), overlapping = pixel(map, 0, 3);
    CHECK((appearing.red > 2 * appearing.green && appearing.red > 2 * appearing.blue));
    CHECK((disappearing.green > 2 * disappearing.red && disappearing.green > 2 * disappearing.blue));
    CHECK((overlapping.red == overlapping.green && overlapping.green == overlapping.blue && !is(map, 3, white)));
    CHECK(is(map, 4, palette.ignored));
    CHECK(message_of<DataError>([] {
              change_map(mask_of({0, 4}));
          }).find("has the value 4 at row 0, column 1") != std::string::npos);
}

TEST_CASE("a confusion map tells the four outcomes apart") {
    const auto map = confusion_map(mask_of({0, 0, 1, 1, 255}), mask_of({0, 1, 0, 1, 1}));
    CHECK(is(map, 0, white));
    CHECK(is(map, 1, Colour{101, 67, 33}));    // false positive: dark brown
    CHECK(is(map, 2, Colour{210, 180, 140}));  // false negative: light tan
    CHECK(is(map, 3, Palette{}.true_positive));
    CHECK(is(map, 4, Palette{}.ignored));
    CHECK(message_of<ShapeError>([] {
              confusion_map(mask_of({0}), mask_of({0, 0}));
          }).find("the truth has size (1, 1), the prediction (1, 2)") != std::string::npos);
    CHECK(message_of<DataError>([] {
              confusion_map(mask_of({0}), mask_of({2}));
          }).find("the prediction has the value 2") != std::string::npos);
}

TEST_CASE("an overlay blends each task's colour over the frame, the last task on top") {
    Image frame = make_array<float>(1, 3);
    frame(0, 0) = 0, frame(0, 1) = 1, frame(0, 2) = 0.2f;
    const std::vector<Mask> masks{mask_of({1, 1, 0}), mask_of({0, 1, 0})};
    const auto opaque = overlay(frame, masks, {.opacity = 1});
    CHECK(is(opaque, 0, Colour{210, 105, 30}));
    CHECK(is(opaque, 1, Colour{244, 164, 94}));
    CHECK(is(opaque, 2, Colour{51, 51, 51}));
    const auto half = overlay(frame, masks, {.opacity = 0.5});
    CHECK(is(half, 0, Colour{105, 53, 15}));    // half of (210, 105, 30), rounded
    CHECK(is(half, 1, Colour{250, 210, 175}));  // between white and A2, whatever A1 is: 249.5, 209.5, 174.5
    CHECK(is(overlay(frame, masks, {.opacity = 0}), 1, white));
    CHECK(message_of<ShapeError>([&] {
              overlay(frame, {mask_of({1, 1})});
          }).find("the mask 0 has size (1, 2), the frame (1, 3)") != std::string::npos);
    CHECK(message_of<OptionError>([&] { overlay(frame, masks, {.opacity = 2}); }).find("got 2") != std::string::npos);
}

TEST_CASE("an overlay of one frame of a sequence takes that frame's masks") {
    auto frames = full_array<float>(0, 2, 1, 2, 3);
    frames(1, 0, 1, 0) = 1;
    TaskMasks masks{{"A1", full_array<std::uint8_t>(0, 2, 1, 2)}, {"A2", full_array<std::uint8_t>(0, 2, 1, 2)}};
    masks["A1"](0, 0, 0) = 1;
    masks["A2"](1, 0, 0) = 1;
    CHECK(is(overlay(frames, masks, 0, {.opacity = 1}), 0, Palette{}.task(0)));
    CHECK(is(overlay(frames, masks, 1, {.opacity = 1}), 0, Palette{}.task(1)));
    CHECK(is(overlay(frames, masks, 0, {.opacity = 1}), 1, black));
    CHECK(is(overlay(frames, masks, 1, {.opacity = 1}), 1, white));
    CHECK(message_of<OptionError>([&] { overlay(frames, masks, 2); }).find("2 frames, got frame 2") !=
          std::string::npos);
    masks["A2"] = full_array<std::uint8_t>(0, 2, 1, 3);
    CHECK(message_of<ShapeError>([&] { overlay(frames, masks, 0); }).find("task \"A2\" have size (2, 1, 3)") !=
          std::string::npos);
}

TEST_CASE("the colours of a palette differ from each other") {
    for (const Palette& palette : {Palette{}, colour_blind_safe_palette()}) {
        const std::vector<std::vector<Colour>> groups{palette.tasks,
                                                      palette.lines,
                                                      {palette.categories.begin(), palette.categories.end()},
                                                      {palette.false_positive, palette.false_negative,
                                                       palette.true_positive, palette.true_negative, palette.ignored}};
        for (const auto& group : groups)
            for (std::size_t i = 0; i < group.size(); ++i)
                for (std::size_t j = 0; j < i; ++j) CHECK(!(group[i] == group[j]));
    }
    CHECK(Palette{}.task(6) == Palette{}.task(0));
}
