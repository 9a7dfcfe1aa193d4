#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "program/program.hpp"

#include <mtdn/io/csv.hpp>

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

TEST_CASE("the filaments' volumes by their true masks and known lengths agree with their diameters") {
    const char* folder = etem();
    if (!folder) return;
    const Scratch scratch;
    // Lengths of 301 and 302 in px, at 0.52 nm/px; the others' are measured apart.
    const std::map<std::string, double> lengths{{"301", 148.836}, {"302", 226.586}};
    for (const auto& [name, split] : {std::pair{"301", "validation"}, {"302", "train"}}) {
        const double length = lengths.at(name);
        const auto out = scratch / name;
        const auto run = mtdn_run(scratch, concatenate("kinetics --json --data ", folder, " --split ", split,
                                                       " --length ", length, " --out ", out.string()));
        INFO(run.err);
        REQUIRE(run.status == 0);
        const auto json = parse_json(run.out, "kinetics");
        CHECK(json["pixel_size_nm"] == 0.52);
        CHECK(json["sequences"][name]["last_conversion"].get<double>() > 0.99);
        const auto table = read_csv(out / "kinetics.csv");
        const auto outer = table.numbers("outer_area_px2"), core = table.numbers("core_area_px2"),
                   volume = table.numbers("volume_nm3"), rate = table.numbers("rate_nm3_per_s");
        std::size_t row = 0;
        while (table.rows[row][0] != name) ++row;
        const double published = parse_json_file(std::filesystem::path(folder) /
                                                 "dataset.json")["sequences"][name]["metadata"]["diameter_nm"];
        CHECK(outer[row] / length * 0.52 == Approx(published).epsilon(0.08));
        const double pi = 3.14159265358979;
        CHECK(volume[row] ==
              Approx(pi * (outer[row] * outer[row] - core[row] * core[row]) / (4 * length) * std::pow(0.52, 3)));
        CHECK(*std::max_element(rate.begin() + static_cast<Index>(row), rate.end()) > 0);
    }
}
