#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/io/detail/checksum.hpp>
#include <mtdn/io/file.hpp>
#include <mtdn/io/png.hpp>

namespace mtdn {

namespace detail {

/// Numbers of two or four bytes, the most significant byte first.
inline std::string big_endian(std::initializer_list<std::uint32_t> numbers, int bytes = 4) {
    std::string text;
    for (const std::uint32_t number : numbers)
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(number >> shift & 255);
    return text;
}

inline std::string png_chunk(std::string_view type, std::string_view data) {
    const std::string body = std::string(type) + std::string(data);
    return big_endian({static_cast<std::uint32_t>(data.size())}) + body + big_endian({crc<0xEDB88320u>(body)});
}

/// The data of all chunks of a type in a PNG file that was just written, one after the other.
inline std::string png_chunks(std::string_view file, std::string_view type) {
    std::string data;
    for (std::size_t at = 8; at < file.size();) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(file[at + i]);
        if (file.substr(at + 4, 4) == type) data += file.substr(at + 8, size);
        at += size + 12;
    }
    return data;
}

}  // namespace detail

/// How an animated PNG plays.
struct AnimationOptions {
    double seconds = 0.25;  ///< that each picture is shown, 0.001…65
    Index loops = 0;        ///< times that it plays; 0: for ever
};

/// An animated PNG (APNG), written picture by picture; it appears under its name whole, by `commit()`, or not at all.
///
/// Lossless and in full colour. Browsers play it; programs that know plain PNG alone show its first picture.
///
/// @source W3C, PNG Specification (Third Edition), chunks acTL, fcTL and fdAT
class ApngWriter {
public:
    /// @param count pictures that will be added
    /// @throws IoError, OptionError
    ApngWriter(const std::filesystem::path& path, Index count, const AnimationOptions& options = {})
        : file_(path), count_(count), options_(options) {
        require<OptionError>(count >= 1, "ApngWriter: ", path.string(), ": expected at least one picture, got ", count);
        require<OptionError>(options.seconds >= 0.001 && options.seconds <= 65, "ApngWriter: ", path.string(),
                             ": seconds of a picture must be in [0.001, 65], got ", options.seconds);
        require<OptionError>(options.loops >= 0, "ApngWriter: ", path.string(), ": loops must be at least 0, got ",
                             options.loops);
    }

    /// Adds the next picture.
    ///
    /// @shape  (height, width, 3), as the first
    /// @throws ShapeError if it has another size; OptionError if it is one too many; IoError
    void add(const Array<std::uint8_t, 3>& picture) {
        const auto name = file_.path().string();
        const Index height = extent(picture, 0), width = extent(picture, 1);
        require<OptionError>(added_ < count_, "ApngWriter::add: ", name, ": was announced with ", count_,
                             " pictures, got one more");
        require<ShapeError>(extent(picture, 2) == 3, "ApngWriter::add: ", name, ": expected 3 channels, got ",
                            extent(picture, 2));
        if (added_ == 0) height_ = height, width_ = width;
        require<ShapeError>(height == height_ && width == width_, "ApngWriter::add: ", name, ": picture ", added_,
                            " is ", height, " × ", width, " pixels, expected ", height_, " × ", width_,
                            " as the first");
        const auto bytes = detail::encode_png(name, picture.data(), height, width, 3, 8);
        const std::string_view png(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (added_ == 0) {
            file_.write(png.substr(0, 8));  // the signature
            file_.write(detail::png_chunk("IHDR", detail::png_chunks(png, "IHDR")));
            file_.write(detail::png_chunk("acTL", detail::big_endian({static_cast<std::uint32_t>(count_),
                                                                      static_cast<std::uint32_t>(options_.loops)})));
        }
        // Sequence number, size, place; time in thousandths of a second; then it stays, and replaces what was there.
        const auto thousandths = static_cast<std::uint32_t>(std::lround(1000 * options_.seconds));
        file_.write(detail::png_chunk("fcTL", detail::big_endian({sequence_++, static_cast<std::uint32_t>(width),
                                                                  static_cast<std::uint32_t>(height), 0, 0}) +
                                                  detail::big_endian({thousandths, 1000}, 2) + std::string(2, '\0')));
        const auto pixels = detail::png_chunks(png, "IDAT");
        file_.write(added_ == 0 ? detail::png_chunk("IDAT", pixels)
                                : detail::png_chunk("fdAT", detail::big_endian({sequence_++}) + pixels));
        ++added_;
    }

    /// Ends the file and gives it its name.
    ///
    /// @throws OptionError if pictures are missing; IoError
    void commit() {
        require<OptionError>(added_ == count_, "ApngWriter::commit: ", file_.path().string(), ": ", added_, " of ",
                             count_, " pictures were added");
        file_.write(detail::png_chunk("IEND", ""));
        file_.commit();
    }

private:
    AtomicFile file_;
    Index count_, added_ = 0, height_ = 0, width_ = 0;
    AnimationOptions options_;
    std::uint32_t sequence_ = 0;  // of the next fcTL or fdAT
};

}  // namespace mtdn
