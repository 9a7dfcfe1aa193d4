#pragma once

#include <filesystem>
#include <string>

#include <mtdn/io/json.hpp>
#include <mtdn/io/polarity.hpp>

#include "network.hpp"

/// A folder into which frames are being written, and where their masks go.
struct WatchOptions {
    std::filesystem::path folder, out;
    std::string name{};  ///< of the film's folder in `out`
    std::string fusion = "forward";
    double idle_seconds = 30;  ///< it ends when no frame has come for so long; a frame has so long to become readable
    mtdn::MaskPolarity polarity{};
    int white = 0;  ///< of frames of 16 bits
};

/// Segments frames as they come, until none comes any more: `<out>/<name>/<task>/<frame name>`.
///
/// A frame that cannot be read is one that is still being written: it is waited for, and those behind it wait, too.
/// After `idle_seconds` it is left out with a warning.
///
/// @return frames, those left out, latency (from the moment when a frame is complete to its masks on disk) and rate
mtdn::Json watch(const WatchOptions& options, const Network& network);
