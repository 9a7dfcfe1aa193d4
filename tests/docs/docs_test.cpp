#include <optional>
#include <set>

#include "support/catch.hpp"
#include "support/project.hpp"

// What README and docs show is what is compiled: every ```cpp block stands below a comment
// `<!-- snippet: FILE -->` or `<!-- snippet: FILE#NAME -->` and repeats that file, or its part between the lines
// `//[NAME` and `//]`, less the part's indentation. And links lead somewhere.
namespace {

using mtdn::testing::project_files;
using mtdn::testing::project_root;
using mtdn::testing::read_lines;
using Lines = std::vector<std::string>;

std::vector<std::filesystem::path> documents() {
    auto files = project_files("docs", {".md"});
    for (const std::string name : {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}) {
        if (std::filesystem::exists(project_root() / name)) files.emplace_back(name);
    }
    return files;
}

/// Without the indentation that all lines share, and without empty lines at either end.
Lines trimmed(Lines lines) {
    std::size_t indentation = std::string::npos;
    for (const auto& line : lines) indentation = std::min(indentation, line.find_first_not_of(' '));
    for (auto& line : lines) line.erase(0, std::min(indentation, line.size()));
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    while (!lines.empty() && lines.front().empty()) lines.erase(lines.begin());
    return lines;
}

/// The lines between `//[name` and the next `//]`, markers of other parts left out; none where there is no such part.
std::optional<Lines> part(const Lines& lines, const std::string& name) {
    Lines found;
    bool inside = false;
    for (const auto& line : lines) {
        const auto start = line.find_first_not_of(' ');
        const std::string text = start == std::string::npos ? "" : line.substr(start);
        if (text == "//[" + name) {
            inside = true;
        } else if (inside && text == "//]") {
            return trimmed(found);
        } else if (inside) {
            found.push_back(line);
        }
    }
    return std::nullopt;
}

struct Snippet {
    std::string source;  // "FILE" or "FILE#NAME", empty where the block has no comment
    std::size_t line;
    Lines lines;
};

std::vector<Snippet> snippets(const Lines& document) {
    const std::string opening = "<!-- snippet: ", closing = " -->";
    std::vector<Snippet> found;
    std::string source;
    for (std::size_t i = 0; i < document.size(); ++i) {
        if (document[i].starts_with(opening) && document[i].ends_with(closing)) {
            source = document[i].substr(opening.size(), document[i].size() - opening.size() - closing.size());
        } else if (document[i].starts_with("```cpp")) {
            Snippet snippet{source, i + 1, {}};
            for (++i; i < document.size() && document[i] != "```"; ++i) snippet.lines.push_back(document[i]);
            snippet.lines = trimmed(snippet.lines);
            found.push_back(snippet);
            source.clear();
        } else if (!document[i].empty()) {
            source.clear();
        }
    }
    return found;
}

/// True for what the build compiles: examples, the program, tests and headers.
bool is_compiled(const std::string& file) {
    const bool source = file.ends_with(".cpp") || file.ends_with(".hpp") || file.ends_with(".cu");
    return source && (file.starts_with("examples/") || file.starts_with("tests/") || file.starts_with("include/"));
}

/// The targets of a line's links that are relative paths, without what follows a '#'.
Lines relative_links(const std::string& line) {
    Lines targets;
    for (auto at = line.find("]("); at != std::string::npos; at = line.find("](", at + 2)) {
        const auto end = line.find_first_of(")# ", at + 2);
        const auto target = line.substr(at + 2, end - at - 2);
        if (!target.empty() && target.find("://") == std::string::npos) targets.push_back(target);
    }
    return targets;
}

}  // namespace

TEST_CASE("a snippet is found with its source, and a part with its marks") {
    const auto found =
        snippets({"<!-- snippet: a.cpp#b -->", "", "```cpp", "  int x;", "```", "text", "```cpp", "```"});
    REQUIRE(found.size() == 2);
    CHECK(found[0].source == "a.cpp#b");
    CHECK(found[0].lines == Lines{"int x;"});
    CHECK(found[1].source.empty());
    CHECK(part({"//[b", "    int x;", "", "    int y;", "  //]", "int z;"}, "b") == Lines{"int x;", "", "int y;"});
    CHECK_FALSE(part({"//[b", "int x;", "//]"}, "c"));
}

TEST_CASE("every C++ snippet of README and docs is what is compiled") {
    for (const auto& document : documents()) {
        for (const auto& snippet : snippets(read_lines(project_root() / document))) {
            INFO(document.string() << ":" << snippet.line << ": snippet \"" << snippet.source << "\"");
            const auto hash = snippet.source.find('#');
            const auto file = snippet.source.substr(0, hash);
            CHECK(is_compiled(file));
            const auto lines = read_lines(project_root() / file);
            const auto expected = hash == std::string::npos ? std::optional(trimmed(lines))
                                                            : part(lines, snippet.source.substr(hash + 1));
            REQUIRE(expected.has_value());
            CHECK(snippet.lines == *expected);
        }
    }
}

TEST_CASE("a line's relative links are found") {
    CHECK(relative_links("[a](b.md) [c](https://d.org/e) [f](g/h.md#i) [j](#k)") == Lines{"b.md", "g/h.md"});
}

TEST_CASE("every relative link of README and docs leads to a file") {
    for (const auto& document : documents()) {
        bool in_code = false;
        for (const auto& line : read_lines(project_root() / document)) {
            if (line.starts_with("```")) in_code = !in_code;
            if (in_code) continue;
            for (const auto& target : relative_links(line)) {
                INFO(document.string() << " links to " << target);
                CHECK(std::filesystem::exists(project_root() / document.parent_path() / target));
            }
        }
    }
}

TEST_CASE("every page of docs is in its index") {
    std::set<std::string> listed;
    for (const auto& line : read_lines(project_root() / "docs/README.md")) {
        for (const auto& target : relative_links(line)) listed.insert(target);
    }
    for (const auto& page : project_files("docs", {".md"})) {
        const auto name = page.lexically_relative("docs").string();
        INFO(name << " is not in docs/README.md");
        CHECK((name == "README.md" || listed.contains(name)));
    }
}
