#include <mtdn/change/pairs.hpp>
#include <mtdn/data/read_dataset.hpp>

#include <cstdlib>
#include <iostream>

#include "support/catch.hpp"

using namespace mtdn;

TEST_CASE("the published set makes the published numbers of pairs") {
    const char* root = std::getenv("MTDN_ETEM");
    if (!root) {
        std::cout << "skipped: MTDN_ETEM is not set\n";
        return;
    }
    const auto film = read_dataset(root);
    for (const auto& warning : film.warnings()) UNSCOPED_INFO(warning.message);
    CHECK(film.warnings().empty());
    CHECK(film.tasks() == std::vector<std::string>{"A1", "A2"});
    CHECK(film.train().frame_counts() == std::vector<Index>{51, 56, 19});
    CHECK(film.validation().frame_counts() == std::vector<Index>{46, 18});
    const auto pairs = [](const SequenceView& sequences, const char* policy) {
        Index sum = 0;
        for (const auto& sequence : sequences) sum += pair_policy(policy).count(sequence.size());
        return sum;
    };
    const char* policies[] = {"unordered", "unordered_self", "ordered", "ordered_self"};
    const Index train[] = {2986, 3112, 5972, 6098}, validation[] = {1188, 1252, 2376, 2440};
    for (int i = 0; i < 4; ++i) {
        CHECK(pairs(film.train(), policies[i]) == train[i]);
        CHECK(pairs(film.validation(), policies[i]) == validation[i]);
    }
    const auto& first = film.train()[0];
    CHECK(first.name == "102_R1");
    CHECK(shape_of(first.frames) == Shape{51, 256, 256, 1});
    CHECK((first.seconds[0] == 0 && first.seconds[1] == 31));  // frames 88 and 150 at 2 frames a second
    // A1 is the whole tube, A2 its core; masks drawn by hand leave the tube by a few pixels at most.
    for (const auto& sequence : film.sequences()) {
        Index core = 0, outside = 0;
        for (Index i = 0; i < shape_of(sequence.frames).pixels(); ++i) {
            core += sequence.masks.at("A2").data()[i];
            outside += sequence.masks.at("A2").data()[i] > sequence.masks.at("A1").data()[i] ? 1 : 0;
        }
        CHECK(core > 0);
        CHECK(outside * 50 < core);
    }
}
