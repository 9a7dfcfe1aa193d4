#include <mtdn/data/augmentation.hpp>
#include <mtdn/data/testing/archetypes.hpp>
#include <mtdn/data/testing/checks.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;

namespace {

const PublishedAugmentation identity{.horizontal_flip = 0,
                                     .vertical_flip = 0,
                                     .rotation = 0,
                                     .scale_max = 1,
                                     .blur_max = 0,
                                     .brightness_min = 1,
                                     .brightness_max = 1,
                                     .contrast_min = 1,
                                     .contrast_max = 1};

struct Canvas {
    Image frame;
    Mask mask;
};

Canvas noise(Index height, Index width, std::uint64_t seed = 1) {
    Canvas canvas{make_array<float>(height, width), make_array<std::uint8_t>(height, width)};
    Random random(seed, "noise");
    for (float& value : canvas.frame) value = static_cast<float>(random.uniform());
    for (auto& value : canvas.mask) value = random.chance(0.5);
    return canvas;
}

FrameSource source_of(const Canvas& canvas) {
    return {canvas.frame.data(), {canvas.mask.data()}, extent(canvas.frame, 0), extent(canvas.frame, 1)};
}

template <class Act>
Canvas onto(Index height, Index width, Act act) {
    Canvas canvas{full_array<float>(-1, height, width), full_array<std::uint8_t>(77, height, width)};
    act(FrameTarget{canvas.frame.data(), {canvas.mask.data()}, height, width});
    return canvas;
}

Canvas moved(const Canvas& from, const Geometry& geometry) {
    return onto(extent(from.frame, 0), extent(from.frame, 1),
                [&](const FrameTarget& target) { transform(source_of(from), target, geometry); });
}

}  // namespace

TEST_CASE("augmentation that draws nothing but the identity changes no bit") {
    const auto from = noise(11, 17);
    const auto to = onto(
        11, 17, [&](const auto& target) { identity.augment(source_of(from), target, Random(1, "g"), Random(1, "p")); });
    CHECK((to.frame == from.frame));
    CHECK((to.mask == from.mask));
    const auto same = onto(11, 17, [&](const auto& target) {
        NoAugmentation{}.augment(source_of(from), target, Random(1, "g"), Random(1, "p"));
    });
    CHECK((same.frame == from.frame));
    CHECK((same.mask == from.mask));
}

TEST_CASE("flips and turns move every pixel where they say, frame and mask alike") {
    const auto from = noise(6, 6);
    const auto at = [](const auto& array, Index y, Index x) { return array.data()[y * 6 + x]; };
    for (int turns = 0; turns < 4; ++turns)
        for (bool horizontal : {false, true})
            for (bool vertical : {false, true}) {
                const auto to =
                    moved(from, {.horizontal_flip = horizontal, .vertical_flip = vertical, .quarter_turns = turns});
                for (Index y = 0; y < 6; ++y)
                    for (Index x = 0; x < 6; ++x) {
                        Index v = y, u = x;
                        for (int turn = 0; turn < turns; ++turn) {  // counter-clockwise: new (y, x) was at (x, 5 − y)
                            const Index old = v;
                            v = u;
                            u = 5 - old;
                        }
                        if (horizontal) u = 5 - u;
                        if (vertical) v = 5 - v;
                        CHECK(at(to.frame, y, x) == at(from.frame, v, u));
                        CHECK(at(to.mask, y, x) == at(from.mask, v, u));
                    }
            }
}

TEST_CASE("a frame that is not square turns by 180 degrees only") {
    const auto from = noise(3, 5);
    for (int turns : {1, 2, 3}) {
        const auto to = moved(from, {.quarter_turns = turns});
        for (Index i = 0; i < 15; ++i) CHECK(to.frame.data()[i] == from.frame.data()[14 - i]);
    }
}

TEST_CASE("magnification keeps a ramp a ramp, and the mask's edge where the frame's is") {
    Canvas from{make_array<float>(40, 40), make_array<std::uint8_t>(40, 40)};
    for (Index y = 0; y < 40; ++y)
        for (Index x = 0; x < 40; ++x) {
            from.frame.data()[y * 40 + x] = 0.1F + 0.02F * static_cast<float>(x);
            from.mask.data()[y * 40 + x] = x >= 20 ? 1 : 0;
        }
    const Geometry geometry{.scale = 1.2, .crop_y = 0.3, .crop_x = 0.75, .blur = 0.8};
    const auto to = moved(from, geometry);
    for (Index y = 4; y < 36; ++y)
        for (Index x = 6; x < 34; ++x) {
            const double at = (static_cast<double>(x) + 0.5 + 0.75 * 0.2 * 40) / 1.2 - 0.5;  // in the old frame
            CHECK(to.frame.data()[y * 40 + x] == Approx(0.1 + 0.02 * at).epsilon(1e-4));     // float weights
            CHECK(to.mask.data()[y * 40 + x] == (at + 0.5 >= 20 ? 1 : 0));
        }
}

TEST_CASE("a blur spreads a point as a Gaussian and keeps its sum") {
    Canvas from{full_array<float>(0, 15, 15), full_array<std::uint8_t>(0, 15, 15)};
    from.frame.data()[7 * 15 + 7] = 1;
    const auto to = moved(from, {.blur = 1});
    double sum = 0, second = 0;
    for (Index y = 0; y < 15; ++y)
        for (Index x = 0; x < 15; ++x) {
            const double value = static_cast<double>(to.frame.data()[y * 15 + x]);
            sum += value;
            second += value * static_cast<double>((x - 7) * (x - 7));
        }
    CHECK(sum == Approx(1).epsilon(1e-5));
    CHECK(second == Approx(1).epsilon(0.03));  // the kernel ends at three standard deviations
}

TEST_CASE("brightness and contrast are taken about the frame's mean, in the order drawn") {
    Canvas from{make_array<float>(1, 4), full_array<std::uint8_t>(0, 1, 4)};
    const float values[] = {0.2F, 0.4F, 0.6F, 0.8F};
    std::copy_n(values, 4, from.frame.data());
    const auto adjusted = [&](const Photometry& photometry) {
        auto to = from;
        adjust(source_of(from), {to.frame.data(), {to.mask.data()}, 1, 4}, photometry);
        return to.frame;
    };
    const auto first = adjusted({.brightness = 2, .contrast = 0.5, .contrast_first = false});
    // ×2: .4 .8 1 1, mean .8
    const float expected_first[] = {0.6F, 0.8F, 0.9F, 0.9F};
    const auto second = adjusted({.brightness = 2, .contrast = 0.5, .contrast_first = true});
    // half the distance from .5: .35 .45 .55 .65, then ×2
    const float expected_second[] = {0.7F, 0.9F, 1, 1};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(first.data()[i] == Approx(expected_first[i]).margin(1e-6));  // float
        CHECK(second.data()[i] == Approx(expected_second[i]).margin(1e-6));
    }
}

TEST_CASE("the published augmentation obeys the laws at any size") {
    CHECK(mtdn::testing::check_augmentation(PublishedAugmentation{}).empty());
    CHECK(mtdn::testing::check_augmentation(NoAugmentation{}).empty());
    CHECK(mtdn::testing::check_augmentation(AnyAugmentation{PublishedAugmentation{}}).empty());
    CHECK(mtdn::testing::check_augmentation(mtdn::testing::AugmentationArchetype{}).empty());
}

TEST_CASE("the check finds an augmentation that breaks a law") {
    struct MovesTheMaskApart {
        void augment(const FrameSource& source, const FrameTarget& target, Random, Random photometry) const {
            NoAugmentation{}.augment(source, target, photometry, photometry);
            for (std::uint8_t* mask : target.masks) mask[0] = photometry.chance(0.5) ? 1 : 0;
        }
    };
    const auto failures = mtdn::testing::check_augmentation(MovesTheMaskApart{});
    REQUIRE_FALSE(failures.empty());
    CHECK_THAT(failures[0], Contains("masks depend on the photometry"));
}

TEST_CASE("drawn values are spread as published") {
    const PublishedAugmentation published;
    int flips = 0, turned = 0, quarter[4] = {}, contrast_first = 0;
    double scale = 0, blur = 0, brightness = 0;
    constexpr int draws = 4000;
    for (std::uint64_t i = 0; i < draws; ++i) {
        const auto geometry = published.geometry(Random(3, "g", 0, i));
        const auto photometry = published.photometry(Random(3, "p", 0, i));
        flips += geometry.horizontal_flip ? 1 : 0;
        turned += geometry.quarter_turns != 0 ? 1 : 0;
        ++quarter[geometry.quarter_turns];
        scale += geometry.scale / draws;
        blur += geometry.blur / draws;
        brightness += photometry.brightness / draws;
        contrast_first += photometry.contrast_first ? 1 : 0;
        CHECK((geometry.scale >= 1 && geometry.scale < 1.2 && geometry.blur >= 0 && geometry.blur < 1));
        CHECK((photometry.contrast >= 0.7 && photometry.contrast < 1.3));
    }
    // Five standard deviations of 4000 draws: 158 for a half, 118 for a sixth, 0.023, 0.0046 and 0.014 for the means.
    for (int half : {flips, turned, contrast_first}) CHECK(std::abs(half - 2000) < 158);
    for (int i = 1; i < 4; ++i) CHECK(std::abs(quarter[i] - 667) < 118);
    CHECK(scale == Approx(1.1).margin(0.0046));
    CHECK(blur == Approx(0.5).margin(0.023));
    CHECK(brightness == Approx(1).margin(0.014));
}

TEST_CASE("what does not fit is an error") {
    const auto from = noise(4, 4);
    CHECK_THAT(message_of<ShapeError>([&] {
                   onto(3, 9, [&](const auto& target) {
                       NoAugmentation{}.augment(source_of(from), target, Random(), Random());
                   });
               }),
               Contains("4 × 4") && Contains("3 × 9"));
    CHECK_THAT(message_of<OptionError>([] { PublishedAugmentation{.scale_min = 0.8}.check(); }), Contains("scale"));
    CHECK_THAT(message_of<OptionError>([] { PublishedAugmentation{.rotation = 2}.check(); }), Contains("got 2"));
}
