#include "experiment/films.hpp"
#include "support/catch.hpp"

#include <mtdn/experiment/train.hpp>

using namespace mtdn;
using namespace mtdn::testing;

namespace {

// Three frames, higher than wide.
const Images& frames() {
    static const Images cut = [] {
        const Images& whole = small_film().test()[0].frames;
        auto part = make_array<float>(3, 35, 30, 1);
        for (Index i = 0; i < 3; ++i)
            for (Index y = 0; y < 35; ++y)
                std::copy_n(frame_data(whole, i) + y * 35, 30, frame_data(part, i) + y * 30);
        return part;
    }();
    return cut;
}

Images with_channel(const Array<float, 3>& stack) {
    auto result = make_array<float>(extent(stack, 0), extent(stack, 1), extent(stack, 2), 1);
    std::copy_n(stack.data(), stack.size(), result.data());
    return result;
}

double furthest(const float* a, const float* b, std::size_t count) {
    double distance = 0;
    for (std::size_t i = 0; i < count; ++i)
        distance = std::max(distance, static_cast<double>(std::abs(a[i] - b[i])));
    return distance;
}

}  // namespace

TEST_CASE("a frame is seen in eight ways, each another, and a turn by a quarter is one of them") {
    const auto seen = flips(8);
    REQUIRE(seen.size() == 8);
    CHECK(seen[0] == Flip{});
    CHECK((flips(4) == std::vector<Flip>(seen.begin(), seen.begin() + 4)));
    CHECK((flipped(frames(), seen[0]) == frames()));
    const auto square = synthesize({.sequences = 3, .frames = 2, .size = 32}).sequences()[0].frames;
    for (std::size_t a = 0; a < 8; ++a)
        for (std::size_t b = 0; b < a; ++b) CHECK((flipped(square, seen[a]) != flipped(square, seen[b])));
    auto corner = full_array<float>(0, 1, 2, 3, 1);
    corner(0, 0, 2, 0) = 1;  // top right, which a quarter turn to the left brings to the top left
    const auto turned = flipped(corner, {.vertical = false, .horizontal = true, .transposed = true});
    CHECK(extent(turned, 1) == 3);
    CHECK(extent(turned, 2) == 2);
    CHECK(turned(0, 0, 0, 0) == 1);
    for (const Index count : {0, 2, 16}) CHECK_THROWS_AS(flips(count), OptionError);
}

TEMPLATE_TEST_CASE("flips average the probabilities of what each way of seeing gives", "", BackwardFusion,
                   ConsecutiveFusion, EnsembleFusion) {
    Cpu cpu;
    const auto model = small_model(cpu);
    const Index count = GENERATE(4, 8);
    const auto ours = segment_with_uncertainty(model, frames(), TestType{}, {.flips = count});
    CHECK(ours.passes == count * 3);
    const auto asked = TestType{}.partners(0, 3).size();
    for (const auto& task : model.tasks()) {
        // By the comparisons themselves.
        std::vector<double> share(3 * 35 * 30);
        std::vector<double> area(asked);
        for (const Flip& flip : flips(count)) {
            const Images seen = flipped(frames(), flip);
            SequenceComparison<SmallModel> comparison(model, seen, 0, static_cast<Index>(3 * asked));
            for (Index query = 0; query < 3; ++query) {
                std::size_t place = 0;
                for (const auto& [pair, slot] : TestType{}.partners(query, 3)) {
                    auto probability = make_array<float>(1, extent(seen, 1), extent(seen, 2));
                    comparison.logits(std::span(&pair, 1), [&](Index, Index of_task, const float* logits) {
                        if (model.tasks()[static_cast<std::size_t>(of_task)] != task) return;
                        for (std::size_t i = 0; i < probability.size(); ++i) {
                            double powers[4];
                            for (std::size_t c = 0; c < 4; ++c)
                                powers[c] = std::exp(static_cast<double>(logits[4 * i + c]));
                            const double feature = powers[2] + powers[3];
                            probability.data()[i] = static_cast<float>(feature / (feature + powers[0] + powers[1]));
                        }
                    });
                    for (const float p : probability)
                        if (query == 0) area[place] += static_cast<double>(p) / static_cast<double>(count);
                    ++place;
                    // Undone: exchanged back, then mirrored back.
                    const Images upright = flipped(flipped(with_channel(probability), {.transposed = flip.transposed}),
                                                   {.vertical = flip.vertical, .horizontal = flip.horizontal});
                    for (std::size_t i = 0; i < upright.size(); ++i)
                        share[static_cast<std::size_t>(query) * upright.size() + i] +=
                            static_cast<double>(upright.data()[i]) /
                            static_cast<double>(count * static_cast<Index>(asked));
                }
            }
        }
        const auto& found = ours.share.at(task);
        double worst = 0;
        for (std::size_t i = 0; i < share.size(); ++i) {
            worst = std::max(worst, std::abs(share[i] - static_cast<double>(found.data()[i])));
            if (std::abs(share[i] - 0.5) > 1e-5) CHECK(ours.masks.at(task).data()[i] == (share[i] > 0.5));
            CHECK(ours.uncertainty.at(task).data()[i] == Approx(binary_entropy(share[i])).margin(1e-4));
        }
        CHECK(worst < 1e-5);
        REQUIRE(ours.areas.at(task)[0].size() == asked);
        for (std::size_t n = 0; n < asked; ++n) CHECK(ours.areas.at(task)[0][n] == Approx(area[n]).epsilon(1e-4));
    }
}

TEST_CASE("with flips a mirrored or turned film has the mirrored or turned probabilities, without it has others") {
    Cpu cpu;
    auto model = small_model(cpu);
    auto options = quick(2);
    options.rate = 1e-2;
    train(model, small_film(), options);  // fresh weights hardly look at the frame
    const EnsembleFusion fusion{{.soft = true}};
    for (const Flip& flip : flips(8)) {
        if (flip == Flip{}) continue;
        for (const Index count : {1, 4, 8}) {
            const auto before = segment_with_uncertainty(model, frames(), fusion, {.flips = count}).share.at("A1");
            const auto after =
                segment_with_uncertainty(model, flipped(frames(), flip), fusion, {.flips = count}).share.at("A1");
            const Images expected = flipped(with_channel(before), flip);
            const double distance = furthest(expected.data(), after.data(), after.size());
            const bool symmetric = count == 8 || (count == 4 && !flip.transposed);
            if (symmetric)
                CHECK(distance < 1e-5);
            else
                CHECK(distance > 1e-3);
        }
    }
}

TEST_CASE("flips give the same bits on any number of threads, and of a single-frame model too") {
    Cpu one({.threads = 1}), three({.threads = 3});
    const auto shares = [](Cpu& cpu) {
        const auto model = small_model(cpu);
        return segment_with_uncertainty(model, frames(), BackwardFusion{}, {.flips = 8}).share;
    };
    CHECK((shares(one) == shares(three)));
    Random random{7};
    const SingleFrame<UNet<Cpu>> single{UNet<Cpu>{one, {.in_channels = 1, .width = 8, .depth = 2}, random},
                                        small_film().tasks(), random};
    std::vector<Index> progress;
    const auto result = segment_with_uncertainty(
        single, frames(), {.flips = 4, .progress = [&](Index done, Index total) { progress = {done, total}; }});
    CHECK(result.passes == 12);
    CHECK((progress == std::vector<Index>{12, 12}));
    for (const auto& task : single.tasks()) {
        auto mean = full_array<float>(0, 3, 35, 30);
        for (const Flip& flip : flips(4)) {
            const auto seen = segment_with_uncertainty(single, flipped(frames(), flip)).share.at(task);
            const Images back = flipped(with_channel(seen), flip);
            for (std::size_t i = 0; i < mean.size(); ++i) mean.data()[i] += back.data()[i] / 4;
        }
        CHECK(furthest(mean.data(), result.share.at(task).data(), mean.size()) < 1e-6);
    }
}
