#include <cmath>
#include <cstdlib>
#include <iostream>

#include "program/program.hpp"

// The published frames and predictions, through the program.
using namespace mtdn;
using namespace mtdn::testing;

namespace {

const char* etem() {
    const char* folder = std::getenv("MTDN_ETEM");
    if (!folder) std::cout << "skipped: MTDN_ETEM is not set\n";
    return folder;
}

// Every integer alike, every score to 1e-12.
void compare(const Json& expected, const Json& found, const std::string& path) {
    for (const auto& [key, value] : expected.items()) {
        INFO(path << "." << key);
        REQUIRE(found.contains(key));
        if (value.is_object())
            compare(value, found[key], path + "." + key);
        else if (value.is_number_integer())
            CHECK(value == found[key]);
        else
            CHECK(std::abs(value.get<double>() - found[key].get<double>()) <= 1e-12);
    }
}

}  // namespace

TEST_CASE("the published predictions get the published scores") {
    const char* folder = etem();
    if (!folder) return;
    const Scratch scratch;
    const std::filesystem::path predictions = std::filesystem::path(folder) / "predictions";
    const auto expected = parse_json_file(predictions / "expected.json");
    for (const auto& [fusion, scores] : expected["init1"].items()) {
        const auto run = mtdn_run(scratch, std::string("score --json --truth ") + folder + " --prediction " +
                                               (predictions / "init1" / fusion).string());
        REQUIRE(run.status == 0);
        compare(scores, parse_json(run.out, "score"), fusion);
    }
}

TEST_CASE("the published sequences give the published numbers of pairs") {
    const char* folder = etem();
    if (!folder) return;
    const Scratch scratch;
    const auto run = mtdn_run(scratch, std::string("info --json --data ") + folder);
    REQUIRE(run.status == 0);
    const auto splits = parse_json(run.out, "info")["splits"];
    CHECK(splits["train"]["pairs"] ==
          Json{{"unordered", 2986}, {"unordered_self", 3112}, {"ordered", 5972}, {"ordered_self", 6098}});
    CHECK(splits["validation"]["pairs"] ==
          Json{{"unordered", 1188}, {"unordered_self", 1252}, {"ordered", 2376}, {"ordered_self", 2440}});
}
