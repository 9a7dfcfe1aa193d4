#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mtdn/core/shape.hpp>

namespace mtdn {

/// The names that the published experiment gave a U-Net model's tensors, beside the visit paths that they have here.
///
/// | visit path | two-frame module | plain U-Net |
/// |---|---|---|
/// | `backbone.encoder2.conv1.…` | `encoder1_2.enc2conv1.…` | `encoder2.enc2conv1.…` |
/// | `backbone.bottleneck.norm1.…` | `bottleneck_1.bottlenecknorm1.…` | `bottleneck.bottlenecknorm1.…` |
/// | `backbone.up2.…` | `upconv2.…` | the same |
/// | `backbone.decoder2.conv1.…` | `decoder2.dec2conv1.…` | the same |
/// | `heads.TASK.0.…` of the j-th task | `conv_layerj.0.…` | |
/// | `outputs.TASK.…` of the j-th task | | `conv.…`, then `conv2.…`, `conv3.…`, … |
///
/// @source the published weights; a plain U-Net of several tasks was not published: its names go on counting
class PublishedNames {
public:
    /// Of a Siamese model with these tasks.
    static PublishedNames siamese(const std::vector<std::string>& tasks) {
        PublishedNames names("1_", "_1");
        for (std::size_t j = 0; j < tasks.size(); ++j)
            names.prefixes_.emplace_back("heads." + tasks[j] + ".", "conv_layer" + std::to_string(j + 1) + ".");
        return names;
    }

    /// Of a plain U-Net with these tasks.
    static PublishedNames single_frame(const std::vector<std::string>& tasks) {
        PublishedNames names("", "");
        for (std::size_t j = 0; j < tasks.size(); ++j)
            names.prefixes_.emplace_back("outputs." + tasks[j] + ".",
                                         "conv" + (j == 0 ? "" : std::to_string(j + 1)) + ".");
        return names;
    }

    /// The published name of a visit path; the path itself if it has none.
    std::string published(const std::string& path) const {
        for (const auto& [ours, theirs] : prefixes_)
            if (path.starts_with(ours)) return theirs + path.substr(ours.size());
        return path;
    }

    /// The visit path of a published name; the name itself if it is none.
    std::string path(const std::string& name) const {
        for (const auto& [ours, theirs] : prefixes_)
            if (name.starts_with(theirs)) return ours + name.substr(theirs.size());
        return name;
    }

private:
    PublishedNames(const std::string& encoder, const std::string& bottleneck) {
        static constexpr Index deepest = 10;  // as U-Net's own limit
        for (Index level = 1; level <= deepest; ++level) {
            const std::string k = std::to_string(level);
            prefixes_.emplace_back("backbone.encoder" + k + ".", "encoder" + encoder + k + ".enc" + k);
            prefixes_.emplace_back("backbone.up" + k + ".", "upconv" + k + ".");
            prefixes_.emplace_back("backbone.decoder" + k + ".", "decoder" + k + ".dec" + k);
        }
        prefixes_.emplace_back("backbone.bottleneck.", "bottleneck" + bottleneck + ".bottleneck");
    }

    std::vector<std::pair<std::string, std::string>> prefixes_;  // ours, theirs
};

}  // namespace mtdn
