#include <mtdn/io/tiff.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;
using Values = std::vector<std::uint16_t>;

namespace {

struct Layout {
    const char* name;
    std::uint32_t width, height;
    int bits, samples, photometric;
    int planar = PLANARCONFIG_CONTIG;
    std::uint32_t tile = 0;  // side, 0: strips of 2 rows
    int compression = COMPRESSION_NONE;
    int format = SAMPLEFORMAT_UINT;
};

/// Writes one page by libtiff itself, plane by plane and block by block, from (height, width, samples).
void write_page(const std::filesystem::path& path, const Layout& layout, const Values& values) {
    TIFF* tiff = TIFFOpen(path.c_str(), "w");
    REQUIRE(tiff);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, layout.width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, layout.height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, layout.bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, layout.samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, layout.photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, layout.planar);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, layout.compression);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, layout.format);
    if (layout.photometric == PHOTOMETRIC_PALETTE) {
        std::uint16_t map[3][256];
        for (int c = 0; c < 3; ++c)
            for (int i = 0; i < 256; ++i) map[c][i] = static_cast<std::uint16_t>(((i + c) % 256) << 8);
        TIFFSetField(tiff, TIFFTAG_COLORMAP, map[0], map[1], map[2]);
    }
    const std::uint32_t block_width = layout.tile ? layout.tile : layout.width;
    const std::uint32_t block_height = layout.tile ? layout.tile : 2;
    if (layout.tile) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, layout.tile);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, layout.tile);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, block_height);
    }
    const int planes = layout.planar == PLANARCONFIG_SEPARATE ? layout.samples : 1, together = layout.samples / planes;
    std::uint32_t number = 0;
    for (int plane = 0; plane < planes; ++plane) {
        for (std::uint32_t top = 0; top < layout.height; top += block_height) {
            for (std::uint32_t left = 0; left < layout.width; left += block_width) {
                std::vector<std::uint8_t> block;
                const auto rows = layout.tile ? block_height : std::min(block_height, layout.height - top);
                for (std::uint32_t y = top; y < top + rows; ++y) {
                    unsigned bits = 0, filled = 0;
                    for (std::uint32_t x = left; x < left + block_width; ++x) {
                        for (int s = 0; s < together; ++s) {
                            const bool inside = y < layout.height && x < layout.width;
                            const auto at = (y * layout.width + x) * static_cast<std::uint32_t>(layout.samples);
                            const std::uint16_t value = inside ? values[at + static_cast<std::uint32_t>(plane + s)] : 0;
                            if (layout.bits == 16) {
                                block.push_back(static_cast<std::uint8_t>(value));
                                block.push_back(static_cast<std::uint8_t>(value >> 8));
                                continue;
                            }
                            bits = bits << layout.bits | value;
                            filled += static_cast<unsigned>(layout.bits);
                            if (filled == 8) block.push_back(static_cast<std::uint8_t>(bits)), bits = filled = 0;
                        }
                    }
                    if (filled) block.push_back(static_cast<std::uint8_t>(bits << (8 - filled)));
                }
                const auto size = static_cast<tmsize_t>(block.size());
                if (layout.tile) {
                    REQUIRE(TIFFWriteEncodedTile(tiff, number++, block.data(), size) == size);
                } else {
                    REQUIRE(TIFFWriteEncodedStrip(tiff, number++, block.data(), size) == size);
                }
            }
        }
    }
    TIFFClose(tiff);
}

}  // namespace

TEST_CASE("every layout of a page gives the same pixels") {
    const Scratch scratch;
    const std::vector<Layout> layouts{
        {"grey 8, strips", 5, 5, 8, 1, PHOTOMETRIC_MINISBLACK},
        {"grey 16, strips", 5, 5, 16, 1, PHOTOMETRIC_MINISBLACK},
        {"grey 8, LZW", 5, 5, 8, 1, PHOTOMETRIC_MINISBLACK, PLANARCONFIG_CONTIG, 0, COMPRESSION_LZW},
        {"grey 8, PackBits", 5, 5, 8, 1, PHOTOMETRIC_MINISBLACK, PLANARCONFIG_CONTIG, 0, COMPRESSION_PACKBITS},
        {"grey 16, tiles", 19, 18, 16, 1, PHOTOMETRIC_MINISBLACK, PLANARCONFIG_CONTIG, 16},
        {"grey and alpha", 5, 5, 8, 2, PHOTOMETRIC_MINISBLACK},
        {"RGB", 5, 5, 8, 3, PHOTOMETRIC_RGB},
        {"RGB 16, planes apart", 5, 5, 16, 3, PHOTOMETRIC_RGB, PLANARCONFIG_SEPARATE},
        {"RGBA, tiles", 19, 18, 8, 4, PHOTOMETRIC_RGB, PLANARCONFIG_CONTIG, 16},
        {"RGB, tiles, planes apart", 19, 18, 8, 3, PHOTOMETRIC_RGB, PLANARCONFIG_SEPARATE, 16},
    };
    for (const auto& layout : layouts) {
        INFO(layout.name);
        Values values(layout.width * layout.height * static_cast<std::size_t>(layout.samples));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<std::uint16_t>(i * 37 % (layout.bits == 16 ? 65521 : 251));
        write_page(scratch / "a.tif", layout, values);
        const auto image = read_tiff(scratch / "a.tif");
        CHECK(image.width == layout.width);
        CHECK(image.height == layout.height);
        CHECK(image.channels == layout.samples);
        CHECK(image.bits == layout.bits);
        CHECK(image.values == values);
    }
}

TEST_CASE("few bits are spread, white-is-zero inverted, palettes looked up") {
    const Scratch scratch;
    write_page(scratch / "a.tif", {"", 9, 1, 1, 1, PHOTOMETRIC_MINISBLACK}, {1, 0, 0, 1, 1, 0, 0, 0, 1});
    CHECK(read_tiff(scratch / "a.tif").values == Values{255, 0, 0, 255, 255, 0, 0, 0, 255});
    write_page(scratch / "a.tif", {"", 3, 1, 1, 1, PHOTOMETRIC_MINISWHITE}, {1, 0, 0});
    CHECK(read_tiff(scratch / "a.tif").values == Values{0, 255, 255});
    write_page(scratch / "a.tif", {"", 3, 1, 4, 1, PHOTOMETRIC_MINISBLACK}, {1, 0, 15});
    CHECK(read_tiff(scratch / "a.tif").values == Values{17, 0, 255});
    write_page(scratch / "a.tif", {"", 2, 1, 8, 1, PHOTOMETRIC_MINISWHITE}, {0, 200});
    CHECK(read_tiff(scratch / "a.tif").values == Values{255, 55});
    write_page(scratch / "a.tif", {"", 2, 1, 8, 1, PHOTOMETRIC_PALETTE}, {9, 255});
    const auto image = read_tiff(scratch / "a.tif");
    CHECK(image.channels == 3);
    CHECK(image.values == Values{9, 10, 11, 255, 0, 1});
}

TEST_CASE("pages written are pages read, in any order") {
    const Scratch scratch;
    auto pages = make_array<std::uint16_t>(3, 70, 500);
    for (std::size_t i = 0; i < pages.size(); ++i) pages.data()[i] = static_cast<std::uint16_t>(i * 2654435761u >> 7);
    write_tiff(scratch / "a.tif", pages);
    TiffReader reader(scratch / "a.tif");
    REQUIRE(reader.pages() == 3);
    for (Index page : {2, 0, 1, 1}) {
        const auto image = reader.read(page);
        CHECK(image.bits == 16);
        CHECK(std::equal(image.values.begin(), image.values.end(), frame_data(pages, page)));
    }
    CHECK(message_of<OptionError>([&] { reader.read(3); }).find("has 3 pages, got page 3") != std::string::npos);

    TiffWriter writer(scratch / "b.tif");
    writer.write(full_array<std::uint8_t>(9, 2, 3));
    writer.write(full_array<std::uint16_t>(999, 4, 1));
    CHECK(!std::filesystem::exists(scratch / "b.tif"));
    writer.commit();
    TiffReader mixed(scratch / "b.tif");
    CHECK(mixed.read(0).values == Values(6, 9));
    CHECK(mixed.read(1).values == Values(4, 999));
}

TEST_CASE("bad files are refused by name and reason, in silence") {
    const Scratch scratch;
    const auto message = [&](const std::filesystem::path& path) {
        return message_of<IoError>([&] { read_tiff(path); });
    };
    CHECK(message(scratch.put("a.tif", "")).find("the file is empty (0 bytes)") != std::string::npos);
    CHECK(message(scratch.put("a.tif", "hello, this is text")).find(": not a TIFF file: ") != std::string::npos);
    const Values values(25, 3);
    write_page(scratch / "float.tif",
               {"", 5, 5, 16, 1, PHOTOMETRIC_MINISBLACK, PLANARCONFIG_CONTIG, 0, COMPRESSION_NONE, SAMPLEFORMAT_IEEEFP},
               values);
    CHECK(message(scratch / "float.tif").find("page 0: expected unsigned integer samples, found sample format 3") !=
          std::string::npos);
    write_page(scratch / "lab.tif", {"", 5, 5, 8, 3, PHOTOMETRIC_CIELAB}, Values(75, 3));
    CHECK(message(scratch / "lab.tif").find("found photometric interpretation 8") != std::string::npos);

    write_page(scratch / "good.tif", {"", 5, 5, 8, 1, PHOTOMETRIC_MINISBLACK}, values);
    const auto good = read_file(scratch / "good.tif");
    for (std::size_t size = 1; size < good.size(); ++size) {
        INFO(size);
        const auto said = message(scratch.put("cut.tif", std::span(good).first(size)));
        CHECK(said.find((scratch / "cut.tif").string()) == 0);
    }
}
