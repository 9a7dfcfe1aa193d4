#include <mtdn/data/sequence.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;

namespace {

Sequence make_sequence(const std::string& name, Split split, Index frames = 2, Index height = 3, Index width = 4) {
    Sequence sequence;
    sequence.name = name;
    sequence.split = split;
    sequence.frames = full_array<float>(0.5F, frames, height, width, 1);
    for (Index i = 0; i < frames; ++i) sequence.frame_names.push_back(std::to_string(i) + ".png");
    sequence.masks["A1"] = full_array<std::uint8_t>(0, frames, height, width);
    return sequence;
}

std::string failure(Sequence sequence) {
    return message_of<DataError>([&] { Dataset({}, {std::move(sequence)}); });
}

}  // namespace

TEST_CASE("every sequence is in the view of its split, in order") {
    const Dataset dataset({.name = "film"}, {make_sequence("a", Split::train), make_sequence("b", Split::test),
                                             make_sequence("c", Split::train, 5)});
    CHECK(dataset.name() == "film");
    CHECK(dataset.tasks() == std::vector<std::string>{"A1"});
    std::string names;
    for (const auto& sequence : dataset.train()) names += sequence.name;
    CHECK(names == "ac");
    CHECK(dataset.train().frame_counts() == std::vector<Index>{2, 5});
    CHECK(dataset.test()[0].name == "b");
    CHECK(dataset.validation().empty());
    CHECK(dataset.all().size() == 3);
    CHECK(dataset.warnings().empty());
    for (Split split : {Split::train, Split::validation, Split::test}) CHECK(split_named(name_of(split)) == split);
    CHECK_FALSE(split_named("training"));
}

TEST_CASE("frames without times are at 0, 1, 2 s") {
    const Dataset dataset({}, {make_sequence("a", Split::train, 3)});
    CHECK(dataset.sequences()[0].seconds == std::vector<double>{0, 1, 2});
}

TEST_CASE("what does not fit is an error that names it") {
    const auto twice = [](Split second) {
        return message_of<DataError>([&] {
            Dataset({}, {make_sequence("a", Split::train), make_sequence("a", second)});
        });
    };
    CHECK_THAT(twice(Split::test), Contains("\"a\"") && Contains("two splits") && Contains("train and test"));
    CHECK_THAT(twice(Split::train), Contains("two sequences are named \"a\""));

    auto sequence = make_sequence("a", Split::train);
    sequence.masks["A1"] = full_array<std::uint8_t>(0, 2, 3, 5);
    CHECK_THAT(failure(sequence), Contains("(2, 3, 5, 1)") && Contains("(2, 3, 4, 1)") && Contains("\"A1\""));
    sequence = make_sequence("a", Split::train);
    sequence.masks["A1"].data()[7] = 255;
    CHECK_THAT(failure(sequence), Contains("0 and 1, found 255"));
    sequence = make_sequence("a", Split::train);
    sequence.seconds = {1, 2, 3};
    CHECK_THAT(failure(sequence), Contains("2 frames, but 3 times"));
    sequence = make_sequence("a", Split::train);
    sequence.series["volume"] = {1};
    CHECK_THAT(failure(sequence), Contains("\"volume\" has 1 values"));
    sequence = make_sequence("a", Split::train);
    sequence.frames = full_array<float>(0, 2, 3, 4, 3);
    CHECK_THAT(failure(sequence), Contains("(2, 3, 4, 3)"));
    CHECK_THAT(failure(make_sequence("a", Split::train, 0)), Contains("has no frames"));
    CHECK_THAT(message_of<DataError>([] { Dataset({.tasks = {"A2"}}, {make_sequence("a", Split::train)}); }),
               Contains("task \"A1\", which the dataset does not list"));
}

TEST_CASE("a feature on more than half of the pixels warns of an inverted polarity") {
    auto sequence = make_sequence("a", Split::train);
    std::fill_n(sequence.masks["A1"].data(), 12, std::uint8_t{1});  // exactly half
    CHECK(Dataset({}, {sequence}).warnings().empty());
    sequence.masks["A1"].data()[12] = 1;
    const Dataset dataset({}, {sequence});
    REQUIRE(dataset.warnings().size() == 1);
    CHECK_THAT(dataset.warnings()[0].message, Contains("\"a\"") && Contains("\"A1\"") && Contains("polarity"));
}

TEST_CASE("time that stands still is a warning") {
    auto sequence = make_sequence("a", Split::train);
    sequence.seconds = {4, 4};
    const Dataset dataset({}, {sequence});
    REQUIRE(dataset.warnings().size() == 1);
    CHECK_THAT(dataset.warnings()[0].message, Contains("time does not advance at frame \"1.png\""));
}
