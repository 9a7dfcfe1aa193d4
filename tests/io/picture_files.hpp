#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mtdn::testing {

/// Makes PNG files from the standard's text alone, so that reading is not checked against the library that reads.
class PngBuilder {
public:
    using Bytes = std::vector<std::uint8_t>;

    static std::uint32_t crc(const std::uint8_t* data, std::size_t size) {
        std::uint32_t c = 0xFFFFFFFF;
        for (std::size_t i = 0; i < size; ++i) {
            c ^= data[i];
            for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
        }
        return ~c;
    }

    static void big_endian(Bytes& to, std::uint32_t value) {
        for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>(value >> shift));
    }

    static Bytes chunk(const std::string& type, const Bytes& data) {
        Bytes body(type.begin(), type.end());
        body.insert(body.end(), data.begin(), data.end());
        Bytes out;
        big_endian(out, static_cast<std::uint32_t>(data.size()));
        out.insert(out.end(), body.begin(), body.end());
        big_endian(out, crc(body.data(), body.size()));
        return out;
    }

    /// `scanlines` are the rows, each after its filter byte; `extra` are chunks that stand before the pixels.
    static std::vector<std::byte> file(int width, int height, int bits, int colour, const Bytes& scanlines,
                                       const Bytes& extra = {}, bool interlaced = false) {
        Bytes out{0x89, 'P', 'N', 'G', 13, 10, 26, 10}, head, pixels{0x78, 0x01, 0x01};
        big_endian(head, static_cast<std::uint32_t>(width));
        big_endian(head, static_cast<std::uint32_t>(height));
        for (int value : {bits, colour, 0, 0, interlaced ? 1 : 0}) head.push_back(static_cast<std::uint8_t>(value));
        // zlib: one stored block, then Adler-32.
        const auto size = scanlines.size();
        for (auto part : {size & 255, size >> 8, ~size & 255, ~size >> 8 & 255})
            pixels.push_back(static_cast<std::uint8_t>(part));
        pixels.insert(pixels.end(), scanlines.begin(), scanlines.end());
        std::uint32_t a = 1, b = 0;
        for (auto byte : scanlines) {
            a = (a + byte) % 65521;
            b = (b + a) % 65521;
        }
        big_endian(pixels, b << 16 | a);
        for (const auto& part : {chunk("IHDR", head), extra, chunk("IDAT", pixels), chunk("IEND", {})})
            out.insert(out.end(), part.begin(), part.end());
        std::vector<std::byte> bytes;
        for (auto byte : out) bytes.push_back(std::byte{byte});
        return bytes;
    }
};

}  // namespace mtdn::testing
