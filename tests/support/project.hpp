#pragma once

// The project's own files, for the tests that read them.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace mtdn::testing {

/// The project's top folder.
inline std::filesystem::path project_root() {
    return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
}

/// A text file's lines, without their ends.
inline std::vector<std::string> read_lines(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

/// All files of a folder of the project, subfolders included, whose name ends in one of `extensions`, as paths relative
/// to the project's top; none where there is no such folder.
inline std::vector<std::filesystem::path> project_files(const std::string& folder,
                                                        const std::vector<std::string>& extensions) {
    std::vector<std::filesystem::path> files;
    if (!std::filesystem::exists(project_root() / folder)) return files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(project_root() / folder)) {
        for (const auto& extension : extensions) {
            if (entry.path().extension() == extension) files.push_back(entry.path().lexically_relative(project_root()));
        }
    }
    return files;
}

}  // namespace mtdn::testing
