#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <mtdn/data/detail/frame_files.hpp>
#include <mtdn/data/film_name.hpp>
#include <mtdn/data/resize.hpp>

namespace mtdn {

/// A film on disk, read one frame at a time: the pictures of one folder in natural order, or the pages of one TIFF
/// file.
class FrameReader {
public:
    /// Reads the first frame, for its size.
    ///
    /// @param white_count of frames of 16 bits; 0: 65535, and a warning where the first is nearly black
    /// @throws DataError if there are no frames; IoError, OptionError
    explicit FrameReader(const std::filesystem::path& path, int white_count = 0)
        : name_(film_name(path)), files_(files_at(path)), white_(white_count) {
        require<DataError>(files_.size() > 0, path.string(), ": no frames found; expected *.png or *.tif");
        if (files_.pages > 0) stack_.emplace(files_.files[0]);
        const auto first = raw(0);
        size_ = {first.height, first.width};
        GreyRange range;
        if (white_count == 0) range.add(first, to_frame(first));
        if (range.likely_white() > 0)
            warnings_.push_back(nearly_black(
                path, concatenate(range.brightest(), " in the first, ", files_.name(0)), range.likely_white()));
    }

    /// `film_name` of the path.
    const std::string& name() const { return name_; }
    /// Frames.
    Index size() const { return files_.size(); }
    FrameSize frame_size() const { return size_; }
    const std::vector<Warning>& warnings() const { return warnings_; }
    /// File name of a frame; a page is called after its file and its number from 0.
    std::string frame_name(Index i) const { return files_.name(i); }

    /// Frame i, (height, width) in [0, 1].
    ///
    /// @throws IoError; DataError if it has another size than the first
    Image read(Index i) {
        const auto picture = raw(i);
        require<DataError>(picture.height == size_.height && picture.width == size_.width, files_.where(i),
                           ": the frame is ", picture.height, " × ", picture.width, " pixels, expected ", size_.height,
                           " × ", size_.width, " as in ", files_.where(0));
        return to_frame(picture, white_);
    }

private:
    static detail::FrameFiles files_at(const std::filesystem::path& path) {
        if (!std::filesystem::is_directory(path)) {
            require<IoError>(std::filesystem::exists(path), path.string(), ": there is no such folder or file");
            return detail::FrameFiles({path});
        }
        return detail::FrameFiles(detail::glob(path, detail::frames_in(path, "")));
    }

    RawImage raw(Index i) {
        return stack_ ? stack_->read(i) : read_image(files_.files[static_cast<std::size_t>(i)]);
    }

    std::string name_;
    detail::FrameFiles files_;
    std::optional<TiffReader> stack_;
    FrameSize size_;
    int white_;
    std::vector<Warning> warnings_;
};

}  // namespace mtdn
