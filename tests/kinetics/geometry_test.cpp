#include <mtdn/kinetics/geometry.hpp>

#include <cmath>
#include <functional>
#include <numbers>

#include <mtdn/core/random.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;

namespace {

constexpr Index side = 120;

/// One frame with the pixels whose centres are inside.
void draw(Masks& masks, Index frame, const std::function<bool(double x, double y)>& inside) {
    for (Index y = 0; y < side; ++y)
        for (Index x = 0; x < side; ++x)
            masks(static_cast<std::size_t>(frame), static_cast<std::size_t>(y), static_cast<std::size_t>(x)) =
                inside(static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5);
}

std::function<bool(double, double)> rectangle(double x, double y, double angle, double length, double width) {
    return [=](double px, double py) {
        const double dx = px - x, dy = py - y;
        return std::abs(std::cos(angle) * dx + std::sin(angle) * dy) < length / 2 &&
               std::abs(-std::sin(angle) * dx + std::cos(angle) * dy) < width / 2;
    };
}

}  // namespace

TEST_CASE("a straight tube's volume by its areas is that by its radii") {
    const double outer = 12, inner = 7, length = 90;
    CHECK(hollow_cylinder_volume(2 * outer * length, 2 * inner * length, length) ==
          Approx(std::numbers::pi * (outer * outer - inner * inner) * length));
    CHECK(hollow_cylinder_volume(0, 0, 0) == 0);
}

TEST_CASE("counted areas are off by as much as they say") {
    Random random(3, "discs");
    for (const double radius : {6.0, 25.0}) {
        double squares = 0, said = 0;
        constexpr int count = 300;
        auto mask = make_array<std::uint8_t>(1, side, side);
        for (int i = 0; i < count; ++i) {
            const double x = 60 + random.uniform(), y = 60 + random.uniform();
            draw(mask, 0, [&](double px, double py) { return std::hypot(px - x, py - y) < radius; });
            const auto counted = count_area(mask.data(), side, side);
            const double off = counted.area - std::numbers::pi * radius * radius;
            squares += off * off / count;
            said += counted.error / count;
        }
        // The root mean square of 300 draws is itself known to 4 %; 3 standard deviations of that, and a little for
        // discs of finite size.
        CHECK(said == Approx(std::sqrt(squares)).epsilon(0.15));
    }
    auto whole = full_array<std::uint8_t>(1, 1, 2, 3);  // its outline is the border: 10 edges
    CHECK(count_area(whole.data(), 2, 3).area == 6);
    CHECK(count_area(whole.data(), 2, 3).error == Approx(std::sqrt(0.0728 * std::numbers::pi / 4 * 10)));
}

TEST_CASE("the length along the axis is right at every angle to a fraction of a pixel") {
    Random random(4, "rectangles");
    double mean = 0;
    constexpr int count = 60;
    for (int i = 0; i < count; ++i) {
        const double length = random.uniform(40, 90), width = random.uniform(10, 24);
        auto mask = make_array<std::uint8_t>(1, side, side);
        draw(mask, 0,
             rectangle(60 + random.uniform(), 60 + random.uniform(), random.uniform(0, 2 * std::numbers::pi), length,
                       width));
        const double off = lengths_along_axis(mask)[0] - length;
        INFO(length << " × " << width);
        CHECK(std::abs(off) < 1);  // along rows or columns, each end is drawn up to half a pixel off
        mean += off / count;
    }
    CHECK(std::abs(mean) < 0.1);
}

TEST_CASE("a stub keeps the axis of what it was, an empty frame has no length") {
    auto masks = make_array<std::uint8_t>(5, side, side);
    draw(masks, 0, rectangle(60, 60, 0.4, 12.5, 22));  // wider than long
    draw(masks, 1, rectangle(60, 60, 0.4, 70.5, 22));
    draw(masks, 2, rectangle(60, 60, 0.4, 20.5, 22));  // tells no direction
    draw(masks, 3, [](double, double) { return false; });
    draw(masks, 4, rectangle(60, 60, 0.4, 60.5, 22));
    const auto lengths = lengths_along_axis(masks);
    const double expected[] = {12.5, 70.5, 20.5, 0, 60.5};
    for (std::size_t i = 0; i < 5; ++i) CHECK(lengths[i] == Approx(expected[i]).margin(0.7));
}

TEST_CASE("thin stray pixels beyond the ends do not count, gaps do") {
    auto masks = make_array<std::uint8_t>(2, side, side);
    const auto tube = rectangle(50, 60, 0, 60, 20);
    draw(masks, 0, [&](double x, double y) { return tube(x, y) || rectangle(112, 60, 0, 6, 6)(x, y); });
    draw(masks, 1, [&](double x, double y) { return tube(x, y) && !(x > 40 && x < 47); });
    for (const double length : lengths_along_axis(masks)) CHECK(length == Approx(60).margin(0.5));
}

TEST_CASE("core pixels outside the filament are counted and taken away") {
    auto outer = make_array<std::uint8_t>(2, side, side), core = outer;
    for (const Index i : {0, 1}) draw(outer, i, rectangle(60, 60, 0, 80, 20));
    draw(core, 0, rectangle(60, 60, 0, 80, 10));
    draw(core, 1, rectangle(65, 60, 0, 80, 10));
    CHECK(stray_core_pixels(outer, core) == std::vector<Index>{0, 50});
    const Masks inside = core_inside(outer, core);
    CHECK(stray_core_pixels(outer, inside) == std::vector<Index>{0, 0});
    CHECK(count_area(frame_data(inside, 1), side, side).area == 750);
    CHECK_THAT(
        mtdn::testing::message_of<ShapeError>([&] { core_inside(outer, make_array<std::uint8_t>(1, side, side)); }),
        Contains("core_inside: the filament's masks has size"));
}
