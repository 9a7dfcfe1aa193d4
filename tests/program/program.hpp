#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "support/catch.hpp"
#include "support/scratch.hpp"

#include <mtdn/io/json.hpp>
#include <mtdn/io/raw_image.hpp>
#include <mtdn/view/picture.hpp>

/// Runs the program that the build made; its path is in MTDN_PROGRAM.
namespace mtdn::testing {

struct Run {
    int status = 0;  ///< exit status; 128 + signal if it was killed
    std::string out, err;
};

inline std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string program() {
    const char* path = std::getenv("MTDN_PROGRAM");
    REQUIRE(path);
    return path;
}

inline Run mtdn_run(const Scratch& scratch, const std::string& arguments, const std::string& before = "") {
    const auto out = (scratch / "stdout").string(), err = (scratch / "stderr").string();
    const int status = std::system((before + program() + " " + arguments + " > " + out + " 2> " + err).c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of(out), text_of(err)};
}

/// How often a colour is in a picture.
inline std::ptrdiff_t count(const RawImage& picture, Colour colour) {
    std::ptrdiff_t found = 0;
    for (std::size_t i = 0; i < picture.values.size(); i += 3)
        found += picture.values[i] == colour.red && picture.values[i + 1] == colour.green &&
                 picture.values[i + 2] == colour.blue;
    return found;
}

/// A film on disk and a model that was trained on it for a moment, made once.
struct Film {
    Scratch scratch;
    std::string data = (scratch / "film").string(), run = (scratch / "run").string();
    std::string model = run + "/best.safetensors";

    Film() {
        const auto made = mtdn_run(scratch, "synthesize " + data + " --sequences 3 --frames 3 --size 35 --seed 4");
        REQUIRE(made.status == 0);
        const auto trained =
            mtdn_run(scratch, "train --data " + data + " --out " + run + " " + recipe() + " --epochs 2");
        INFO(trained.err);
        REQUIRE(trained.status == 0);
    }
    static std::string recipe() { return "--width 8 --depth 2 --channels 1 --size 0 --batch 4 --seed 5"; }
};

inline const Film& film() {
    static const Film made;
    return made;
}

}  // namespace mtdn::testing
