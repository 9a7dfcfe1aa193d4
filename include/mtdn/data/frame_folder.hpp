#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/data/detail/glob.hpp>

namespace mtdn {

/// A folder into which a microscope writes frames.
class FrameFolder {
public:
    /// @throws IoError if there is no such folder
    explicit FrameFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
        std::error_code ignored;
        require<IoError>(std::filesystem::is_directory(folder_, ignored), folder_.string(),
                         ": there is no such folder");
    }

    /// Pictures that were not given before and have not grown since the last call, in natural order of their names: a
    /// file that is being written waits, and so do those behind it.
    ///
    /// @throws IoError if the folder has gone
    std::vector<std::filesystem::path> poll() {
        std::error_code ignored;
        require<IoError>(std::filesystem::is_directory(folder_, ignored), folder_.string(), ": the folder has gone");
        std::vector<std::filesystem::path> complete;
        waited_for_.clear();
        for (const auto& path : detail::entries(folder_)) {
            const auto name = path.filename().string();
            if (!detail::is_picture(path) || given_.contains(name)) continue;
            std::error_code vanished;
            const auto size = std::filesystem::file_size(path, vanished);
            const auto seen = sizes_.find(name);
            if (waited_for_.empty() && (vanished || size == 0 || seen == sizes_.end() || seen->second != size))
                waited_for_ = path;
            sizes_[name] = vanished ? 0 : size;
            if (waiting()) continue;
            given_.insert(name);
            sizes_.erase(name);
            complete.push_back(path);
        }
        return complete;
    }

    /// Whether the last call left a file that may still be being written.
    bool waiting() const { return !waited_for_.empty(); }

    /// Gives that file up, so that those behind it need wait no longer; its path.
    std::filesystem::path leave_out() {
        given_.insert(waited_for_.filename().string());
        return std::exchange(waited_for_, {});
    }

private:
    std::filesystem::path folder_;
    std::set<std::string> given_;
    std::map<std::string, std::uintmax_t> sizes_;  // as last seen
    std::filesystem::path waited_for_;             // the first that was not complete at the last call
};

}  // namespace mtdn
