#include <mtdn/io/png.hpp>

#include "picture_files.hpp"
#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::PngBuilder;
using mtdn::testing::Scratch;
using Values = std::vector<std::uint16_t>;
using Bytes = PngBuilder::Bytes;

TEST_CASE("every colour type and depth reads as the standard says") {
    const auto palette = PngBuilder::chunk("PLTE", {10, 20, 30, 40, 50, 60, 70, 80, 90});
    auto see_through = palette;
    const auto alpha = PngBuilder::chunk("tRNS", {5, 6});
    see_through.insert(see_through.end(), alpha.begin(), alpha.end());
    struct Case {
        const char* name;
        int bits, colour;
        Bytes row, extra;  // one row of 2 pixels
        int channels, out_bits;
        Values expected;
    };
    const std::vector<Case> cases{
        {"grey 1", 1, 0, {0b01000000}, {}, 1, 8, {0, 255}},
        {"grey 2", 2, 0, {0b01100000}, {}, 1, 8, {85, 170}},
        {"grey 4", 4, 0, {0x1F}, {}, 1, 8, {17, 255}},
        {"grey 8", 8, 0, {7, 200}, {}, 1, 8, {7, 200}},
        {"grey 16", 16, 0, {1, 2, 255, 254}, {}, 1, 16, {258, 65534}},
        {"grey 8, one value transparent", 8, 0, {7, 200}, PngBuilder::chunk("tRNS", {0, 7}), 2, 8, {7, 0, 200, 255}},
        {"grey alpha 8", 8, 4, {7, 1, 200, 2}, {}, 2, 8, {7, 1, 200, 2}},
        {"grey alpha 16", 16, 4, {0, 7, 0, 1, 0, 200, 0, 2}, {}, 2, 16, {7, 1, 200, 2}},
        {"RGB 8", 8, 2, {1, 2, 3, 4, 5, 6}, {}, 3, 8, {1, 2, 3, 4, 5, 6}},
        {"RGB 16", 16, 2, {0, 1, 0, 2, 0, 3, 1, 0, 2, 0, 3, 0}, {}, 3, 16, {1, 2, 3, 256, 512, 768}},
        {"RGBA 8", 8, 6, {1, 2, 3, 178, 5, 6, 7, 0}, {}, 4, 8, {1, 2, 3, 178, 5, 6, 7, 0}},
        {"RGBA 16", 16, 6, {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}, {}, 4, 16, {1, 2, 3, 4, 5, 6, 7, 8}},
        {"palette 8", 8, 3, {2, 0}, palette, 3, 8, {70, 80, 90, 10, 20, 30}},
        {"palette 2", 2, 3, {0b01100000}, palette, 3, 8, {40, 50, 60, 70, 80, 90}},
        {"palette with alpha", 8, 3, {1, 2}, see_through, 4, 8, {40, 50, 60, 6, 70, 80, 90, 255}},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        Bytes scanline{0};
        scanline.insert(scanline.end(), c.row.begin(), c.row.end());
        const auto image = decode_png(PngBuilder::file(2, 1, c.bits, c.colour, scanline, c.extra), "x.png");
        CHECK(image.height == 1);
        CHECK(image.width == 2);
        CHECK(image.channels == c.channels);
        CHECK(image.bits == c.out_bits);
        CHECK(image.values == c.expected);
    }
}

TEST_CASE("an interlaced file gives its pixels in order") {
    // Adam7, 8 × 8: the passes' first row and column and their steps.
    const int passes[7][4]{{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                           {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
    Bytes scanlines;
    for (const auto& p : passes) {
        for (int y = p[0]; y < 8; y += p[2]) {
            scanlines.push_back(0);
            for (int x = p[1]; x < 8; x += p[3]) scanlines.push_back(static_cast<std::uint8_t>(8 * y + x));
        }
    }
    const auto image = decode_png(PngBuilder::file(8, 8, 8, 0, scanlines, {}, true), "x.png");
    for (std::uint16_t i = 0; i < 64; ++i) CHECK(image.values[i] == i);
}

TEST_CASE("a written picture reads back") {
    const Scratch scratch;
    auto grey = make_array<std::uint8_t>(3, 5);
    for (std::size_t i = 0; i < grey.size(); ++i) grey.data()[i] = static_cast<std::uint8_t>(17 * i);
    write_png(scratch / "grey.png", grey);
    auto image = read_png(scratch / "grey.png");
    CHECK(image.height == 3);
    CHECK(image.width == 5);
    CHECK(image.channels == 1);
    CHECK(std::equal(grey.begin(), grey.end(), image.values.begin()));

    auto deep = make_array<std::uint16_t>(2, 3);
    for (std::size_t i = 0; i < deep.size(); ++i) deep.data()[i] = static_cast<std::uint16_t>(10001 * i);
    write_png(scratch / "deep.png", deep);
    image = read_png(scratch / "deep.png");
    CHECK(image.bits == 16);
    CHECK(std::equal(deep.begin(), deep.end(), image.values.begin()));

    auto colour = make_array<std::uint8_t>(2, 2, 3);
    for (std::size_t i = 0; i < colour.size(); ++i) colour.data()[i] = static_cast<std::uint8_t>(20 * i);
    write_png(scratch / "colour.png", colour);
    image = read_png(scratch / "colour.png");
    CHECK(image.channels == 3);
    CHECK(std::equal(colour.begin(), colour.end(), image.values.begin()));

    CHECK(message_of<ShapeError>([&] {
              write_png(scratch / "x.png", make_array<std::uint8_t>(2, 2, 4));
          }).find("expected 3 channels, got 4") != std::string::npos);
    CHECK(message_of<ShapeError>([&] {
              write_png(scratch / "x.png", make_array<std::uint8_t>(0, 2));
          }).find("got 0 × 2") != std::string::npos);
}

TEST_CASE("bad PNG files are refused by name and reason") {
    const auto good = PngBuilder::file(2, 1, 8, 0, {0, 7, 200});
    const auto message = [](std::vector<std::byte> bytes) {
        return message_of<IoError>([&] { decode_png(bytes, "x.png"); });
    };
    CHECK(message({}) == "x.png: expected a PNG file, the file is empty (0 bytes)");
    CHECK(message(std::vector<std::byte>(20, std::byte{'a'})).find("x.png: not a PNG file") == 0);
    for (std::size_t size = 1; size < good.size(); ++size) {
        INFO(size);
        CHECK(message({good.begin(), good.begin() + static_cast<Index>(size)}).find("x.png: truncated PNG file") == 0);
    }
    auto damaged = good;
    damaged[17] ^= std::byte{1};  // in IHDR, which its CRC guards
    CHECK(message(damaged).find("x.png: damaged PNG file: IHDR: CRC error") == 0);
    // A header that claims more pixels than any file of this size holds is not believed.
    CHECK(message(PngBuilder::file(900000, 900000, 16, 6, {0})).find("900000 × 900000 pixels cannot be in") !=
          std::string::npos);
}
