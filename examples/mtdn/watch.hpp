#pragma once

#include <filesystem>
#include <string>

#include <mtdn/io/json.hpp>
#include <mtdn/io/polarity.hpp>

#include "network.hpp"

/// A folder into which frames are being written, and where their masks go.
struct WatchOptions {
    std::filesystem::path folder, out;
    std::string fusion = "forward";
    double idle_seconds = 30;  ///< it ends when no frame has come for so long
    mtdn::MaskPolarity polarity{};
};

/// Segments frames as they come, until none comes any more: `<out>/<folder's name>/<task>/<frame name>`.
///
/// @return frames, latency (from the moment when a frame is complete to its masks on disk) and rate
mtdn::Json watch(const WatchOptions& options, const Network& network);
