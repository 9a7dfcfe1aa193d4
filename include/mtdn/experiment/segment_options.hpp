#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <mtdn/core/arrays.hpp>

namespace mtdn {

/// Options of segmentation.
struct SegmentOptions {
    std::size_t memory = 0;  ///< bytes that features may take; 0: half of what is free
    /// ways of seeing the frames whose probabilities are averaged, each of which costs as much as one alone: 1,
    /// 4 (mirrored each way) or 8 (and turned)
    Index flips = 1;
    std::function<void(Index done, Index total)> progress{};  ///< called now and then with the number of pairs done
};

/// Masks of a sequence, and how sure they are.
struct Segmentation {
    TaskMasks masks;
    std::map<std::string, Array<float, 3>> share;  ///< of votes for the feature, or its mean probability; as masks
    std::map<std::string, Array<float, 3>> uncertainty;  ///< entropy of the share, bits, (frames, height, width)
    /// By task and frame: the feature's area in pixels by each of its pairs alone, in the order of `partners` (the mean
    /// over flips); and, under `shared_name`, the pixels in which a pair's arg-max finds the features of two tasks at
    /// once.
    std::map<std::string, std::vector<std::vector<double>>> areas;
    Index passes = 0;  ///< frames run through the backbone: as many as there are if their features fit
};

}  // namespace mtdn
