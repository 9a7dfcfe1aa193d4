#pragma once

#include <filesystem>
#include <string>

#include <mtdn/io/json.hpp>
#include <mtdn/io/polarity.hpp>

#include "network.hpp"

/// A film that is read frame by frame, and where its masks go.
struct LargeOptions {
    std::filesystem::path film, out;  ///< a folder of frames or a TIFF file of several pages; a folder
    std::string name{};               ///< of the film's folder in `out`
    bool stacks = false;              ///< a TIFF file a task, instead of a PNG file a frame and task
    mtdn::AnyPredictionFusion fusion{};
    mtdn::TileOptions tiles{};
    mtdn::MaskPolarity polarity{};
    int white = 0;  ///< of frames of 16 bits
};

/// Segments a film by tiles: `<out>/<name>/<task>/<frame name>`, or `<out>/<name>/<task>.tif`.
///
/// @return frames, tiles a frame, passes, wall and processor seconds a frame, and the largest resident memory
mtdn::Json segment_large(const LargeOptions& options, const Network& network);
