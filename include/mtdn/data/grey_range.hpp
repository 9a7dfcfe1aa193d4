#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/io/raw_image.hpp>

namespace mtdn {

/// How much of their range a film's frames of 16 bits fill.
///
/// A camera of 12 bits puts its counts into files of 16 as they are: as shares of 65535 they make a film nearly black.
class GreyRange {
public:
    /// @param frame of the picture, 65535 being white
    void add(const RawImage& picture, const Image& frame) {
        if (picture.bits != 16) return;
        const float most = *std::max_element(frame.data(), frame.data() + frame.size());
        brightest_ = std::max(brightest_, static_cast<int>(std::lround(65535 * most)));
    }

    /// The largest count; −1 where no frame has 16 bits.
    int brightest() const { return brightest_; }

    /// What seems to be white where no pixel reaches beyond a quarter of the range: the most that a camera of 10, 12 or
    /// 14 bits counts, whichever the film fits; 0 for other films.
    int likely_white() const {
        for (const int most : {1023, 4095, 16383})
            if (brightest_ >= 0 && brightest_ <= most) return most;
        return 0;
    }

private:
    int brightest_ = -1;
};

/// The warning of such a film, or of several in one folder.
///
/// @param brightest count, or each film's
/// @param likely    what seems to be white
[[gnu::cold]] inline Warning nearly_black(const std::filesystem::path& where, const std::string& brightest,
                                          int likely) {
    return {concatenate(where.string(), ": frames of 16 bits are nearly black, the brightest count of 65535 being ",
                        brightest, "; where a camera has fewer bits, say which count is white: \"white\": ", likely,
                        " in dataset.json, or --white ", likely, " for frames alone")};
}

}  // namespace mtdn
