#include <algorithm>
#include <chrono>
#include <thread>

#include "program/program.hpp"

#include <mtdn/io/safetensors.hpp>

using namespace mtdn;
using namespace mtdn::testing;

namespace {

std::string training_to(const std::string& out) {
    return "train --data " + film().data + " --out " + out + " " + Film::recipe() +
           " --epochs 6 --checkpoint-seconds 0.001";
}

// Begins the training of `film().run` with more options, and stops it at the end of its first batch.
void begin_and_stop(const Scratch& scratch, const std::string& out, const std::string& more = "") {
    REQUIRE(mtdn_run(scratch, "train --minutes 1e-9 --data " + film().data + " --out " + out + " " + Film::recipe() +
                                  " --epochs 2" + more)
                .status == 0);
}

std::vector<std::string> names_in(const std::string& weights) {
    const SafeTensors file(weights);
    std::vector<std::string> names;
    for (const auto& tensor : file.tensors()) names.push_back(tensor.name);
    return names;
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
    const auto last =
        mtdn_run(scratch, std::filesystem::exists(broken) ? "train --resume --out " + broken : training_to(broken));
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

TEST_CASE("deep supervision leaves no heads in the weights, and is taken up to the same bits") {
    const Scratch scratch;
    const auto whole = (scratch / "whole").string(), halves = (scratch / "halves").string();
    const std::string more = " --deep-supervision 0.5";
    REQUIRE(mtdn_run(scratch, "train --data " + film().data + " --out " + whole + " " + Film::recipe() + " --epochs 2" +
                                  more)
                .status == 0);
    CHECK(names_in(whole + "/best.safetensors") == names_in(film().model));
    CHECK((text_of(whole + "/last.safetensors") != text_of(film().run + "/last.safetensors")));
    begin_and_stop(scratch, halves, more);
    const auto kept = names_in(halves + "/checkpoint.safetensors");
    CHECK(std::find(kept.begin(), kept.end(), "model.auxiliary.level1.A2.weight") != kept.end());
    REQUIRE(mtdn_run(scratch, "train --resume --minutes 0 --out " + halves).status == 0);
    for (const char* name : {"/best.safetensors", "/last.safetensors"})
        CHECK((text_of(whole + name) == text_of(halves + name)));
}

TEST_CASE("an option that run.json lacks, as there was none of its name then, is as where it is not given") {
    const Scratch scratch;
    const auto out = (scratch / "old").string();
    begin_and_stop(scratch, out);
    auto json = parse_json_file(out + "/run.json");
    REQUIRE(json["options"].erase("deep-supervision") == 1);
    write_json(out + "/run.json", json);
    const auto run = mtdn_run(scratch, "train --resume --minutes 0 --out " + out);
    INFO(run.err);
    REQUIRE(run.status == 0);
    CHECK((text_of(out + "/last.safetensors") == text_of(film().run + "/last.safetensors")));
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
