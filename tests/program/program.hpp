#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "support/catch.hpp"
#include "support/scratch.hpp"

#include <mtdn/io/json.hpp>

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

/// A film on disk and a model that was trained on it for a moment, made once.
struct Film {
    Scratch scratch;
    std::string data = (scratch / "film").string(), run = (scratch / "run").string();
    std::string model = run + "/best.safetensors";

    Film() {
        const auto made = mtdn_run(scratch, "synthesize " + data + " --sequences 3 --frames 3 --size 35 --seed 4");
        REQUIRE(made.status == 0);
        const auto trained = mtdn_run(scratch, "train --data " + data + " --out " + run + " " + recipe() + " --epochs 2");
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
