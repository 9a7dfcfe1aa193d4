#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <string>

#include <mtdn/io/safetensors.hpp>

#include "program/program.hpp"

// `mpirun -n 2 mtdn train`: what one process does, and what becomes of a run one of whose ranks dies.
using namespace mtdn;
using namespace mtdn::testing;
namespace fs = std::filesystem;

namespace {

/// Whether there is an `mpirun`; says so if not.
bool can_run() {
    if (std::getenv("MTDN_MPIRUN")) return true;
    std::cout << "skipped: no MPI was found\n";
    return false;
}

/// `mpirun -n 2 mtdn` with those arguments, the program of rank 1 in a wrapper, if one is given.
Run on_two_ranks(const Scratch& scratch, const std::string& arguments, const std::string& rank_1 = "exec \"$@\"") {
    const auto script = scratch / "rank.sh";
    std::ofstream(script) << "[ \"$OMPI_COMM_WORLD_RANK\" = 1 ] || exec \"$@\"\n" << rank_1 << '\n';
    // One that hangs is killed, and fails.
    return mtdn_run(scratch, arguments,
                    "timeout 120 " + std::string(std::getenv("MTDN_MPIRUN")) + " -n 2 sh " + script.string() + " ");
}

std::string train(const std::string& out, const std::string& more) {
    return "train --data " + film().data + " --out " + out + " " + Film::recipe() + " " + more;
}

std::set<std::string> files(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
    return names;
}

}  // namespace

TEST_CASE("two ranks end where one process does, and write its files once") {
    if (!can_run()) return;
    const Scratch scratch;
    const std::string sgd = "--optimizer sgd --lr 1e-4 --beta 0 --epochs 2";
    const auto alone = (scratch / "alone").string(), shared = (scratch / "shared").string();
    REQUIRE(mtdn_run(scratch, train(alone, sgd)).status == 0);
    const auto run = on_two_ranks(scratch, train(shared, sgd));
    INFO(run.err);
    REQUIRE(run.status == 0);
    CHECK(run.err.find("2 ranks") != std::string::npos);
    CHECK(run.err.find("parameters") == run.err.rfind("parameters"));
    CHECK(run.out.find("model:") == run.out.rfind("model:"));
    CHECK((files(shared) == files(alone)));
    const SafeTensors a(shared + "/last.safetensors"), b(alone + "/last.safetensors");
    REQUIRE(a.tensors().size() == b.tensors().size());
    double difference = 0, norm = 0;
    for (const auto& tensor : b.tensors()) {
        if (tensor.dtype == "I64") continue;
        const auto x = a.values<double>(tensor.name), y = b.values<double>(tensor.name);
        REQUIRE(x.size() == y.size());
        for (std::size_t i = 0; i < y.size(); ++i) {
            difference += (x[i] - y[i]) * (x[i] - y[i]);
            norm += y[i] * y[i];
        }
    }
    CHECK(std::sqrt(difference / norm) < 1e-5);
}

TEST_CASE("a rank that is killed ends the run, and --resume goes on to the same bits") {
    if (!can_run()) return;
    const Scratch scratch;
    const auto whole = (scratch / "whole").string(), broken = (scratch / "broken").string();
    const std::string often = "--epochs 8 --checkpoint-seconds 0.001";
    REQUIRE(on_two_ranks(scratch, train(whole, often)).status == 0);
    const auto run = on_two_ranks(scratch, train(broken, often),
                                  "(until [ -e " + broken +
                                      "/checkpoint.safetensors ]; do sleep 0.02; done; kill -KILL $$) &\n"
                                      "exec \"$@\"");
    INFO(run.err);
    CHECK(run.status != 0);
    CHECK(run.status != 124);  // it did not hang
    CHECK(run.err.find("rank 1 ") != std::string::npos);
    REQUIRE_FALSE(fs::exists(broken + "/last.safetensors"));
    const auto resumed = on_two_ranks(scratch, "train --resume --out " + broken);
    INFO(resumed.err);
    REQUIRE(resumed.status == 0);
    for (const char* name : {"/best.safetensors", "/last.safetensors"})
        CHECK((text_of(whole + name) == text_of(broken + name)));
    CHECK((files(whole) == files(broken)));
}

TEST_CASE("a rank that fails says which it is and why, and ends the others") {
    if (!can_run()) return;
    const Scratch scratch;
    const auto folder = (scratch / "run").string();
    const auto run =
        on_two_ranks(scratch, train(folder, "--epochs 2"), "exec \"$1\" train --data nowhere --out " + folder);
    INFO(run.err);
    CHECK(run.status == 1);
    CHECK(run.err.find("mtdn: rank 1 of 2: ") != std::string::npos);
    CHECK(run.err.find("nowhere") != std::string::npos);
}
