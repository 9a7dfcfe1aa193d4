// Damaged files of every format: each is read, or refused with one of our errors, and never ends the process. What
// that leaves unsaid, memory errors, the sanitizers' build of this test says.
#include <mtdn/core/random.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/npy.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/io/safetensors_writer.hpp>
#include <mtdn/io/tiff.hpp>

#include "picture_files.hpp"
#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::PngBuilder;
using mtdn::testing::Scratch;
using Bytes = std::vector<std::byte>;

namespace {

Bytes mutate(Bytes bytes, Random& random) {
    const Index edits = 1 + random.below(3);
    for (Index i = 0; i < edits && !bytes.empty(); ++i) {
        const auto at = random.below(static_cast<Index>(bytes.size()));
        auto& byte = bytes[static_cast<std::size_t>(at)];
        switch (random.below(6)) {
            case 0:
                byte ^= std::byte{1} << static_cast<int>(random.below(8));
                break;
            case 1:
                byte = static_cast<std::byte>(random.below(256));
                break;
            case 2:
                byte = random.chance(0.5) ? std::byte{255} : std::byte{0};
                break;
            case 3:
                bytes.erase(bytes.begin() + at);
                break;
            case 4:
                bytes.insert(bytes.begin() + at, byte);
                break;
            case 5:
                bytes.resize(static_cast<std::size_t>(at));
                break;
        }
    }
    return bytes;
}

/// Reads mutated files; the number of those that were refused.
template <class Read>
int refused(const Bytes& good, int count, const char* purpose, Read&& read) {
    Random random{1, purpose};
    int failed = 0;
    for (int i = 0; i < count; ++i) {
        try {
            read(mutate(good, random));
        } catch (const Error&) {
            ++failed;
        }
    }
    return failed;
}

/// Gives every chunk of a PNG file the CRC that its bytes ask for, so that damage gets past that check.
void repair_crcs(Bytes& bytes) {
    std::vector<std::uint8_t> data(bytes.size());
    std::memcpy(data.data(), bytes.data(), bytes.size());
    std::size_t at = 8;
    while (at + 12 <= data.size()) {
        std::size_t size = 0;
        for (int k = 0; k < 4; ++k) size = size << 8 | data[at + static_cast<std::size_t>(k)];
        if (size > data.size() - at - 12) break;
        const auto crc = PngBuilder::crc(data.data() + at + 4, size + 4);
        for (std::size_t k = 0; k < 4; ++k) bytes[at + 8 + size + k] = static_cast<std::byte>(crc >> (24 - 8 * k));
        at += 12 + size;
    }
}

}  // namespace

TEST_CASE("damaged PNG files") {
    const auto palette = PngBuilder::chunk("PLTE", {10, 20, 30, 40, 50, 60, 70, 80, 90});
    PngBuilder::Bytes rows;
    for (int y = 0; y < 8; ++y) {
        rows.push_back(static_cast<std::uint8_t>(y % 5));
        for (int x = 0; x < 8; ++x) rows.push_back(static_cast<std::uint8_t>((x + y) % 3));
    }
    const auto good = PngBuilder::file(8, 8, 8, 3, rows, palette);
    REQUIRE_NOTHROW(decode_png(good, "x"));
    CHECK(refused(good, 2000, "crc", [](const Bytes& bytes) { decode_png(bytes, "x"); }) > 1000);
    const int failed = refused(good, 4000, "no crc", [](Bytes bytes) {
        if (bytes.size() > 8) repair_crcs(bytes);
        decode_png(bytes, "x");
    });
    CHECK(failed > 1000);
    CHECK(failed < 4000);
}

TEST_CASE("damaged TIFF files") {
    const Scratch scratch;
    auto pages = full_array<std::uint8_t>(0, 2, 6, 7);
    for (std::size_t i = 0; i < pages.size(); ++i) pages.data()[i] = static_cast<std::uint8_t>(i * i);
    write_tiff(scratch / "good.tif", pages);
    const int failed = refused(read_file(scratch / "good.tif"), 3000, "tiff", [&](const Bytes& bytes) {
        // A new file each time: some file systems flush one that is written again.
        std::filesystem::remove(scratch / "bad.tif");
        TiffReader reader(scratch.put("bad.tif", bytes));
        for (Index page = 0; page < std::min<Index>(reader.pages(), 4); ++page) reader.read(page);
    });
    CHECK(failed > 500);
    CHECK(failed < 3000);
}

TEST_CASE("damaged .npy files") {
    const Scratch scratch;
    write_npy(scratch / "good.npy", full_array<float>(1, 2, 3));
    const int failed = refused(read_file(scratch / "good.npy"), 3000, "npy",
                               [](const Bytes& bytes) { decode_npy<float>(bytes, "x"); });
    CHECK(failed > 1000);
    CHECK(failed < 3000);
}

TEST_CASE("damaged safetensors files") {
    const Scratch scratch;
    SafeTensorsWriter writer;
    writer.add<float>("a", {2, 3}, std::vector<float>(6, 1.0f));
    writer.add<std::int64_t>("b", {1}, std::vector<std::int64_t>(1));
    writer.set_metadata("key", "value");
    writer.write(scratch / "good");
    const int failed = refused(read_file(scratch / "good"), 4000, "safetensors", [](const Bytes& bytes) {
        const SafeTensors file(bytes, "x");
        for (const auto& tensor : file.tensors())
            if (tensor.dtype != "I64") file.values<float>(tensor.name);
    });
    CHECK(failed > 1000);
    CHECK(failed < 4000);
}

TEST_CASE("damaged CSV files") {
    const std::string text = "epoch,loss\n0,\"1.5\"\n1,\"a \"\"b\"\"\"\n";
    const auto view = bytes_of(text);
    const int failed = refused({view.begin(), view.end()}, 3000, "csv", [](const Bytes& bytes) {
        parse_csv({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "x");
    });
    CHECK(failed > 300);
    CHECK(failed < 3000);
}
