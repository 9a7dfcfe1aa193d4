#include <chrono>
#include <thread>

#include "program/program.hpp"

using namespace mtdn::testing;

namespace {

std::string training_to(const std::string& out) {
    return "train --data " + film().data + " --out " + out + " " + Film::recipe() +
           " --epochs 6 --checkpoint-seconds 0.001";
}

}  // namespace

TEST_CASE("a run that is killed and resumed, again and again, ends with the same files") {
    const Scratch scratch;
    const auto whole = (scratch / "whole").string(), broken = (scratch / "broken").string();
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(mtdn_run(scratch, training_to(whole)).status == 0);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

    // Killed after a fifth, two fifths, … of the time that a whole run takes.
    int kills = 0;
    for (int life = 1; life <= 4; ++life) {
        const bool begun = std::filesystem::exists(broken + "/checkpoint.safetensors");
        if (!begun) std::filesystem::remove_all(broken);
        const auto run = mtdn_run(scratch, begun ? "train --resume --out " + broken : training_to(broken),
                                  "timeout -s KILL " + std::to_string(seconds * life / 5) + " ");
        if (run.status != 0) ++kills;
    }
    INFO(kills << " kills in runs of " << seconds << " s");
    CHECK(kills > 0);
    if (!std::filesystem::exists(broken + "/checkpoint.safetensors")) std::filesystem::remove_all(broken);
    const auto last = mtdn_run(scratch, std::filesystem::exists(broken) ? "train --resume --out " + broken : training_to(broken));
    INFO(last.err);
    REQUIRE(last.status == 0);
    for (const char* name : {"/best.safetensors", "/last.safetensors"})
        CHECK((text_of(whole + name) == text_of(broken + name)));
    for (const auto& entry : std::filesystem::directory_iterator(broken))
        CHECK((entry.path().extension() == ".safetensors" || entry.path().stem() == "curve" ||
               entry.path().filename() == "run.json"));  // no temporary is left
}

TEST_CASE("a run that was stopped before its first checkpoint is begun anew by --resume, with its options") {
    const Scratch scratch;
    const auto whole = (scratch / "whole").string(), stopped = (scratch / "stopped").string();
    REQUIRE(mtdn_run(scratch, training_to(whole) + " --init " + film().model).status == 0);
    std::filesystem::create_directories(stopped);
    std::filesystem::copy_file(whole + "/run.json", stopped + "/run.json");
    const auto run = mtdn_run(scratch, "train --resume --out " + stopped);
    INFO(run.err);
    REQUIRE(run.status == 0);
    CHECK((text_of(stopped + "/last.safetensors") == text_of(whole + "/last.safetensors")));
}

TEST_CASE("a run gives the same files on any number of threads") {
    const Scratch scratch;
    std::string first;
    for (const std::string threads : {"1", "2", "3", "7"}) {
        const auto out = (scratch / threads).string();
        REQUIRE(mtdn_run(scratch, training_to(out) + " --threads " + threads).status == 0);
        const auto weights = text_of(out + "/last.safetensors");
        if (first.empty()) first = weights;
        CHECK((weights == first));
    }
}

TEST_CASE("a folder that holds a run is not overwritten, and one without is not resumed") {
    const Scratch scratch;
    const auto again = mtdn_run(scratch, training_to(film().run));
    CHECK(again.status == 1);
    CHECK(again.err.find("--resume") != std::string::npos);
    const auto nothing = mtdn_run(scratch, "train --resume --out " + (scratch / "nothing").string());
    CHECK(nothing.status == 1);
    CHECK(nothing.err.find("run.json") != std::string::npos);
}
