#pragma once

// The one place that includes libpng.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/io/file.hpp>
#include <mtdn/io/raw_image.hpp>

namespace mtdn {

namespace detail {

// libpng reports errors by longjmp. Whatever has a destructor therefore lives outside the functions that call setjmp,
// and those hold plain values only.

/// State shared with libpng's callbacks.
struct PngContext {
    png_structp png = nullptr;
    png_infop info = nullptr;
    char message[256] = {};
    // reading
    const unsigned char* bytes = nullptr;
    std::size_t size = 0, position = 0;
    bool truncated = false;
    int passes = 1;
    // writing
    std::vector<std::byte>* output = nullptr;
};

extern "C" {
[[noreturn]] inline void mtdn_png_error(png_structp png, png_const_charp message) {
    auto* context = static_cast<PngContext*>(png_get_error_ptr(png));
    std::snprintf(context->message, sizeof context->message, "%s", message);
    png_longjmp(png, 1);
}
inline void mtdn_png_warning(png_structp, png_const_charp) {}
inline void mtdn_png_read(png_structp png, png_bytep to, png_size_t count) {
    auto* context = static_cast<PngContext*>(png_get_io_ptr(png));
    if (count > context->size - context->position) {
        context->truncated = true;
        png_error(png, "the file ends too early");
    }
    std::memcpy(to, context->bytes + context->position, count);
    context->position += count;
}
inline void mtdn_png_write(png_structp png, png_bytep from, png_size_t count) {
    auto* context = static_cast<PngContext*>(png_get_io_ptr(png));
    bool written = true;
    try {
        const auto* first = reinterpret_cast<const std::byte*>(from);
        context->output->insert(context->output->end(), first, first + count);
    } catch (...) {
        written = false;
    }
    if (!written) png_error(png, "out of memory");
}
inline void mtdn_png_flush(png_structp) {}
}

/// Destroys libpng's structures when the caller leaves.
struct PngReadGuard {
    PngContext& context;
    ~PngReadGuard() { png_destroy_read_struct(&context.png, &context.info, nullptr); }
};
struct PngWriteGuard {
    PngContext& context;
    ~PngWriteGuard() { png_destroy_write_struct(&context.png, &context.info); }
};

/// Reads up to the pixels.
inline bool png_read_header(PngContext& context) {
    if (setjmp(png_jmpbuf(context.png))) return false;
    png_set_read_fn(context.png, &context, mtdn_png_read);
    png_read_info(context.png, context.info);
    return true;
}

/// Asks for whole bytes, expanded palettes and transparency as alpha.
inline bool png_expand(PngContext& context) {
    if (setjmp(png_jmpbuf(context.png))) return false;
    png_set_expand(context.png);
    context.passes = png_set_interlace_handling(context.png);
    png_read_update_info(context.png, context.info);
    return true;
}

inline bool png_read_pixels(PngContext& context, png_bytepp rows) {
    if (setjmp(png_jmpbuf(context.png))) return false;
    png_read_image(context.png, rows);
    png_read_end(context.png, nullptr);
    return true;
}

inline bool png_write_pixels(PngContext& context, png_uint_32 width, png_uint_32 height, int bits, int colour,
                             png_bytepp rows) {
    if (setjmp(png_jmpbuf(context.png))) return false;
    png_set_write_fn(context.png, &context, mtdn_png_write, mtdn_png_flush);
    png_set_IHDR(context.png, context.info, width, height, bits, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE,
                 PNG_FILTER_TYPE_BASE);
    png_write_info(context.png, context.info);
    if (bits == 16) png_set_swap(context.png);
    png_write_image(context.png, rows);
    png_write_end(context.png, nullptr);
    return true;
}

inline std::vector<png_bytep> png_rows(std::uint8_t* first, std::size_t height, std::size_t row_bytes) {
    std::vector<png_bytep> rows(height);
    for (std::size_t y = 0; y < height; ++y) rows[y] = first + y * row_bytes;
    return rows;
}

/// A PNG file's bytes; `name` is what errors call it.
///
/// `pixels` are row-major values of `bits` bits; libpng takes them by pointer to non-const, and leaves them alone.
inline std::vector<std::byte> encode_png(const std::string& name, const void* pixels, Index height, Index width,
                                         Index channels, int bits) {
    require<ShapeError>(height > 0 && width > 0, "write_png: ", name, ": expected a picture with pixels, got ", height,
                        " × ", width);
    std::vector<std::byte> output;
    PngContext context;
    context.output = &output;
    PngWriteGuard guard{context};
    context.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &context, mtdn_png_error, mtdn_png_warning);
    if (context.png) context.info = png_create_info_struct(context.png);
    require<IoError>(context.info, name, ": out of memory in libpng");
    const auto row_bytes = static_cast<std::size_t>(width * channels * bits / 8);
    auto* first = static_cast<std::uint8_t*>(const_cast<void*>(pixels));
    auto rows = png_rows(first, static_cast<std::size_t>(height), row_bytes);
    const int colour = channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
    require<IoError>(png_write_pixels(context, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), bits,
                                      colour, rows.data()),
                     name, ": PNG cannot be written: ", context.message);
    return output;
}

inline void write_png(const std::filesystem::path& path, const void* pixels, Index height, Index width, Index channels,
                      int bits) {
    write_file(path, encode_png(path.string(), pixels, height, width, channels, bits));
}

}  // namespace detail

/// True if the bytes begin as a PNG file does.
inline bool is_png(std::span<const std::byte> bytes) {
    return bytes.size() >= 8 && png_sig_cmp(reinterpret_cast<png_const_bytep>(bytes.data()), 0, 8) == 0;
}

/// Decodes a PNG file of any colour type and depth, interlaced or not; `name` is what errors call it.
///
/// @throws IoError if the bytes are empty, cut short, damaged or no PNG
inline RawImage decode_png(std::span<const std::byte> bytes, const std::string& name) {
    require<IoError>(!bytes.empty(), name, ": expected a PNG file, the file is empty (0 bytes)");
    const auto* start = reinterpret_cast<png_const_bytep>(bytes.data());
    require<IoError>(png_sig_cmp(start, 0, std::min<std::size_t>(bytes.size(), 8)) == 0, name,
                     ": not a PNG file (it does not begin with PNG's signature)");
    require<IoError>(bytes.size() >= 8, name, ": truncated PNG file: ", bytes.size(), " bytes");
    detail::PngContext context;
    context.bytes = start;
    context.size = bytes.size();
    detail::PngReadGuard guard{context};
    context.png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, &context, detail::mtdn_png_error, detail::mtdn_png_warning);
    if (context.png) context.info = png_create_info_struct(context.png);
    require<IoError>(context.info, name, ": out of memory in libpng");
    const auto check = [&](bool done) {
        require<IoError>(done, name,
                         context.truncated ? ": truncated PNG file: " : ": damaged PNG file: ", context.message);
    };

    check(detail::png_read_header(context));
    const std::size_t height = png_get_image_height(context.png, context.info);
    const std::size_t width = png_get_image_width(context.png, context.info);
    // Deflate packs at most 1032 bytes into one, so a larger picture cannot be in the file, and is not allocated.
    require<IoError>(png_get_rowbytes(context.png, context.info) <= 1032 * (bytes.size() + 1) / height, name,
                     ": truncated PNG file: ", height, " × ", width, " pixels cannot be in ", bytes.size(), " bytes");
    check(detail::png_expand(context));
    RawImage image;
    image.height = static_cast<Index>(height);
    image.width = static_cast<Index>(width);
    image.channels = png_get_channels(context.png, context.info);
    image.bits = png_get_bit_depth(context.png, context.info);
    const std::size_t row_bytes = png_get_rowbytes(context.png, context.info);
    std::vector<std::uint8_t> pixels(row_bytes * height);
    auto rows = detail::png_rows(pixels.data(), height, row_bytes);
    check(detail::png_read_pixels(context, rows.data()));

    const std::size_t count = height * width * static_cast<std::size_t>(image.channels);
    image.values.resize(count);
    if (image.bits == 8) {
        std::copy(pixels.begin(), pixels.begin() + static_cast<Index>(count), image.values.begin());
    } else {
        for (std::size_t i = 0; i < count; ++i)
            image.values[i] = static_cast<std::uint16_t>(pixels[2 * i] << 8 | pixels[2 * i + 1]);
    }
    return image;
}

/// Reads a PNG file.
///
/// @throws IoError
inline RawImage read_png(const std::filesystem::path& path) { return decode_png(read_file(path), path.string()); }

/// Writes a grey PNG of 8 bits, whole or not at all.
///
/// @throws IoError, ShapeError if there are no pixels
inline void write_png(const std::filesystem::path& path, const Array<std::uint8_t, 2>& grey) {
    detail::write_png(path, grey.data(), extent(grey, 0), extent(grey, 1), 1, 8);
}

/// Writes a grey PNG of 16 bits, whole or not at all.
inline void write_png(const std::filesystem::path& path, const Array<std::uint16_t, 2>& grey) {
    detail::write_png(path, grey.data(), extent(grey, 0), extent(grey, 1), 1, 16);
}

/// Writes an RGB PNG of 8 bits, whole or not at all.
///
/// @shape  (height, width, 3)
/// @throws IoError, ShapeError
inline void write_png(const std::filesystem::path& path, const Array<std::uint8_t, 3>& colour) {
    require<ShapeError>(extent(colour, 2) == 3, "write_png: ", path.string(), ": expected 3 channels, got ",
                        extent(colour, 2));
    detail::write_png(path, colour.data(), extent(colour, 0), extent(colour, 1), 3, 8);
}

}  // namespace mtdn
