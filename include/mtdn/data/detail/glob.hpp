#pragma once

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn::detail {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Order of file names as people count: runs of digits compare as numbers, `a2` before `a10`.
inline bool natural_less(std::string_view a, std::string_view b) {
    std::size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        if (is_digit(a[i]) && is_digit(b[j])) {
            const auto run = [](std::string_view text, std::size_t& at) {
                while (at < text.size() && text[at] == '0') ++at;
                const std::size_t first = at;
                while (at < text.size() && is_digit(text[at])) ++at;
                return text.substr(first, at - first);
            };
            const auto x = run(a, i), y = run(b, j);
            if (x.size() != y.size()) return x.size() < y.size();
            if (x != y) return x < y;
        } else {
            if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
            ++i;
            ++j;
        }
    }
    if (i < a.size() || j < b.size()) return j < b.size();
    return a < b;  // 01 and 1: equal numbers, yet two names
}

/// Whether a file name fits a pattern in which `*` stands for any characters and `?` for one.
inline bool fits(std::string_view pattern, std::string_view name) {
    std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = n;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
            ++p;
            ++n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

/// The name with its ending in small letters.
inline std::string with_small_ending(std::string name) {
    const auto dot = name.rfind('.');
    for (std::size_t i = dot == std::string::npos ? name.size() : dot; i < name.size(); ++i)
        if (name[i] >= 'A' && name[i] <= 'Z') name[i] = static_cast<char>(name[i] + ('a' - 'A'));
    return name;
}

/// Entries of a folder in natural order, hidden ones left out; none if there is no such folder.
inline std::vector<std::filesystem::path> entries(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> found;
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error)) return found;
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
        if (at->path().filename().native().front() != '.') found.push_back(at->path());
    require<IoError>(!error, folder.string(), ": the folder cannot be read: ", error.message());
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return natural_less(a.filename().native(), b.filename().native()); });
    return found;
}

/// Files below `folder` whose path fits the pattern, part by part, in natural order; of endings, in whatever case.
inline std::vector<std::filesystem::path> glob(const std::filesystem::path& folder,
                                               const std::filesystem::path& pattern) {
    std::vector<std::filesystem::path> level{folder};
    for (const auto& part : pattern) {
        std::vector<std::filesystem::path> next;
        const bool wild = part.native().find_first_of("*?") != std::string::npos;
        for (const auto& base : level) {
            if (!wild) {
                next.push_back(base / part);
                continue;
            }
            for (auto& entry : entries(base))
                if (fits(with_small_ending(part.native()), with_small_ending(entry.filename().native())))
                    next.push_back(std::move(entry));
        }
        level = std::move(next);
    }
    std::error_code ignored;
    std::erase_if(level, [&](const auto& path) { return !std::filesystem::is_regular_file(path, ignored); });
    return level;
}

/// What lies where a pattern found too little, in words.
inline std::string found_instead(const std::filesystem::path& pattern) {
    const auto folder = pattern.parent_path();
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored)) return "there is no folder " + folder.string();
    const auto found = entries(folder);
    if (found.empty()) return "the folder is empty";
    return concatenate("the folder holds ", found.size(), " entries, the first ", found[0].filename().string());
}

/// Whether the name is that of a picture that the library reads.
inline bool is_picture(const std::filesystem::path& path) {
    const auto end = with_small_ending(path.extension().string());
    return end == ".png" || end == ".tif" || end == ".tiff";
}

/// The number that the last run of digits in a file's name (without its ending) makes.
inline std::optional<double> frame_number(const std::filesystem::path& path) {
    const auto stem = path.stem().string();
    std::size_t end = stem.size();
    while (end > 0 && !is_digit(stem[end - 1])) --end;
    std::size_t first = end;
    while (first > 0 && is_digit(stem[first - 1])) --first;
    if (first == end) return std::nullopt;
    double number = 0;
    std::from_chars(stem.data() + first, stem.data() + end, number);
    return number;
}

}  // namespace mtdn::detail
