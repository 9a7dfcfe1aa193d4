#include <mtdn/data/baseline.hpp>
#include <mtdn/data/synthetic.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;

namespace {

const Dataset& film() {
    static const Dataset dataset = synthesize();
    return dataset;
}

Image frame_of(const Sequence& sequence, Index i) {
    auto frame = make_array<float>(sequence.height(), sequence.width());
    std::copy_n(frame_data(sequence.frames, i), frame.size(), frame.data());
    return frame;
}

/// Macro F1 of a baseline over all frames of the default film.
template <class Baseline>
double macro_f1(const char* task, Baseline baseline) {
    double counts[2][2] = {};
    for (const auto& sequence : film().sequences())
        for (Index i = 0; i < sequence.size(); ++i) {
            const Mask predicted = baseline(frame_of(sequence, i));
            const std::uint8_t* truth = frame_data(sequence.masks.at(task), i);
            for (std::size_t p = 0; p < predicted.size(); ++p) ++counts[truth[p]][predicted.data()[p]];
        }
    const double wrong = counts[0][1] + counts[1][0];
    return counts[1][1] / (2 * counts[1][1] + wrong) + counts[0][0] / (2 * counts[0][0] + wrong);
}

}  // namespace

TEST_CASE("the core lies in the tube, and areas are what the geometry says") {
    for (const auto& sequence : film().sequences()) {
        const auto &outer = sequence.masks.at("A1"), &core = sequence.masks.at("A2");
        for (std::size_t i = 0; i < outer.size(); ++i)
            if (core.data()[i] > outer.data()[i]) FAIL("the core leaves the tube in " + sequence.name);
        for (const auto& [masks, name] : {std::pair{&outer, "area_A1"}, {&core, "area_A2"}})
            for (Index i = 0; i < sequence.size(); ++i) {
                const double counted =
                    static_cast<double>(std::count(frame_data(*masks, i), frame_data(*masks, i) + 128 * 128, 1));
                // A pixel counts by its centre: the error is a fraction of a pixel along each end and side.
                CHECK(counted ==
                      Approx(sequence.series.at(name)[static_cast<std::size_t>(i)]).epsilon(0.02).margin(12));
            }
    }
}

TEST_CASE("areas, length and volume shrink, and fit each other as a hollow cylinder's do") {
    Index gone = 0;
    for (const auto& sequence : film().sequences()) {
        for (const char* name : {"area_A1", "area_A2", "length", "volume"}) {
            const auto& values = sequence.series.at(name);
            for (std::size_t i = 1; i < values.size(); ++i) CHECK((values[i] < values[i - 1] || values[i] == 0));
        }
        for (std::size_t i = 0; i < sequence.seconds.size(); ++i) {
            const double outer = sequence.series.at("area_A1")[i], core = sequence.series.at("area_A2")[i];
            const double length = sequence.series.at("length")[i];
            if (length == 0) continue;
            const double expected = 3.14159265 * (outer * outer - core * core) / (4 * length);
            // The radii vary by up to 4 % along the tube, whose square's mean is not its mean's square.
            CHECK(sequence.series.at("volume")[i] == Approx(expected).epsilon(0.002));
        }
        gone += sequence.series.at("length").back() == 0 ? 1 : 0;
    }
    CHECK(gone >= 1);
    CHECK(2 * gone < static_cast<Index>(film().sequences().size()));
}

TEST_CASE("tubes are as bent and as tapered as was asked") {
    const auto first = [](double bend, double taper, const std::string& name) {
        const auto film =
            synthesize({.sequences = 3, .frames = 2, .size = 64, .seed = 3, .bend = bend, .taper = taper});
        return film.sequences()[0].series.at(name)[0];
    };
    CHECK(first(0, 0, "length") < first(1, 0, "length"));
    CHECK(first(1, 0, "length") < first(2, 0, "length"));
    const double outer = first(0, 0.6, "area_A1"), core = first(0, 0.6, "area_A2");
    const double straight = 3.14159265 * (outer * outer - core * core) / (4 * first(0, 0.6, "length"));
    // Radii that fall linearly: the mean's square over the square's mean, and what the ripple adds.
    CHECK(straight / first(0, 0.6, "volume") == Approx(1 / (1 + 0.36 / 12)).epsilon(0.01));
}

TEST_CASE("equal seeds make equal films") {
    const SyntheticOptions small{.sequences = 3, .frames = 2, .size = 32, .seed = 5};
    const auto a = synthesize(small), b = synthesize(small);
    auto other = small;
    other.seed = 6;
    CHECK((a.sequences()[1].frames == b.sequences()[1].frames));
    CHECK((a.sequences()[1].masks == b.sequences()[1].masks));
    CHECK_FALSE((a.sequences()[1].frames == synthesize(other).sequences()[1].frames));
    CHECK_FALSE((a.sequences()[0].frames == a.sequences()[1].frames));
}

TEST_CASE("sequences are split, named and timed; frames are whole grey values") {
    for (Index count : {3, 6, 10, 13}) {
        const auto dataset = synthesize({.sequences = count, .frames = 2, .size = 32});
        CHECK(dataset.test().size() >= 1);
        CHECK(dataset.validation().size() == dataset.test().size());
        CHECK(dataset.train().size() >= dataset.test().size());
    }
    CHECK(film().warnings().empty());
    const auto& sequence = film().sequences()[1];
    CHECK(sequence.frame_names[0] == "filament_02_000000.png");
    CHECK(std::is_sorted(sequence.seconds.begin(), sequence.seconds.end()));
    Index surroundings = 0;
    for (float value : sequence.frames) {
        if (std::abs(value * 255 - std::round(value * 255)) > 1e-4F) FAIL("not a grey value of 8 bits");
        surroundings += value == 178.0F / 255 ? 1 : 0;
    }
    CHECK(4 * surroundings > static_cast<Index>(sequence.frames.size()));  // the second sequence is a masked one
}

TEST_CASE("plain methods fail on the default film") {
    CHECK(macro_f1("A1", otsu_mask) < 0.85);
    CHECK(macro_f1("A2", filled_interior) < 0.65);
    CHECK(macro_f1("A1", otsu_mask) > 0.5);  // an unfair baseline proves nothing
}

TEST_CASE("the baselines work where the task is easy") {
    // A dark ring on a bright ground.
    Image frame = full_array<float>(0.8F, 40, 40);
    for (Index y = 0; y < 40; ++y)
        for (Index x = 0; x < 40; ++x) {
            const double d = std::hypot(static_cast<double>(y) - 20, static_cast<double>(x) - 20);
            if (d > 7 && d < 13) frame.data()[y * 40 + x] = 0.2F;
        }
    CHECK((otsu_threshold(frame) > 0.2F && otsu_threshold(frame) < 0.8F));
    const Mask ring = otsu_mask(frame), interior = filled_interior(frame);
    CHECK((ring.data()[20 * 40 + 30] == 1 && ring.data()[20 * 40 + 20] == 0 && ring.data()[0] == 0));
    CHECK((interior.data()[20 * 40 + 20] == 1 && interior.data()[20 * 40 + 30] == 0 && interior.data()[0] == 0));
}

TEST_CASE("options out of range are errors") {
    CHECK_THAT(message_of<OptionError>([] { synthesize({.sequences = 2}); }), Contains("one a split, got 2"));
    CHECK_THAT(message_of<OptionError>([] { synthesize({.frames = 1}); }), Contains("2 frames"));
    CHECK_THAT(message_of<OptionError>([] { synthesize({.size = 16}); }), Contains("[32, 4096] px, got 16"));
    CHECK_THAT(message_of<OptionError>([] { synthesize({.contrast = 0}); }), Contains("contrast"));
    CHECK_THAT(message_of<OptionError>([] { synthesize({.bend = 4}); }), Contains("bend must lie in [0, 3]"));
    CHECK_THAT(message_of<OptionError>([] { synthesize({.taper = -1}); }), Contains("taper in [0, 1], got 1 and -1"));
}
