#pragma once

// The one place that includes nlohmann/json.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/io/file.hpp>

namespace mtdn {

/// A JSON value whose objects keep the order of their keys.
using Json = nlohmann::ordered_json;

namespace detail {

/// Throws if brackets are nested deeper than any file of ours is: what is read must not exhaust the stack.
inline void require_shallow(std::string_view text, const std::string& name) {
    constexpr int limit = 128;
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\') ++i;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            require<IoError>(++depth <= limit, name, ": JSON is nested deeper than ", limit, " levels");
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
}

/// "line 3, column 5" of a byte, from 1.
inline std::string line_and_column(std::string_view text, std::size_t byte) {
    const auto before = text.substr(0, std::min(byte, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto start = before.rfind('\n');
    const auto column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
    return concatenate("line ", line, ", column ", column);
}

}  // namespace detail

/// Parses JSON text; `name` is what errors call it.
///
/// @throws IoError with line and column, also for a key that stands twice in one object
inline Json parse_json(std::string_view text, const std::string& name) {
    detail::require_shallow(text, name);
    std::vector<std::set<std::string>> keys;  // of the objects that are open
    std::string twice;
    const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key) {
            const auto& key = parsed.get_ref<const std::string&>();
            if (!keys.back().insert(key).second && twice.empty()) twice = key;
        }
        return true;
    };
    try {
        auto json = Json::parse(text.begin(), text.end(), watch);
        require<IoError>(twice.empty(), name, ": the key \"", twice, "\" stands twice in one object");
        return json;
    } catch (const Json::parse_error& error) {
        std::string reason = error.what();
        // nlohmann's own prefix, "[json.exception.parse_error.101] parse error at line 1, column 2: ", says it again.
        if (const auto end = reason.find(": "); end != std::string::npos) reason.erase(0, end + 2);
        fail<IoError>(name, ", ", detail::line_and_column(text, error.byte ? error.byte - 1 : 0),
                      ": not valid JSON: ", reason);
    } catch (const Json::exception& error) {
        fail<IoError>(name, ": not valid JSON: ", error.what());
    }
}

/// Reads a JSON file.
///
/// @throws IoError with file, line and column
inline Json parse_json_file(const std::filesystem::path& path) { return parse_json(read_text(path), path.string()); }

/// JSON text; numbers keep every bit, NaN and infinity become null, bytes that are not UTF-8 are replaced.
inline std::string json_text(const Json& json, int indent = 2) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// Writes a JSON file, indented, whole or not at all.
///
/// @throws IoError
inline void write_json(const std::filesystem::path& path, const Json& json) {
    write_file(path, json_text(json) + '\n');
}

}  // namespace mtdn
