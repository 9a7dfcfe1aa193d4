#include <mtdn/view/plot.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;

namespace {

struct Extent {
    Index count = 0, top = 1 << 20, bottom = -1, left = 1 << 20, right = -1;
};

/// Where a colour is, left of the legend.
Extent extent_of(const Picture& picture, Colour colour, Index columns) {
    Extent result;
    for (Index y = 0; y < extent(picture, 0); ++y) {
        for (Index x = 0; x < columns; ++x) {
            if (!(pixel(picture, y, x) == colour)) continue;
            ++result.count;
            result.top = std::min(result.top, y), result.bottom = std::max(result.bottom, y);
            result.left = std::min(result.left, x), result.right = std::max(result.right, x);
        }
    }
    return result;
}

const Colour red{255, 0, 0}, blue{0, 0, 255};
const double nan_value = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("ticks are round and within the range") {
    CHECK(axis_ticks(0, 1, 5) == std::vector<double>{0, 0.2, 2 * 0.2, 3 * 0.2, 4 * 0.2, 1});
    CHECK(axis_ticks(-3, 47) == std::vector<double>{0, 10, 20, 30, 40});
    CHECK(axis_ticks(998, 1004, 3) == std::vector<double>{998, 1000, 1002, 1004});
    CHECK(axis_ticks(0, 3e-5, 3).size() == 4);
}

TEST_CASE("a line rises with its values and spans the axes") {
    const auto picture = plot({{.lines = {{.x = {0, 10}, .y = {1, 2}, .colour = red}}}}, {.width = 400, .height = 200});
    CHECK(extent(picture, 0) == 200);
    CHECK(extent(picture, 1) == 400);
    const auto line = extent_of(picture, red, 400);
    CHECK(line.left == 62);    // the axes' left border
    CHECK(line.right >= 385);  // and their right
    const auto start = extent_of(picture, red, 70), all = line;
    CHECK(start.top > all.top + 90);  // it starts low and ends high
    CHECK(start.bottom == all.bottom);
}

TEST_CASE("a value that is not finite interrupts the line, points alone are seen") {
    const std::vector<double> x{0, 1, 2, 3, 4};
    const PlotOptions options{.width = 400, .height = 200};
    const auto whole = plot({{.lines = {{.x = x, .y = {0, 0, 0, 0, 0}, .colour = red}}}}, options);
    const auto gap = plot({{.lines = {{.x = x, .y = {0, 0, nan_value, 0, 0}, .colour = red}}}}, options);
    const auto alone =
        plot({{.lines = {{.x = x, .y = {0, nan_value, nan_value, nan_value, 0}, .colour = red}}}}, options);
    const auto count = [](const Picture& picture) { return extent_of(picture, red, 400).count; };
    CHECK(count(gap) > count(whole) / 3);
    CHECK(count(gap) < 2 * count(whole) / 3);
    CHECK(count(alone) > 0);
    CHECK(count(alone) <= 16);
    CHECK_NOTHROW(plot({{.lines = {{.x = {}, .y = {}}}}, {}}, options));
    CHECK_NOTHROW(plot({{.lines = {{.x = {nan_value}, .y = {nan_value}}}}}, options));
}

TEST_CASE("a chosen range clamps what leaves it; panels stand under each other") {
    const PlotOptions options{.width = 400, .height = 200};
    const auto picture =
        plot({{.lines = {{.label = "red", .x = {0, 1}, .y = {5, 5}, .colour = red}}, .y_range = {{0, 1}}},
              {.lines = {{.label = "blue", .x = {0, 1}, .y = {0.5, 0.5}, .colour = blue}}}},
             options);
    CHECK(extent(picture, 0) == 400);
    CHECK(extent_of(picture, red, 330).bottom == 28 + 1);  // the upper border, two pixels wide
    CHECK(extent_of(picture, blue, 330).top > 200);
    CHECK(extent_of(picture, red, 400).count > extent_of(picture, red, 330).count + 10);  // the legend
}

TEST_CASE("lines without a label take no place in the legend") {
    const PlotOptions options{.width = 400, .height = 200};
    PlotPanel panel{.lines = {{.label = "red", .x = {0, 1}, .y = {0, 1}, .colour = red}}};
    const auto alone = plot({panel}, options);
    panel.lines.insert(panel.lines.begin(), 30, {.x = {0, 1}, .y = {0, 1}, .colour = red});
    CHECK((plot({panel}, options) == alone));
}

TEST_CASE("error bars reach as far as the error") {
    const PlotOptions options{.width = 400, .height = 262};  // axes 200 pixels high
    const auto picture =
        plot({{.lines = {{.x = {0, 1}, .y = {0.5, 0.5}, .error = {0.25, 0.25}, .colour = red}}, .y_range = {{0, 1}}}},
             options);
    const auto line = extent_of(picture, red, 400);
    CHECK(line.bottom - line.top == 100 + 1);  // half of the axis, and the line's width
}

TEST_CASE("plots that cannot be drawn are refused") {
    CHECK(message_of<ShapeError>([] {
              plot({{.lines = {{.label = "a", .x = {1, 2}, .y = {1}}}}});
          }).find("line \"a\" has 2 x, 1 y and 0 errors") != std::string::npos);
    CHECK(message_of<OptionError>([] { plot({{.y_range = {{1, 1}}}}); }).find("got 1 and 1") != std::string::npos);
    CHECK(message_of<OptionError>([] { plot({{}}, {.width = 90}); }).find("too few") != std::string::npos);
    CHECK(message_of<OptionError>([] { plot({}); }).find("at least one panel") != std::string::npos);
}
