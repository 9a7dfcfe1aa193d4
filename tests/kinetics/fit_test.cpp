#include <mtdn/kinetics/fit.hpp>

#include <cmath>
#include <vector>

#include <mtdn/core/random.hpp>
#include <mtdn/io/json.hpp>

#include "support/catch.hpp"
#include "support/project.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;

namespace {

struct Points {
    std::vector<double> seconds, volume;
};

/// V₀ = 8000, at unevenly spaced times, without noise.
Points curve(RateLaw law, double rate, double exponent, double onset, Index count = 24) {
    Points points;
    double t = 40;
    for (Index i = 0; i < count; ++i, t += 5 + 3 * static_cast<double>(i % 3)) {
        points.seconds.push_back(t);
        points.volume.push_back(8000 * (1 - conversion(law, rate, exponent, t - onset).value));
    }
    return points;
}

/// What SciPy's curve_fit gives, whose derivatives are differences: good to about 1e-7.
constexpr double golden_tolerance = 2e-6;

}  // namespace

TEST_CASE("each law meets the equation that names it") {
    const double k = 0.013, t = 31;
    CHECK(conversion(RateLaw::zeroth_order, k, 1, t).value == Approx(k * t));
    CHECK(-std::log(1 - conversion(RateLaw::first_order, k, 1, t).value) == Approx(k * t));
    CHECK(1 - std::sqrt(1 - conversion(RateLaw::shrinking_core, k, 1, t).value) == Approx(k * t));
    CHECK(-std::log(1 - conversion(RateLaw::avrami, k, 2.5, t).value) == Approx(std::pow(k * t, 2.5)));
    for (const RateLaw law : all_rate_laws) {
        CHECK(rate_law(name_of(law)) == law);
        CHECK(conversion(law, k, 2, 0).value == 0);
        CHECK(conversion(law, k, 2, -5).value == 0);
        CHECK(conversion(law, k, 2, 1e5).value == Approx(1));
    }
    CHECK_THAT(message_of<OptionError>([] { rate_law("second-order"); }), Contains("\"second-order\" is none"));
}

TEST_CASE("a law's derivatives are its differences") {
    const double k = 0.013, n = 1.7, t = 31, h = 1e-6;
    for (const RateLaw law : all_rate_laws) {
        const auto at = conversion(law, k, n, t);
        const auto difference = [&](double dk, double dn, double dt) {
            return (conversion(law, k + dk, n + dn, t + dt).value - conversion(law, k - dk, n - dn, t - dt).value) / 2;
        };
        CHECK(at.by_rate == Approx(difference(h * k, 0, 0) / (h * k)).epsilon(1e-7));
        CHECK(at.by_exponent == Approx(difference(0, h, 0) / h).epsilon(1e-7));
        CHECK(at.by_time == Approx(difference(0, 0, h * t) / (h * t)).epsilon(1e-7));
    }
}

TEST_CASE("curves without noise give their own parameters back, with an onset and without") {
    for (const RateLaw law : all_rate_laws)
        for (const double rate : {0.002, 0.012})
            for (const double exponent : law == RateLaw::avrami ? std::vector{0.7, 3.0} : std::vector{1.0})
                for (const double onset : {40.0, 20.0, 83.0}) {
                    INFO(name_of(law) << ", k " << rate << ", n " << exponent << ", onset " << onset);
                    const auto [seconds, volume] = curve(law, rate, exponent, onset);
                    const auto given = fit_rate_law(law, seconds, volume, {.onset = onset});
                    CHECK(given.converged);
                    CHECK(given.onset == onset);
                    // What is left is rounding: the minimum is flat to the root of a double's precision.
                    CHECK(given.parameter("volume").value == Approx(8000).epsilon(1e-6));
                    CHECK(given.parameter("rate").value == Approx(rate).epsilon(1e-6));
                    CHECK(given.r_squared == Approx(1).margin(1e-9));
                    CHECK(given.volume(55) == Approx(8000 * (1 - conversion(law, rate, exponent, 55 - onset).value)));
                    if (law == RateLaw::avrami)
                        CHECK(given.parameter("exponent").value == Approx(exponent).epsilon(1e-6));
                    if (onset == 83) {
                        const auto sought = fit_rate_law(law, seconds, volume, {.fit_onset = true});
                        CHECK(sought.onset == Approx(onset).epsilon(1e-5));
                        CHECK(sought.parameter("onset").value == sought.onset);
                        CHECK(sought.parameter("rate").value == Approx(rate).epsilon(1e-5));
                    }
                }
}

TEST_CASE("parameters, errors, intervals and residuals are those of SciPy's curve_fit") {
    const auto cases = parse_json_file(mtdn::testing::project_root() / "tests/kinetics/golden/fits.json");
    REQUIRE(cases.size() >= 10);
    for (const auto& c : cases) {
        const auto seconds = c["seconds"].get<std::vector<double>>(), volume = c["volume"].get<std::vector<double>>(),
                   error = c["error"].get<std::vector<double>>();
        const auto fit = fit_rate_law(rate_law(c["law"].get<std::string>()), seconds, volume,
                                      {.fit_onset = c["fit_onset"].get<bool>()}, error);
        INFO(c["law"] << ", onset fitted: " << c["fit_onset"] << ", weighted: " << !error.empty());
        CHECK(fit.parameters.size() == c["parameters"].size());
        for (const auto& [name, expected] : c["parameters"].items()) {
            const auto& found = fit.parameter(name);
            INFO(name);
            const double deviation = expected["error"].get<double>();
            CHECK(std::abs(found.value - expected["value"].get<double>()) < 1e-4 * deviation);
            CHECK(found.error == Approx(deviation).epsilon(golden_tolerance));
            CHECK(found.low == Approx(expected["low"].get<double>()).epsilon(golden_tolerance));
            CHECK(found.high == Approx(expected["high"].get<double>()).epsilon(golden_tolerance));
        }
        const auto residuals = c["residuals"].get<std::vector<double>>();
        REQUIRE(residuals.size() == fit.residuals.size());
        for (std::size_t i = 0; i < residuals.size(); ++i) CHECK(fit.residuals[i] == Approx(residuals[i]).margin(0.1));
    }
}

TEST_CASE("under noise, 90 % intervals hold the true rate nine times in ten, and the true law fits best") {
    constexpr int draws = 400;
    for (const RateLaw law : all_rate_laws) {
        const double rate = law == RateLaw::avrami ? 0.009 : 0.005, exponent = 2.2;
        const auto [seconds, exact] = curve(law, rate, exponent, 40);
        int held = 0, best = 0;
        for (int draw = 0; draw < draws; ++draw) {
            Random random(11, name_of(law), 0, static_cast<std::uint64_t>(draw));
            auto volume = exact;
            for (auto& v : volume) v += 150 * random.normal();
            const auto fit = fit_rate_law(law, seconds, volume);
            const auto& k = fit.parameter("rate");
            held += k.low <= rate && rate <= k.high;
            if (draw >= 50) continue;
            bool lowest = true;
            for (const RateLaw other : all_rate_laws)
                lowest = lowest && fit.aicc <= fit_rate_law(other, seconds, volume).aicc;
            best += lowest;  // first order is Avrami's law with n = 1, which sometimes gains by a little n
        }
        INFO(name_of(law));
        // Three standard deviations of a share of 400 draws are 0.045.
        CHECK(held / double{draws} == Approx(0.9).margin(0.045));
        CHECK(best >= 35);
    }
}

TEST_CASE("what the points do not determine has no interval") {
    // The onset cannot be told from the volume where nothing lies before it: it is held at the first point.
    const auto [seconds, volume] = curve(RateLaw::first_order, 0.01, 1, 20);
    const auto held = fit_rate_law(RateLaw::first_order, seconds, volume, {.fit_onset = true});
    CHECK(held.onset == 40);
    CHECK_THROWS_AS(held.parameter("onset"), OptionError);
    // At a constant volume, Avrami's exponent does not show.
    const std::vector<double> constant(seconds.size(), 500.0);
    const auto still = fit_rate_law(RateLaw::avrami, seconds, constant);
    CHECK(std::isnan(still.parameter("exponent").error));
    CHECK(std::isnan(still.r_squared));
    CHECK(fit_rate_law(RateLaw::zeroth_order, seconds, constant).parameter("rate").value == Approx(0).margin(1e-12));
}

TEST_CASE("a window leaves points out, and what cannot be fitted is an error") {
    auto [seconds, volume] = curve(RateLaw::zeroth_order, 0.003, 1, 40);
    auto spoilt = volume;
    spoilt.back() = 1e6;
    const auto fit =
        fit_rate_law(RateLaw::zeroth_order, seconds, spoilt, {.from = 45, .to = seconds.back() - 1, .onset = 40});
    CHECK(fit.seconds.size() == seconds.size() - 2);
    CHECK(fit.parameter("rate").value == Approx(0.003));

    const auto error = [&](auto&& change) {
        auto t = seconds, v = volume;
        FitOptions options;
        change(t, v, options);
        return message_of<Error>([&] { fit_rate_law(RateLaw::avrami, t, v, options); });
    };
    CHECK_THAT(error([](auto&, auto&, auto& o) { o.to = 60; }),
               Contains("avrami has 3 parameters, and 3 points are too few"));
    CHECK_THAT(error([](auto&, auto& v, auto&) { v[0] = 0; }), Contains("the first volume is 0"));
    CHECK_THAT(error([](auto&, auto& v, auto&) { v[3] = std::nan(""); }), Contains("point 3"));
    CHECK_THAT(error([](auto& t, auto&, auto&) { t[3] = t[2]; }), Contains("time does not rise at point 3"));
    CHECK_THAT(error([](auto& t, auto&, auto&) { t.pop_back(); }), Contains("23 times, 24 volumes"));
    CHECK_THAT(error([](auto&, auto&, auto& o) { o.onset = 1e4; }), Contains("not before the last point"));
    CHECK_THAT(error([](auto&, auto&, auto& o) { o.confidence = 1; }), Contains("confidence"));
    CHECK_THAT(error([](auto&, auto&, auto& o) { o.onset = 41, o.fit_onset = true; }),
               Contains("either given or fitted"));
}

TEST_CASE("factors of intervals are those of the tables") {
    CHECK(interval_factor(0.9) == Approx(1.6448536).epsilon(1e-7));
    CHECK(interval_factor(0.95) == Approx(1.9599640).epsilon(1e-7));
    CHECK(interval_factor(0.9, 1) == Approx(6.3137515).epsilon(1e-7));
    CHECK(interval_factor(0.95, 10) == Approx(2.2281389).epsilon(1e-7));
    CHECK(interval_factor(0.99, 30) == Approx(2.7499957).epsilon(1e-7));
    CHECK_THROWS_AS(interval_factor(0), OptionError);
    CHECK_THROWS_AS(interval_factor(0.9, 0), OptionError);
}

TEST_CASE("a calibrated factor is the rank that covers a new frame") {
    CHECK(calibrated_factor({3, 1, 2, 9, 5, 4, 8, 7, 6}, 0.9) == 9);
    CHECK(calibrated_factor({3, 1, 2, 9, 5, 4, 8, 7, 6}, 0.5) == 5);
    CHECK_THAT(message_of<DataError>([] {
                   calibrated_factor({1, 2, 3, 4, 5, 6, 7, 8}, 0.9);
               }),
               Contains("8 frames are too few for a confidence of 0.9; expected at least 9"));
    // An error of 0 is no measure: the factor may pass over a few such frames, and is refused where it may not.
    const double none = std::numeric_limits<double>::infinity();
    CHECK(calibrated_factor({1, none, 2}, 0.5) == 2);
    CHECK_THAT(message_of<DataError>([&] { calibrated_factor({1, none, 2}, 0.75); }),
               Contains("would be inf: too many of 3 frames miss the truth with an error of 0"));
    CHECK_THAT(message_of<DataError>([] { calibrated_factor({1, std::nan(""), 2}, 0.5); }),
               Contains("the deviation of frame 1 of 3 is NaN"));
}
