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

using Matrix = std::array<std::array<double, 3>, 3>;

/// How linear RGB looks without one kind of cones: without any missing, then red, green and blue.
///
/// @source Machado, Oliveira and Fernandes 2009, table 1, severity 1.0
const std::array<Matrix, 4> visions{{
    {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
    {{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}},
    {{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}},
    {{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}},
}};

std::array<double, 3> times(const Matrix& matrix, const std::array<double, 3>& vector) {
    std::array<double, 3> product{};
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j) product[i] += matrix[i][j] * vector[j];
    return product;
}

/// L*, a*, b* under daylight (D65) of a colour as it is seen.
std::array<double, 3> lab(Colour colour, const Matrix& vision) {
    std::array<double, 3> linear{};
    const std::array<std::uint8_t, 3> bytes{colour.red, colour.green, colour.blue};
    for (std::size_t i = 0; i < 3; ++i) {
        const double value = bytes[i] / 255.0;
        linear[i] = value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
    }
    auto seen = times(vision, linear);
    for (double& value : seen) value = std::clamp(value, 0.0, 1.0);
    auto xyz = times({{{0.4124, 0.3576, 0.1805}, {0.2126, 0.7152, 0.0722}, {0.0193, 0.1192, 0.9505}}}, seen);
    xyz[0] /= 0.95047, xyz[2] /= 1.08883;
    for (double& value : xyz) value = value > 0.008856 ? std::cbrt(value) : 7.787 * value + 16.0 / 116;
    return {116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])};
}

double distance(Colour a, Colour b, const Matrix& vision) {
    const auto one = lab(a, vision), other = lab(b, vision);
    return std::hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]);
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

TEST_CASE("an overlay blends each task's colour over the frame, the smaller on top") {
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
    // Colours keep to the tasks' order, what is seen to their areas; of equal ones the last is seen.
    const auto turned = overlay(frame, {masks[1], masks[0]}, {.opacity = 1});
    CHECK(is(turned, 0, Palette{}.task(1)));
    CHECK(is(turned, 1, Palette{}.task(0)));
    CHECK(is(overlay(frame, {masks[0], masks[0]}, {.opacity = 1}), 0, Palette{}.task(1)));
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
    // Each frame has its own order: A1 is the smaller in the second.
    masks["A1"] = masks["A2"];
    masks["A2"](1, 0, 1) = 1;
    CHECK(is(overlay(frames, masks, 1, {.opacity = 1}), 0, Palette{}.task(0)));
    CHECK(is(overlay(frames, masks, 1, {.opacity = 1}), 1, Palette{}.task(1)));
    masks["A2"] = full_array<std::uint8_t>(0, 2, 1, 3);
    CHECK(message_of<ShapeError>([&] { overlay(frames, masks, 0); }).find("task \"A2\" have size (2, 1, 3)") !=
          std::string::npos);
}

TEST_CASE("palettes have names") {
    CHECK((palette_named("paper").categories == Palette{}.categories));
    CHECK((palette_named("okabe-ito").categories == colour_blind_safe_palette().categories));
    CHECK(message_of<OptionError>([] {
              palette_named("pink");
          }).find("expected paper or okabe-ito, got \"pink\"") != std::string::npos);
}

TEST_CASE("the colours of Okabe and Ito stay apart for every kind of colour vision, the paper's do not") {
    // Categories, tasks, and what is wrong; not true positives from true negatives, which are to look alike.
    const auto groups = [](const Palette& p) {
        return std::vector<std::vector<Colour>>{{p.categories.begin(), p.categories.end()}, p.tasks, p.lines,
                                                {p.false_positive, p.false_negative, p.true_positive}};
    };
    const auto closest = [&](const Palette& palette) {
        double least = 1000;
        for (const auto& vision : visions)
            for (const auto& group : groups(palette))
                for (std::size_t i = 0; i < group.size(); ++i)
                    for (std::size_t j = 0; j < i; ++j) least = std::min(least, distance(group[i], group[j], vision));
        return least;
    };
    // A difference of 2.3 is just seen where two patches touch; these do not touch.
    CHECK(closest(colour_blind_safe_palette()) > 15);
    CHECK(closest(Palette{}) < 10);
    // What appears and what disappears, without green cones.
    const Palette paper, safe = colour_blind_safe_palette();
    CHECK(distance(paper.categories[1], paper.categories[2], visions[2]) < 15);
    CHECK(distance(safe.categories[1], safe.categories[2], visions[2]) > 100);
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
