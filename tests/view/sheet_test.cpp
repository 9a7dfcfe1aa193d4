#include <mtdn/view/sheet.hpp>

#include <set>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;

namespace {

/// The picture's rows as text, # for every pixel that is not white.
std::string drawn(const Picture& picture) {
    std::string text;
    for (Index y = 0; y < extent(picture, 0); ++y) {
        for (Index x = 0; x < extent(picture, 1); ++x) text += pixel(picture, y, x) == white ? '.' : '#';
        text += '\n';
    }
    return text;
}

}  // namespace

TEST_CASE("letters look like letters") {
    Picture picture = blank_picture(7, 11);
    draw_text(picture, 0, 0, "A1");
    CHECK(drawn(picture) ==
          ".###....#..\n"
          "#...#..##..\n"
          "#...#...#..\n"
          "#...#...#..\n"
          "#####...#..\n"
          "#...#...#..\n"
          "#...#..###.\n");
    std::set<std::uint64_t> seen(detail::glyphs.begin(), detail::glyphs.end());
    CHECK(seen.size() == detail::glyphs.size());
    CHECK(!seen.contains(detail::unknown_glyph));
}

TEST_CASE("text is as wide as it says, at any scale, and is cut at the border") {
    CHECK(text_width("") == 0);
    CHECK(text_width("abc") == 17);
    CHECK(text_width("abc", 2) == 34);
    CHECK(text_width("µm") == 11);  // two characters, three bytes
    for (const Index scale : {1, 3}) {
        Picture picture = blank_picture(30, 60);
        draw_text(picture, 0, 0, "HH", black, scale);
        CHECK(pixel(picture, 0, text_width("HH", scale) - 1) == black);
        CHECK(pixel(picture, 0, text_width("HH", scale)) == white);
        CHECK(pixel(picture, 7 * scale - 1, 0) == black);
        CHECK(pixel(picture, 7 * scale, 0) == white);
    }
    Picture small = blank_picture(3, 3);
    draw_text(small, -2, -4, "HELLO");
    CHECK(drawn(small) != "...\n...\n...\n");
}

TEST_CASE("pictures stand in their row and column") {
    const Colour red{255, 0, 0}, green{0, 255, 0};
    const std::vector<SheetRow> rows{{"x", {blank_picture(20, 40, red), blank_picture(20, 40, green)}},
                                     {"longer", {blank_picture(20, 40, green), blank_picture(10, 10, red)}}};
    const auto sheet = contact_sheet({"0 s", "9 s"}, rows, {.gap = 5});
    const Index left = text_width("longer") + 10, top = 7 + 10;
    CHECK(extent(sheet, 0) == top + 2 * 25);
    CHECK(extent(sheet, 1) == left + 2 * 45);
    CHECK(pixel(sheet, top, left) == red);
    CHECK(pixel(sheet, top + 19, left + 39) == red);
    CHECK(pixel(sheet, top + 20, left) == white);
    CHECK(pixel(sheet, top, left + 40) == white);
    CHECK(pixel(sheet, top, left + 45) == green);
    CHECK(pixel(sheet, top + 25, left) == green);
    CHECK(pixel(sheet, top + 25, left + 45) == red);
    CHECK(pixel(sheet, top + 25 + 10, left + 45) == white);  // the smaller picture ends
    CHECK(message_of<ShapeError>([&] {
              contact_sheet({"a"}, rows);
          }).find("row \"x\" has 2 pictures, expected one for each of 1 columns") != std::string::npos);
    CHECK(message_of<OptionError>([&] {
              contact_sheet({"a", "b"}, rows, {.gap = -1});
          }).find("got -1 and 1") != std::string::npos);
}

TEST_CASE("columns' labels stand below where that is asked for") {
    const Colour red{255, 0, 0};
    const auto sheet = contact_sheet({"0"}, {{"", {blank_picture(20, 40, red)}}}, {.gap = 5, .below = true});
    CHECK(extent(sheet, 0) == 5 + 20 + 5 + text_height + 5);
    CHECK(pixel(sheet, 5, 5) == red);
    CHECK(pixel(sheet, 30, 5) == white);
    CHECK(pixel(sheet, 30, 6) == black);  // the digit's upper edge
}

TEST_CASE("frames of a sheet are evenly spaced, the first and the last among them") {
    CHECK(sheet_frames(5, 5) == std::vector<Index>{0, 1, 2, 3, 4});
    CHECK(sheet_frames(3, 5) == std::vector<Index>{0, 1, 2});
    CHECK(sheet_frames(11, 3) == std::vector<Index>{0, 5, 10});
    CHECK(sheet_frames(10, 4) == std::vector<Index>{0, 3, 6, 9});
    CHECK(sheet_frames(8, 1) == std::vector<Index>{0});
    CHECK(sheet_frames(0, 4).empty());
}

TEST_CASE("an enlarged picture repeats its pixels") {
    Picture picture = blank_picture(1, 2);
    set_pixel(picture, 0, 1, black);
    CHECK(drawn(enlarged(picture, 3)) == "...###\n...###\n...###\n");
}
