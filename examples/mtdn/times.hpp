#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/data/sequence.hpp>

/// Where a sequence's times come from, in words and in JSON.
inline std::string_view times_from(const mtdn::Sequence& sequence) {
    return sequence.time_source == mtdn::TimeSource::given          ? "manifest"
           : sequence.time_source == mtdn::TimeSource::file_numbers ? "file numbers"
                                                                    : "frame index";
}

/// One warning for all sequences whose times are guessed in the same way.
///
/// @param mend how to say them
[[gnu::cold]] inline std::vector<mtdn::Warning> guessed_times(const std::vector<mtdn::Sequence>& sequences,
                                                              const std::string& mend) {
    std::vector<mtdn::Warning> warnings;
    const auto warn = [&](mtdn::TimeSource source, const char* guess) {
        std::string names;
        for (const auto& sequence : sequences)
            if (sequence.time_source == source) names += (names.empty() ? "\"" : ", \"") + sequence.name + "\"";
        if (names.empty()) return;
        warnings.push_back({mtdn::concatenate("no times are given of ", names, ": ", guess, "; say them by ", mend)});
    };
    warn(mtdn::TimeSource::file_numbers, "the numbers in file names are taken for seconds");
    warn(mtdn::TimeSource::frame_index, "frames are taken to be 1 s apart");
    return warnings;
}
