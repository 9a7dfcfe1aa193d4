#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/io/detail/tiff_handle.hpp>
#include <mtdn/io/file.hpp>
#include <mtdn/io/raw_image.hpp>

namespace mtdn {

/// True if the bytes begin as a TIFF or BigTIFF file does.
inline bool is_tiff(std::span<const std::byte> bytes) {
    if (bytes.size() < 4) return false;
    const std::string start(reinterpret_cast<const char*>(bytes.data()), 4);
    return start == std::string("II*\0", 4) || start == std::string("MM\0*", 4) || start == std::string("II+\0", 4) ||
           start == std::string("MM\0+", 4);
}

/// Reads the pages of a TIFF file one at a time.
///
/// Grey, RGB and palette pages, with alpha or not, of 1, 4 (grey, palette), 8 or 16 bits; strips or tiles, planes
/// together or apart, any compression that libtiff was built with.
class TiffReader {
public:
    /// @throws IoError
    explicit TiffReader(const std::filesystem::path& path) : name_(path.string()) {
        auto [file, size] = detail::open_for_reading(path);
        require<IoError>(size > 0, name_, ": expected a TIFF file, the file is empty (0 bytes)");
        file_ = std::move(file);
        size_ = size;
        source_->file = file_.get();
        [[maybe_unused]] const detail::TiffMessages messages;
        // 'm' keeps libtiff from mapping the file: a file cut short while mapped ends the process.
        tiff_.reset(detail::open_tiff(*source_, name_.c_str(), "rm"));
        check(tiff_ != nullptr, "not a TIFF file");
        pages_ = static_cast<Index>(TIFFNumberOfDirectories(tiff_.get()));
        check(pages_ > 0 && !source_->message[0], "damaged TIFF file");
    }

    Index pages() const { return pages_; }

    /// One page, from 0.
    ///
    /// @throws IoError if it is damaged or of a kind that is not read; OptionError if there is no such page
    RawImage read(Index page) {
        require<OptionError>(page >= 0 && page < pages_, "TiffReader::read: ", name_, " has ", pages_,
                             " pages, got page ", page);
        [[maybe_unused]] const detail::TiffMessages messages;
        source_->message[0] = 0;
        page_ = page;
        // From one page to the next without walking there from the first.
        using Number = decltype(TIFFCurrentDirectory(nullptr));
        const auto number = static_cast<Number>(page);
        check(number == TIFFCurrentDirectory(tiff_.get()) + 1 ? TIFFReadDirectory(tiff_.get())
                                                              : TIFFSetDirectory(tiff_.get(), number),
              "damaged TIFF file");
        const Layout layout = read_layout();
        RawImage image;
        image.height = layout.height;
        image.width = layout.width;
        image.channels = layout.samples;
        image.bits = layout.bits == 16 ? 16 : 8;
        image.values.resize(static_cast<std::size_t>(layout.height * layout.width * layout.samples));
        read_blocks(layout, image);
        interpret(layout, image);
        return image;
    }

private:
    struct Layout {
        Index height, width, samples, bits, photometric;
        bool planes_apart, tiled;
        Index block_height, block_width;
    };

    void check(bool done, const char* what) const {
        if (done) return;
        const char* reason = source_->message[0] ? source_->message : "no reason given";
        if (page_ < 0) fail<IoError>(name_, ": ", what, ": ", reason);
        fail<IoError>(name_, ", page ", page_, ": ", what, ": ", reason);
    }

    template <class T>
    T field(std::uint32_t tag, T missing) const {
        T value = missing;
        return TIFFGetFieldDefaulted(tiff_.get(), tag, &value) ? value : missing;
    }

    Layout read_layout() const {
        TIFF* tiff = tiff_.get();
        Layout layout{};
        layout.width = field<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0);
        layout.height = field<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0);
        layout.samples = field<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
        layout.bits = field<std::uint16_t>(TIFFTAG_BITSPERSAMPLE, 1);
        layout.photometric = field<std::uint16_t>(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
        layout.planes_apart = field<std::uint16_t>(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
        layout.tiled = TIFFIsTiled(tiff);
        layout.block_width = layout.tiled ? field<std::uint32_t>(TIFFTAG_TILEWIDTH, 0) : layout.width;
        layout.block_height =
            layout.tiled ? field<std::uint32_t>(TIFFTAG_TILELENGTH, 0)
                         : std::min<Index>(layout.height, field<std::uint32_t>(TIFFTAG_ROWSPERSTRIP, 0xFFFFFFFF));
        const auto kind = field<std::uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
        const auto where = concatenate(name_, ", page ", page_, ": ");
        require<IoError>(kind == SAMPLEFORMAT_UINT || kind == SAMPLEFORMAT_VOID, where,
                         "expected unsigned integer samples, found sample format ", kind,
                         "; convert the file to 8 or 16 bit");
        const bool grey = layout.photometric == PHOTOMETRIC_MINISBLACK || layout.photometric == PHOTOMETRIC_MINISWHITE;
        const bool palette = layout.photometric == PHOTOMETRIC_PALETTE;
        require<IoError>(grey || palette || layout.photometric == PHOTOMETRIC_RGB, where,
                         "expected a grey, RGB or palette page, found photometric interpretation ", layout.photometric);
        const bool packed = layout.bits == 1 || layout.bits == 4;
        require<IoError>(layout.bits == 8 || (layout.bits == 16 && !palette) || (packed && layout.samples == 1), where,
                         "expected 8 or 16 bits a sample (1 or 4 with one sample), found ", layout.bits);
        const Index colours = layout.photometric == PHOTOMETRIC_RGB ? 3 : 1;
        require<IoError>(layout.samples == colours || (!palette && layout.samples == colours + 1), where, "expected ",
                         colours, " samples a pixel (and one for alpha), found ", layout.samples);
        // Large sides cannot be multiplied safely, and what the file cannot hold is not allocated: LZW and Deflate
        // pack at most some 1400 bytes into one, fax codes more.
        const Index limit = Index{1} << 24;
        require<IoError>(layout.width > 0 && layout.height > 0 && layout.block_width > 0 && layout.block_height > 0 &&
                             layout.width < limit && layout.height < limit && layout.block_width < limit &&
                             layout.block_height < limit,
                         where, "a page of ", layout.height, " × ", layout.width, " pixels is not read");
        const Index packing = field<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE) == COMPRESSION_NONE ? 1
                              : layout.bits == 1                                                              ? 16384
                                                                                                              : 2048;
        const Index bytes = (layout.width * layout.bits + 7) / 8 * layout.samples * layout.height;
        require<IoError>(bytes <= packing * size_, where, "truncated TIFF file: ", layout.height, " × ", layout.width,
                         " pixels cannot be in ", size_, " bytes");
        return layout;
    }

    void read_blocks(const Layout& layout, RawImage& image) {
        TIFF* tiff = tiff_.get();
        const Index planes = layout.planes_apart ? layout.samples : 1;
        const Index together = layout.samples / planes;
        const auto block_bytes = static_cast<Index>(layout.tiled ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff));
        const Index row_bytes = (layout.block_width * together * layout.bits + 7) / 8;
        require<IoError>(block_bytes == row_bytes * layout.block_height && block_bytes < Index{1} << 31, name_,
                         ", page ", page_, ": damaged TIFF file: a block of ", layout.block_height, " × ",
                         layout.block_width, " pixels has ", block_bytes, " bytes");
        std::vector<std::uint8_t> block(static_cast<std::size_t>(block_bytes));
        for (Index plane = 0; plane < planes; ++plane) {
            for (Index y = 0; y < layout.height; y += layout.block_height) {
                const Index rows = std::min(layout.block_height, layout.height - y);
                for (Index x = 0; x < layout.width; x += layout.block_width) {
                    const auto row = static_cast<std::uint32_t>(y), column = static_cast<std::uint32_t>(x);
                    const auto sample = static_cast<std::uint16_t>(plane);
                    // A strip may be short at the bottom, a tile may not.
                    const Index expected = layout.tiled ? block_bytes : rows * row_bytes;
                    const Index got =
                        layout.tiled
                            ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, column, row, 0, sample), block.data(),
                                                  expected)
                            : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, row, sample), block.data(), expected);
                    check(got == expected && !source_->message[0], "truncated or damaged TIFF file");
                    const Index columns = std::min(layout.block_width, layout.width - x);
                    for (Index r = 0; r < rows; ++r) {
                        const auto* from = block.data() + r * row_bytes;
                        auto* to = image.values.data() + ((y + r) * layout.width + x) * layout.samples + plane;
                        copy_row(layout.bits, from, to, columns * together, planes);
                    }
                }
            }
        }
    }

    /// Unpacks `count` samples; they go to every `step`-th value.
    static void copy_row(Index bits, const std::uint8_t* from, std::uint16_t* to, Index count, Index step) {
        for (Index i = 0; i < count; ++i) {
            std::uint16_t value = 0;
            if (bits == 16) {
                std::memcpy(&value, from + 2 * i, 2);
            } else if (bits == 8) {
                value = from[i];
            } else if (bits == 4) {
                value = from[i / 2] >> (i % 2 ? 0 : 4) & 15;
            } else {
                value = from[i / 8] >> (7 - i % 8) & 1;
            }
            to[i * step] = value;
        }
    }

    /// Turns samples into values: palettes looked up, white-is-zero inverted, few bits spread over 0…255.
    void interpret(const Layout& layout, RawImage& image) const {
        if (layout.photometric == PHOTOMETRIC_PALETTE) {
            std::uint16_t* map[3] = {};
            check(TIFFGetField(tiff_.get(), TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]), "the palette is missing");
            // Some writers put 8 bits where 16 belong.
            const std::size_t entries = std::size_t{1} << layout.bits;
            bool wide = false;
            for (const auto* channel : map)
                for (std::size_t i = 0; i < entries; ++i) wide = wide || channel[i] > 255;
            std::vector<std::uint16_t> colours(image.values.size() * 3);
            for (std::size_t i = 0; i < image.values.size(); ++i)
                for (std::size_t c = 0; c < 3; ++c)
                    colours[3 * i + c] = static_cast<std::uint16_t>(map[c][image.values[i]] >> (wide ? 8 : 0));
            image.values = std::move(colours);
            image.channels = 3;
            return;
        }
        const int top = (1 << layout.bits) - 1, spread = layout.bits < 8 ? 255 / top : 1;
        const bool inverted = layout.photometric == PHOTOMETRIC_MINISWHITE;
        if (spread == 1 && !inverted) return;
        for (std::size_t i = 0; i < image.values.size(); ++i) {
            if (inverted && i % static_cast<std::size_t>(layout.samples) == 0)
                image.values[i] = static_cast<std::uint16_t>(top - image.values[i]);
            image.values[i] = static_cast<std::uint16_t>(image.values[i] * spread);
        }
    }

    std::string name_;
    detail::Descriptor file_;
    Index size_ = 0, pages_ = 0, page_ = -1;
    std::unique_ptr<detail::TiffSource> source_ = std::make_unique<detail::TiffSource>();
    detail::TiffHandle tiff_;
};

/// Writes grey pages of 8 or 16 bits into one TIFF file, LZW-compressed; it appears whole, by `commit()`, or not at
/// all.
class TiffWriter {
public:
    /// @throws IoError
    explicit TiffWriter(const std::filesystem::path& path) : file_(path) {
        source_->file = file_.descriptor();
        [[maybe_unused]] const detail::TiffMessages messages;
        tiff_.reset(detail::open_tiff(*source_, path.c_str(), "w"));
        check(tiff_ != nullptr);
    }

    /// Adds a page.
    ///
    /// @throws IoError, ShapeError if it has no pixels
    void write(const Array<std::uint8_t, 2>& page) { write(page.data(), extent(page, 0), extent(page, 1), 8); }
    /// @overload
    void write(const Array<std::uint16_t, 2>& page) { write(page.data(), extent(page, 0), extent(page, 1), 16); }
    /// @overload
    template <class T>
    void write(const T* pixels, Index height, Index width) {
        static_assert(std::is_same_v<T, std::uint8_t> || std::is_same_v<T, std::uint16_t>);
        write(pixels, height, width, 8 * static_cast<int>(sizeof(T)));
    }

    /// Ends the file and gives it its name.
    ///
    /// @throws IoError
    void commit() {
        {
            [[maybe_unused]] const detail::TiffMessages messages;
            check(tiff_ && TIFFFlush(tiff_.get()));
            tiff_.reset();
            check(!source_->message[0]);
        }
        file_.commit();
    }

private:
    void check(bool done) const {
        require<IoError>(done, file_.path().string(),
                         ": TIFF cannot be written: ", source_->message[0] ? source_->message : "no reason given");
    }

    void write(const void* pixels, Index height, Index width, int bits) {
        require<ShapeError>(height > 0 && width > 0, "TiffWriter::write: ", file_.path().string(),
                            ": expected a page with pixels, got ", height, " × ", width);
        [[maybe_unused]] const detail::TiffMessages messages;
        TIFF* tiff = tiff_.get();
        check(tiff);
        const Index row_bytes = width * bits / 8, rows = std::max<Index>(1, std::min<Index>(height, 65536 / row_bytes));
        TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(width));
        TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(height));
        TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, bits);
        TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
        TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
        TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
        TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_LZW);
        TIFFSetField(tiff, TIFFTAG_PREDICTOR, 2);
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(rows));
        std::vector<std::uint8_t> strip;  // the predictor works in place
        for (Index y = 0; y < height; y += rows) {
            const auto* first = static_cast<const std::uint8_t*>(pixels) + y * row_bytes;
            strip.assign(first, first + std::min(rows, height - y) * row_bytes);
            const auto size = static_cast<tmsize_t>(strip.size());
            check(TIFFWriteEncodedStrip(tiff, static_cast<std::uint32_t>(y / rows), strip.data(), size) == size);
        }
        check(TIFFWriteDirectory(tiff) && !source_->message[0]);
    }

    AtomicFile file_;
    std::unique_ptr<detail::TiffSource> source_ = std::make_unique<detail::TiffSource>();
    detail::TiffHandle tiff_;
};

/// Writes grey pages, (pages, height, width), as one TIFF file, whole or not at all.
///
/// @throws IoError, ShapeError if there are no pages
template <class T>
void write_tiff(const std::filesystem::path& path, const Array<T, 3>& pages) {
    require<ShapeError>(extent(pages, 0) > 0, "write_tiff: ", path.string(), ": expected at least one page");
    TiffWriter writer(path);
    for (Index i = 0; i < extent(pages, 0); ++i) writer.write(frame_data(pages, i), extent(pages, 1), extent(pages, 2));
    writer.commit();
}

/// Reads one page of a TIFF file.
///
/// @throws IoError
inline RawImage read_tiff(const std::filesystem::path& path, Index page = 0) { return TiffReader(path).read(page); }

}  // namespace mtdn
