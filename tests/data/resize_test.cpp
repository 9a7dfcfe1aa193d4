#include <mtdn/data/resize.hpp>

#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using namespace mtdn;

namespace {

Images ramp(Index height, Index width, float dy, float dx) {
    auto frames = make_array<float>(1, height, width, 1);
    for (Index y = 0; y < height; ++y)
        for (Index x = 0; x < width; ++x) frames.data()[y * width + x] = 0.2F + dy * float(y) + dx * float(x);
    return frames;
}

Masks mask_of(Index height, Index width, std::vector<int> values) {
    auto mask = make_array<std::uint8_t>(1, height, width);
    for (std::size_t i = 0; i < values.size(); ++i) mask.data()[i] = static_cast<std::uint8_t>(values[i]);
    return mask;
}

std::vector<int> values_of(const Masks& mask) { return {mask.data(), mask.data() + mask.size()}; }

}  // namespace

TEST_CASE("the longer side becomes what is asked for") {
    CHECK(fitted({256, 256}, 128) == FrameSize{128, 128});
    CHECK(fitted({100, 200}, 50) == FrameSize{25, 50});
    CHECK(fitted({3, 1000}, 10) == FrameSize{1, 10});
    CHECK(fitted({5, 4}, 10) == FrameSize{10, 8});
    CHECK_THROWS_AS(fitted({5, 4}, 0), OptionError);
}

TEST_CASE("weights of a line sum to one") {
    for (const auto& [source, target] : {std::pair{10, 7}, {7, 10}, {256, 96}, {1, 5}, {5, 1}, {3, 100}})
        for (const auto& map : {Resampling::area_or_bicubic(source, target), Resampling::linear(source, target)})
            for (Index i = 0; i < target; ++i) {
                float sum = 0;
                for (Index k = 0; k < map.taps; ++k) sum += map.weights[static_cast<std::size_t>(i * map.taps + k)];
                CHECK(sum == Approx(1).margin(1e-6));
                CHECK(map.first[static_cast<std::size_t>(i)] + map.taps <= source);
            }
}

TEST_CASE("halving averages, the same size changes nothing, constants stay") {
    auto frames = make_array<float>(1, 2, 4, 1);
    const float values[] = {0, 0.25F, 0.5F, 0.5F, 0.25F, 0.5F, 1, 0};
    std::copy_n(values, 8, frames.data());
    const auto half = resize_frames(frames, {1, 2});
    CHECK(half.data()[0] == 0.25F);
    CHECK(half.data()[1] == 0.5F);
    CHECK((resize_frames(frames, {2, 4}) == frames));
    const auto constant = resize_frames(full_array<float>(0.3F, 2, 5, 6, 1), {9, 4});
    for (float value : constant) CHECK(value == Approx(0.3F).epsilon(1e-6));
}

TEST_CASE("an area average keeps the mean at any ratio") {
    auto frames = make_array<float>(1, 10, 13, 1);
    Random random(1);
    for (float& value : frames) value = float(random.uniform());
    const auto mean = [](const Images& x) {
        double sum = 0;
        for (float value : x) sum += double(value);
        return sum / double(x.size());
    };
    CHECK(mean(resize_frames(frames, {7, 4})) == Approx(mean(frames)).epsilon(1e-6));  // float sums
}

TEST_CASE("bicubic enlargement keeps a ramp away from the edges") {
    const auto large = resize_frames(ramp(8, 8, 0.03F, 0.05F), {16, 24});
    for (Index y = 4; y < 12; ++y)
        for (Index x = 6; x < 18; ++x) {
            const double expected = 0.2 + 0.03 * ((double(y) + 0.5) / 2 - 0.5) + 0.05 * ((double(x) + 0.5) / 3 - 0.5);
            CHECK(large.data()[y * 24 + x] == Approx(expected).epsilon(1e-5));  // float weights
        }
    CHECK(bicubic_weight(0) == 1);
    CHECK(bicubic_weight(0.5) == Approx(0.5625));
    CHECK(bicubic_weight(1.5) == Approx(-0.0625));
}

TEST_CASE("logits come back bilinear between pixel centres") {
    auto logits = make_array<float>(1, 1, 2, 2);
    const float values[] = {0, 10, 4, -10};
    std::copy_n(values, 4, logits.data());
    const auto large = resize_logits(logits, {1, 4});
    // torch.nn.functional.interpolate(..., mode="bilinear", align_corners=False) of [0, 4]: 0, 1, 3, 4
    const float expected[] = {0, 10, 1, 5, 3, -5, 4, -10};
    for (std::size_t i = 0; i < 8; ++i) CHECK(large.data()[i] == Approx(expected[i]));
}

TEST_CASE("a mask's pixel is the majority of its area, a tie is background") {
    CHECK((values_of(resize_masks(mask_of(2, 4, {1, 1, 1, 0, 1, 0, 1, 0}), {1, 2})) == std::vector<int>{1, 0}));
    // 3 to 2: each target pixel covers one source pixel and a half of the middle one.
    CHECK((values_of(resize_masks(mask_of(1, 3, {1, 0, 0}), {1, 2})) == std::vector<int>{1, 0}));
    CHECK((values_of(resize_masks(mask_of(1, 3, {0, 1, 0}), {1, 2})) == std::vector<int>{0, 0}));
    CHECK((values_of(resize_masks(mask_of(1, 3, {0, 1, 0}), {1, 6})) == std::vector<int>{0, 0, 1, 1, 0, 0}));
    Random random(4);
    auto mask = make_array<std::uint8_t>(2, 9, 7);
    for (auto& value : mask) value = random.chance(0.4);
    CHECK((resize_masks(resize_masks(mask, {27, 14}), {9, 7}) == mask));
    CHECK((resize_masks(mask, {9, 7}) == mask));
}

TEST_CASE("a dataset is resized with its masks and its scale") {
    Sequence sequence;
    sequence.name = "a";
    sequence.frame_names = {"0.png"};
    sequence.frames = full_array<float>(0.5F, 1, 20, 40, 1);
    sequence.masks["A1"] = full_array<std::uint8_t>(1, 1, 20, 40);
    const auto small = resized(Dataset({.pixel_size_nm = 0.5}, {sequence}), 10);
    CHECK(shape_of(small.sequences()[0].frames) == Shape{1, 5, 10, 1});
    CHECK(shape_of(small.sequences()[0].masks.at("A1")) == Shape{1, 5, 10, 1});
    CHECK(small.pixel_size_nm() == 2);
    CHECK_THROWS_AS(resize_frames(sequence.frames, {0, 3}), OptionError);
}
