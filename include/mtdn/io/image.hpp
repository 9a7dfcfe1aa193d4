#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/io/file.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/io/polarity.hpp>
#include <mtdn/io/raw_image.hpp>
#include <mtdn/io/tiff.hpp>

namespace mtdn {

/// Reads a picture, PNG or TIFF of one page; which of them, the file's first bytes say, not its name.
///
/// @throws IoError
inline RawImage read_image(const std::filesystem::path& path) {
    const auto bytes = read_file(path);
    if (!is_tiff(bytes)) {
        const auto name = path.string();
        require<IoError>(!bytes.empty(), name, ": expected a picture, the file is empty (0 bytes)");
        const bool png = std::to_integer<int>(bytes[0]) == 0x89;
        require<IoError>(png, name, ": not a PNG or TIFF file (it begins with neither's signature)");
        return decode_png(bytes, name);
    }
    TiffReader reader(path);
    require<IoError>(reader.pages() == 1, path.string(), ": expected a picture of one page, found ", reader.pages(),
                     "; a stack of pages is a film or its masks by itself, and no picture among others: give it alone, "
                     "in dataset.json as its sequence's \"frames\", or by --frames");
    return reader.read(0);
}

/// A picture as a grey frame in [0, 1].
///
/// Alpha is dropped, R = G = B gives that value, any other colour its Rec. 601 luma.
///
/// @param white_count what is white in a picture of 16 bits, as 4095 of a camera of 12; 0 is 65535. Brighter pixels are
///                    white, too
/// @throws OptionError if it is not in 0…65535
/// @source specification §6, "Reading a frame"
inline Image to_frame(const RawImage& raw, int white_count = 0) {
    require<OptionError>(white_count >= 0 && white_count <= 65535,
                         "to_frame: the count that is white must lie in 0 … 65535, got ", white_count);
    auto image = make_array<float>(raw.height, raw.width);
    const float top = raw.bits != 16 ? 255.0f : white_count > 0 ? static_cast<float>(white_count) : 65535.0f;
    float* out = image.data();
    for (Index i = 0; i < raw.height * raw.width; ++i) {
        const auto* p = raw.values.data() + i * raw.channels;
        if (raw.channels < 3 || (p[0] == p[1] && p[1] == p[2])) {
            out[i] = static_cast<float>(p[0]) / top;
        } else {
            out[i] = static_cast<float>((0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) / top);
        }
        if (out[i] > 1) out[i] = 1;
    }
    return image;
}

/// A picture as a mask of 0 and 1; `name` is what errors call it.
///
/// Values of 16 bits are brought to the scale of 8 bits (65535 → 255). With a threshold, a pixel at or above it counts
/// as the brighter of the polarity's two values, a pixel below as the darker; without, every value must be one of them.
///
/// @throws DataError for a third value or a coloured pixel, with row, column and value; OptionError
inline Mask to_mask(const RawImage& raw, MaskPolarity polarity, std::optional<double> threshold,
                    const std::string& name) {
    require_valid(polarity);
    auto mask = make_array<std::uint8_t>(raw.height, raw.width);
    const bool bright_is_feature = polarity.feature > polarity.background;
    const int scale = raw.bits == 16 ? 257 : 1;
    for (Index y = 0; y < raw.height; ++y) {
        for (Index x = 0; x < raw.width; ++x) {
            const auto* p = raw.pixel(y, x);
            if (raw.channels >= 3 && (p[0] != p[1] || p[1] != p[2]))
                fail<DataError>(name, ": pixel (row ", y, ", column ", x, ") of a mask must have R = G = B, has (",
                                p[0], ", ", p[1], ", ", p[2], ")");
            auto& out = mask.data()[y * raw.width + x];
            if (threshold) {
                out = (p[0] >= *threshold * scale) == bright_is_feature;
            } else if (p[0] == polarity.feature * scale) {
                out = 1;
            } else if (p[0] == polarity.background * scale) {
                out = 0;
            } else {
                const double cut = raw.bits == 16 ? p[0] / 2.0 / scale : 128;
                fail<DataError>(name, ": pixel (row ", y, ", column ", x, ") of a mask has value ", p[0], ", expected ",
                                polarity.feature * scale, " (feature) or ", polarity.background * scale,
                                " (background); say in dataset.json which values it has, \"mask\": {\"feature\": 1, "
                                "\"background\": 0} (--polarity 1,0), or where the brighter begin, \"mask\": "
                                "{\"threshold\": ", cut, "} (--threshold ", cut, ")");
            }
        }
    }
    return mask;
}

/// Reads a frame, PNG or TIFF, as grey values in [0, 1]; see `to_frame`.
///
/// @throws IoError, OptionError
inline Image read_frame(const std::filesystem::path& path, int white_count = 0) {
    return to_frame(read_image(path), white_count);
}

/// Reads a mask, PNG or TIFF, as 0 and 1; see `to_mask`. The threshold is on the scale of 8 bits, 0…255.
///
/// @throws IoError, DataError, OptionError
inline Mask read_mask(const std::filesystem::path& path, MaskPolarity polarity,
                      std::optional<double> threshold = std::nullopt) {
    return to_mask(read_image(path), polarity, threshold, path.string());
}

/// Writes a mask of 0 and 1 as a grey PNG of 8 bits in the given polarity.
///
/// @throws DataError if the mask holds anything else; IoError, OptionError
inline void write_mask(const std::filesystem::path& path, const Mask& mask, MaskPolarity polarity) {
    require_valid(polarity);
    Mask values = mask;
    for (Index i = 0; i < static_cast<Index>(values.size()); ++i) {
        auto& value = values.data()[i];
        require<DataError>(value <= 1, "write_mask: ", path.string(), ": pixel (row ", i / extent(mask, 1), ", column ",
                           i % extent(mask, 1), ") of a mask must be 0 or 1, is ", int{value});
        value = value ? polarity.feature : polarity.background;
    }
    write_png(path, values);
}

/// Writes a frame with values in [0, 1] as a grey PNG of 8 bits, rounded, values outside clamped.
///
/// @throws IoError
inline void write_frame(const std::filesystem::path& path, const Image& frame) {
    auto values = make_array<std::uint8_t>(extent(frame, 0), extent(frame, 1));
    for (std::size_t i = 0; i < frame.size(); ++i) {
        const float value = frame.data()[i];
        values.data()[i] = static_cast<std::uint8_t>(value > 0 ? std::lround(std::fmin(value, 1.0f) * 255) : 0);
    }
    write_png(path, values);
}

}  // namespace mtdn
