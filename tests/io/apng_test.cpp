#include <mtdn/io/apng.hpp>

#include "picture_files.hpp"
#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::PngBuilder;
using mtdn::testing::Scratch;
using Bytes = PngBuilder::Bytes;
using Colours = Array<std::uint8_t, 3>;

namespace {

struct Chunk {
    std::string type;
    Bytes data;
    bool right;  // its checksum
};

std::uint32_t number(const Bytes& bytes, std::size_t at, std::size_t count = 4) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes.at(at + i);
    return value;
}

std::vector<Chunk> chunks_of(const std::filesystem::path& path) {
    const auto file = read_file(path);
    Bytes bytes;
    for (const auto byte : file) bytes.push_back(std::to_integer<std::uint8_t>(byte));
    std::vector<Chunk> chunks;
    for (std::size_t at = 8; at < bytes.size();) {
        const auto size = number(bytes, at);
        const auto body = bytes.begin() + static_cast<std::ptrdiff_t>(at + 4);
        chunks.push_back({std::string(body, body + 4), Bytes(body + 4, body + 4 + size),
                          PngBuilder::crc(bytes.data() + at + 4, size + 4) == number(bytes, at + 8 + size)});
        at += 12 + size;
    }
    return chunks;
}

/// A picture that no other resembles.
Colours picture(Index height, Index width, int seed) {
    auto result = make_array<std::uint8_t>(height, width, 3);
    for (std::size_t i = 0; i < result.size(); ++i)
        result.data()[i] = static_cast<std::uint8_t>((static_cast<int>(i) * 37 + seed * 101) % 256);
    return result;
}

/// What a plain reader makes of the header and some compressed pixels.
std::vector<std::uint16_t> decoded(const Bytes& header, const Bytes& pixels) {
    std::vector<std::byte> file;
    const auto add = [&](const Bytes& bytes) {
        for (const auto byte : bytes) file.push_back(std::byte{byte});
    };
    add({0x89, 'P', 'N', 'G', 13, 10, 26, 10});
    add(PngBuilder::chunk("IHDR", header));
    add(PngBuilder::chunk("IDAT", pixels));
    add(PngBuilder::chunk("IEND", {}));
    return decode_png(file, "frame").values;
}

}  // namespace

TEST_CASE("an animated PNG has the chunks that its specification asks for, and every picture's pixels") {
    const Scratch scratch;
    const auto path = scratch / "film.png";
    const std::vector<Colours> pictures{picture(70, 50, 0), picture(70, 50, 1), picture(70, 50, 2)};
    ApngWriter writer(path, 3, {.seconds = 0.2, .loops = 2});
    for (const auto& one : pictures) writer.add(one);
    CHECK(!std::filesystem::exists(path));
    writer.commit();

    const auto chunks = chunks_of(path);
    std::string types;
    for (const auto& chunk : chunks) {
        CHECK(chunk.right);
        types += chunk.type + ' ';
    }
    REQUIRE(types == "IHDR acTL fcTL IDAT fcTL fdAT fcTL fdAT IEND ");
    CHECK(number(chunks[1].data, 0) == 3);
    CHECK(number(chunks[1].data, 4) == 2);
    std::uint32_t sequence = 0;
    for (std::size_t k = 0; k < 3; ++k) {
        const auto& control = chunks[2 + 2 * k].data;
        REQUIRE(control.size() == 26);
        CHECK(number(control, 0) == sequence++);
        CHECK(number(control, 4) == 50);  // width
        CHECK(number(control, 8) == 70);  // height
        CHECK(number(control, 12) == 0);  // left
        CHECK(number(control, 16) == 0);  // top
        CHECK(number(control, 20, 2) * 5 == number(control, 22, 2));
        Bytes pixels = chunks[3 + 2 * k].data;
        if (k > 0) {
            CHECK(number(pixels, 0) == sequence++);
            pixels.erase(pixels.begin(), pixels.begin() + 4);
        }
        const auto values = decoded(chunks[0].data, pixels);
        CHECK(std::equal(values.begin(), values.end(), pictures[k].begin(), pictures[k].end()));
    }
    const auto still = read_png(path);
    CHECK(std::equal(still.values.begin(), still.values.end(), pictures[0].begin(), pictures[0].end()));
}

TEST_CASE("an animation that is not whole does not appear") {
    const Scratch scratch;
    const auto path = scratch / "film.png";
    {
        ApngWriter writer(path, 2);
        writer.add(picture(4, 5, 0));
        CHECK(message_of<ShapeError>([&] {
                  writer.add(picture(5, 4, 0));
              }).find("picture 1 is 5 × 4 pixels, expected 4 × 5") != std::string::npos);
        CHECK(message_of<OptionError>([&] { writer.commit(); }).find("1 of 2 pictures") != std::string::npos);
        writer.add(picture(4, 5, 1));
        CHECK(message_of<OptionError>([&] { writer.add(picture(4, 5, 2)); }).find("one more") != std::string::npos);
    }
    CHECK(scratch.count() == 0);
    CHECK(message_of<OptionError>([&] { ApngWriter(path, 0); }).find("at least one picture, got 0") !=
          std::string::npos);
    CHECK(message_of<OptionError>([&] { ApngWriter(path, 1, {.seconds = 66}); }).find("got 66") != std::string::npos);
    CHECK(message_of<OptionError>([&] { ApngWriter(path, 1, {.loops = -1}); }).find("got -1") != std::string::npos);
    CHECK(scratch.count() == 0);
}
