#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "support/catch.hpp"
#include "support/project.hpp"

// The house's rules on who may include whom, read from the files themselves.
namespace {

using mtdn::testing::project_files;
using mtdn::testing::project_root;
using mtdn::testing::read_lines;

const std::map<std::string, int> floors{
    {"core", 0},  {"backend", 1},  {"change", 1},  {"metric", 1}, {"autograd", 2}, {"nn", 3},   {"loss", 3},
    {"optim", 3}, {"backbone", 4}, {"siamese", 5}, {"io", 6},     {"data", 7},     {"view", 8}, {"kinetics", 8},
    {"experiment", 9},
};
// Headers beside the folders: the umbrellas, which the library itself never includes, and the version.
const std::set<std::string> umbrellas{"mtdn/mtdn.hpp",         "mtdn/io.hpp",    "mtdn/cuda.hpp",
                                      "mtdn/cuda_kernels.cuh", "mtdn/cudnn.hpp", "mtdn/cudnn_kernels.cuh",
                                      "mtdn/mpi.hpp",          "mtdn/nccl.hpp"};
constexpr std::size_t most_lines = 450, most_columns = 120;

/// What the angle-bracket includes of a file name.
std::vector<std::string> includes_of(const std::vector<std::string>& lines) {
    std::vector<std::string> names;
    for (std::string line : lines) {
        std::erase(line, ' ');
        if (line.starts_with("#include<")) names.push_back(line.substr(9, line.find('>') - 9));
    }
    return names;
}

/// The floor's folder of "mtdn/<folder>/..."; none for a header that lies beside the folders.
std::optional<std::string> folder_of(const std::string& header) {
    const auto start = header.find('/') + 1, end = header.find('/', start);
    if (end == std::string::npos) return std::nullopt;
    return header.substr(start, end - start);
}

/// What is wrong with `header` including `included`, both "mtdn/..."; empty where it may.
std::string objection(const std::string& header, const std::string& included) {
    if (umbrellas.contains(included)) return umbrellas.contains(header) ? "" : "includes an umbrella";
    const auto from = folder_of(header), to = folder_of(included);
    if (included.find("/testing/") != std::string::npos && header.find("/testing/") == std::string::npos) {
        return "includes checks that are for users' tests";
    }
    if (included.find("/detail/") != std::string::npos && from != to) return "includes another folder's detail";
    if (!from || !to || from == to) return "";
    if (!floors.contains(*from) || !floors.contains(*to)) return "is, or includes, a folder that has no floor";
    if (floors.at(*to) >= floors.at(*from)) return "includes a folder that is not on a lower floor";
    return "";
}

/// The library that a header comes from: its first folder, or its name; none for C++, C and the system.
std::optional<std::string> third_party(const std::string& included) {
    static const std::set<std::string> system{"unistd.h",  "fcntl.h",     "sched.h", "pthread.h",
                                              "ucontext.h", "immintrin.h", "cpuid.h"};
    const auto first = included.substr(0, included.find('/'));
    const bool standard = included.find_first_of("./") == std::string::npos;
    if (standard || system.contains(included) || first == "sys" || first == "mtdn") return std::nullopt;
    return first;
}

/// Characters of UTF-8.
std::size_t columns(const std::string& line) {
    return static_cast<std::size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

TEST_CASE("includes are read from lines") {
    CHECK(includes_of({"#include <mtdn/a.hpp>  // why", "  #  include <vector>", "// #include <no>",
                       "#if __has_include(<no>)"}) == std::vector<std::string>{"mtdn/a.hpp", "vector"});
}

TEST_CASE("the rule on floors tells what may be included from what may not") {
    CHECK(objection("mtdn/nn/a.hpp", "mtdn/core/b.hpp").empty());
    CHECK(objection("mtdn/nn/a.hpp", "mtdn/nn/detail/b.hpp").empty());
    CHECK(objection("mtdn/mtdn.hpp", "mtdn/siamese/b.hpp").empty());
    CHECK(objection("mtdn/io.hpp", "mtdn/mtdn.hpp").empty());
    CHECK(objection("mtdn/nn/testing/a.hpp", "mtdn/autograd/testing/b.hpp").empty());
    CHECK(objection("mtdn/core/a.hpp", "mtdn/nn/b.hpp") == "includes a folder that is not on a lower floor");
    CHECK(objection("mtdn/nn/a.hpp", "mtdn/loss/b.hpp") == "includes a folder that is not on a lower floor");
    CHECK(objection("mtdn/nn/a.hpp", "mtdn/core/detail/b.hpp") == "includes another folder's detail");
    CHECK(objection("mtdn/nn/a.hpp", "mtdn/nn/testing/b.hpp") == "includes checks that are for users' tests");
    CHECK(objection("mtdn/nn/a.hpp", "mtdn/mtdn.hpp") == "includes an umbrella");
    CHECK(objection("mtdn/attic/a.hpp", "mtdn/core/b.hpp") == "is, or includes, a folder that has no floor");
}

TEST_CASE("a header includes its own folder and lower floors only") {
    const auto headers = project_files("include", {".hpp", ".cuh"});
    REQUIRE(headers.size() > 10);
    for (const auto& path : headers) {
        const auto header = path.lexically_relative("include").string();
        for (const auto& included : includes_of(read_lines(project_root() / path))) {
            if (!included.starts_with("mtdn/")) continue;
            INFO(header << " includes " << included);
            CHECK(objection(header, included) == "");
            CHECK(std::filesystem::exists(project_root() / "include" / included));
        }
    }
}

TEST_CASE("a header has at most 450 lines, #pragma once and no include by relative path") {
    for (const auto& path : project_files("include", {".hpp", ".cuh"})) {
        const auto lines = read_lines(project_root() / path);
        INFO(path.string());
        CHECK(lines.size() <= most_lines);
        REQUIRE(!lines.empty());
        CHECK(lines.front() == "#pragma once");
        for (const auto& line : lines) CHECK_FALSE(line.starts_with("#include \""));
    }
}

TEST_CASE("a line has at most 120 characters, where it is not a row of a table of Markdown") {
    CHECK(columns("x ÷ 2¹⁰") == 7);
    std::vector<std::filesystem::path> files{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"};
    for (const std::string folder : {"include", "examples", "tests", "bench", "docs"})
        for (const auto& file : project_files(folder, {".hpp", ".cpp", ".cuh", ".cu", ".py", ".sh", ".md"}))
            files.push_back(file);
    for (const auto& path : files) {
        std::size_t number = 0;
        for (const auto& line : read_lines(project_root() / path)) {
            ++number;
            const bool table = path.extension() == ".md" && line.starts_with("|");
            if (!table && columns(line) > most_columns) FAIL_CHECK(path.string() << ":" << number << ": " << line);
        }
    }
}

TEST_CASE("each third-party library is included by one file of ours") {
    CHECK(third_party("xtensor/xadapt.hpp") == "xtensor");
    CHECK(third_party("png.h") == "png.h");
    CHECK_FALSE(third_party("vector"));
    CHECK_FALSE(third_party("sys/wait.h"));

    std::map<std::string, std::set<std::string>> users;
    for (const std::string folder : {"include", "examples", "tests", "bench"}) {
        for (const auto& path : project_files(folder, {".hpp", ".cpp", ".cuh", ".cu"})) {
            for (const auto& included : includes_of(read_lines(project_root() / path))) {
                if (const auto library = third_party(included)) users[*library].insert(path.string());
            }
        }
    }
    CHECK(users.contains("xtensor"));
    for (const auto& [library, files] : users) {
        std::string list;
        for (const auto& file : files) list += "\n  " + file;
        INFO(library << " is included by" << list);
        CHECK(files.size() == 1);
    }
}
