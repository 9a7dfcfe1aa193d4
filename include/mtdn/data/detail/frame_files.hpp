#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/data/detail/glob.hpp>
#include <mtdn/data/grey_range.hpp>
#include <mtdn/io/image.hpp>
#include <mtdn/io/polarity.hpp>
#include <mtdn/io/tiff.hpp>

namespace mtdn::detail {

/// Pictures in order: files of one page each, or one TIFF of several.
struct FrameFiles {
    std::vector<std::filesystem::path> files;
    Index pages = 0;  ///< of the one file, if it has several; else 0

    explicit FrameFiles(std::vector<std::filesystem::path> found) : files(std::move(found)) {
        if (files.size() != 1) return;
        const auto end = files[0].extension().string();
        if (end.empty() || (end[1] != 't' && end[1] != 'T')) return;
        const Index count = TiffReader(files[0]).pages();
        if (count > 1) pages = count;
    }

    Index size() const { return pages > 0 ? pages : static_cast<Index>(files.size()); }

    /// File name of one frame; a page is called after its file and its number from 0.
    std::string name(Index i) const {
        if (pages == 0) return files[static_cast<std::size_t>(i)].filename().string();
        auto digits = std::to_string(i);
        digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
        return files[0].stem().string() + "_" + digits + ".png";
    }

    /// What errors call one frame.
    std::string where(Index i) const {
        if (pages == 0) return files[static_cast<std::size_t>(i)].string();
        return concatenate(files[0].string(), ", page ", i);
    }

    /// Calls `take(i, picture)` for each of the given frames, in order.
    template <class Take>
    void read(const std::vector<Index>& wanted, Take take) const {
        std::optional<TiffReader> stack;
        if (pages > 0) stack.emplace(files[0]);
        for (std::size_t k = 0; k < wanted.size(); ++k)
            take(static_cast<Index>(k),
                 stack ? stack->read(wanted[k]) : read_image(files[static_cast<std::size_t>(wanted[k])]));
    }
};

/// The pattern of the frames in a folder that no manifest describes; empty if there are none.
inline std::string frames_in(const std::filesystem::path& folder, const std::string& wanted) {
    if (!wanted.empty()) return glob(folder, wanted).empty() ? "" : wanted;
    for (const char* base : {"frames/", ""})
        for (const char* end : {"*.png", "*.tif", "*.tiff"})
            if (!glob(folder, std::string(base) + end).empty()) return std::string(base) + end;
    return "";
}

/// The pictures as grey frames of one size.
///
/// @param white_count of frames of 16 bits; 0: 65535, and `range` is told what they hold
inline Images read_frame_files(const FrameFiles& files, const std::vector<Index>& wanted, int white_count,
                               GreyRange& range) {
    Images frames;
    files.read(wanted, [&](Index k, const RawImage& raw) {
        if (k == 0) frames = make_array<float>(wanted.size(), raw.height, raw.width, 1);
        require<DataError>(raw.height == extent(frames, 1) && raw.width == extent(frames, 2),
                           files.where(wanted[static_cast<std::size_t>(k)]), ": the frame is ", raw.height, " × ",
                           raw.width, " pixels (height × width), expected ", extent(frames, 1), " × ",
                           extent(frames, 2), " as in ", files.where(wanted[0]));
        const Image image = to_frame(raw, white_count);
        if (white_count == 0) range.add(raw, image);
        std::copy_n(image.data(), image.size(), frame_data(frames, k));
    });
    return frames;
}

/// Which mask belongs to which frame: the one of the same name, whatever its ending; a stack's by page.
///
/// @param dropped names (without ending) of frames that were left out, whose masks are too
inline std::vector<Index> match_masks(const FrameFiles& masks, const std::vector<std::string>& frame_names,
                                      const std::vector<std::string>& dropped, const std::string& where) {
    std::map<std::string, Index> by_stem;
    for (Index i = 0; i < masks.size(); ++i) {
        const auto stem = std::filesystem::path(masks.name(i)).stem().string();
        const auto [place, is_new] = by_stem.emplace(stem, i);
        require<DataError>(is_new, where, ": two masks of one frame, ", masks.where(place->second), " and ",
                           masks.where(i));
    }
    if (masks.pages > 0) {
        const auto expected = static_cast<Index>(frame_names.size() + dropped.size());
        require<DataError>(masks.pages == expected, masks.files[0].string(), ": ", masks.pages,
                           " pages of masks, expected ", expected, ", one a frame");
    }
    std::vector<Index> matched;
    for (std::size_t f = 0; f < frame_names.size(); ++f) {
        if (masks.pages > 0) {
            matched.push_back(static_cast<Index>(dropped.size() + f));
            continue;
        }
        const auto found = by_stem.find(std::filesystem::path(frame_names[f]).stem().string());
        require<DataError>(found != by_stem.end(), where, ": there is no mask of frame ", frame_names[f], " (",
                           masks.size(), " masks, ", frame_names.size(), " frames; ", found_instead(where), ")");
        matched.push_back(found->second);
        by_stem.erase(found);
    }
    if (masks.pages == 0) {
        for (const auto& stem : dropped) by_stem.erase(stem);
        if (!by_stem.empty())
            fail<DataError>(masks.where(by_stem.begin()->second), ": a mask of no frame; frames are ",
                            frame_names.front(), " … ", frame_names.back());
    }
    return matched;
}

/// The masks of some frames, as 0 and 1.
///
/// @param expected (frames, height, width)
inline Masks read_mask_files(const FrameFiles& files, const std::vector<Index>& wanted, Shape expected,
                             MaskPolarity polarity, std::optional<double> threshold) {
    Masks masks = make_array<std::uint8_t>(expected.frames, expected.height, expected.width);
    files.read(wanted, [&](Index k, const RawImage& raw) {
        const auto where = files.where(wanted[static_cast<std::size_t>(k)]);
        require<DataError>(raw.height == expected.height && raw.width == expected.width, where, ": the mask is ",
                           raw.height, " × ", raw.width, " pixels (height × width), expected ", expected.height, " × ",
                           expected.width, ", its frame's size");
        const Mask mask = to_mask(raw, polarity, threshold, where);
        std::copy_n(mask.data(), mask.size(), frame_data(masks, k));
    });
    return masks;
}

}  // namespace mtdn::detail
