#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/read_predictions.hpp>
#include <mtdn/data/write_dataset.hpp>
#include <mtdn/io/tiff.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using Catch::Matchers::Contains;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;
namespace fs = std::filesystem;

namespace {

void put_frame(const fs::path& path, float value, Index height = 4, Index width = 5) {
    fs::create_directories(path.parent_path());
    write_frame(path, full_array<float>(value, height, width));
}

void put_mask(const fs::path& path, int lit, MaskPolarity polarity = {0, 255}, Index height = 4, Index width = 5) {
    fs::create_directories(path.parent_path());
    auto mask = full_array<std::uint8_t>(0, height, width);
    std::fill_n(mask.data(), lit, std::uint8_t{1});
    write_mask(path, mask, polarity);
}

/// Two sequences of frames 8, 9, 10 and 9, 10 with one task, as the published set is laid out.
void put_film(const Scratch& scratch, const std::string& manifest = R"({
        "tasks": {"A1": "masks/A1/*.png"}, "mask": {"feature": 0, "background": 255},
        "time": {"frames_per_second": 2, "first_frame_number": 8},
        "sequences": {"a": {"split": "train"}, "b": {"split": "test"}}})") {
    for (const char* sequence : {"a", "b"})
        for (int i = 8; i < 11; ++i) {
            if (*sequence == 'b' && i == 8) continue;
            const auto name = "f1_" + std::to_string(i) + ".png";
            put_frame(scratch / sequence / "frames" / name, static_cast<float>(i) / 255);
            put_mask(scratch / sequence / "masks/A1" / name, i);
        }
    scratch.put("dataset.json", manifest);
}

template <class E = DataError>
std::string failure(const fs::path& folder, const DatasetOptions& options = {}) {
    return message_of<E>([&] { read_dataset(folder, options); });
}

}  // namespace

TEST_CASE("names sort as people count") {
    const std::vector<std::string> order{"a", "a01", "a1", "a2", "a10", "a10b", "b_2_x", "b_10_a"};
    for (std::size_t i = 0; i < order.size(); ++i)
        for (std::size_t j = 0; j < order.size(); ++j) CHECK(detail::natural_less(order[i], order[j]) == (i < j));
}

TEST_CASE("patterns fit names") {
    for (const auto& [pattern, name, expected] : {std::tuple{"*.png", "a.png", true},
                                                  {"*.png", "a.tif", false},
                                                  {"a?c*", "abcd", true},
                                                  {"a?c", "ac", false},
                                                  {"*1*2", "x1y12", true},
                                                  {"*1*2", "x1y1", false},
                                                  {"", "", true},
                                                  {"**", "q", true}})
        CHECK(detail::fits(pattern, name) == expected);
}

TEST_CASE("the last run of digits is the frame's number") {
    CHECK(detail::frame_number("102_r1_000088.png") == 88);
    CHECK(detail::frame_number("x7y.tif") == 7);
    CHECK_FALSE(detail::frame_number("none.mp4"));
}

TEST_CASE("a manifest's folder is read: order, time, polarity, splits") {
    const Scratch scratch;
    put_film(scratch);
    const auto film = read_dataset(scratch.folder());
    REQUIRE(film.sequences().size() == 2);
    const auto& a = film.train()[0];
    CHECK(a.frame_names == std::vector<std::string>{"f1_8.png", "f1_9.png", "f1_10.png"});
    CHECK(a.seconds == std::vector<double>{0, 0.5, 1});
    CHECK(a.frames.data()[2 * 20] == 10.0F / 255);
    CHECK(std::count(frame_data(a.masks.at("A1"), 1), frame_data(a.masks.at("A1"), 2), 1) == 9);
    CHECK(film.test()[0].seconds == std::vector<double>{0.5, 1});
    CHECK((polarity_of(film) == MaskPolarity{0, 255}));
    CHECK(film.warnings().empty());
    CHECK(read_dataset(scratch.folder(), {.polarity = MaskPolarity{255, 0}}).warnings().size() == 2);  // inverted
}

TEST_CASE("endings may be in capitals") {
    const Scratch scratch;
    put_film(scratch);
    for (const char* folder : {"a/frames", "a/masks/A1"})
        for (int i = 8; i < 11; ++i) {
            const auto file = scratch / folder / ("f1_" + std::to_string(i));
            fs::rename(file.string() + ".png", file.string() + ".PNG");
        }
    CHECK(read_dataset(scratch.folder()).train()[0].frame_names.front() == "f1_8.PNG");
    CHECK(read_frames(scratch / "a/frames").size() == 3);
}

TEST_CASE("frames before the first are left out with their masks, and a warning says so") {
    const Scratch scratch;
    put_film(scratch, R"({"tasks": {"A1": "masks/A1/*.png"}, "mask": {"feature": 0, "background": 255},
                          "time": {"first_frame_number": 9}, "sequences": {"a": {"split": "train"}}})");
    const auto film = read_dataset(scratch.folder());
    CHECK(film.train()[0].seconds == std::vector<double>{0, 1});
    CHECK(std::count(frame_data(film.train()[0].masks.at("A1"), 0), frame_data(film.train()[0].masks.at("A1"), 1), 1) ==
          9);
    REQUIRE(film.warnings().size() == 1);
    CHECK_THAT(film.warnings()[0].message, Contains("1 frames") && Contains("before 9"));
}

TEST_CASE("times of a sequence's own go before any rule") {
    const Scratch scratch;
    put_film(scratch, R"({"time": {"first_frame_number": 9},
                          "sequences": {"a": {"split": "train", "seconds": [0, 7, 9.5]}}})");
    CHECK(read_dataset(scratch.folder()).train()[0].seconds == std::vector<double>{0, 7, 9.5});
    scratch.put("dataset.json", R"({"sequences": {"a": {"split": "train", "seconds": [0, 7]}}})");
    CHECK_THAT(failure(scratch.folder()), Contains("3 frames (f1_8.png … f1_10.png), but \"seconds\" has 2"));
}

TEST_CASE("what does not fit is an error that names the file, and nothing is loaded") {
    const Scratch scratch;
    put_film(scratch);
    const auto frames = scratch / "a" / "frames", masks = scratch / "a" / "masks/A1";

    SECTION("missing mask") {
        fs::remove(masks / "f1_9.png");
        CHECK_THAT(failure(scratch.folder()),
                   Contains("masks/A1") && Contains("no mask of frame f1_9.png") && Contains("2 masks, 3 frames"));
        for (int i : {8, 10}) fs::remove(masks / ("f1_" + std::to_string(i) + ".png"));
        CHECK_THAT(failure(scratch.folder()), Contains("0 masks, 3 frames; the folder is empty"));
        fs::remove(masks);
        CHECK_THAT(failure(scratch.folder()),
                   Contains("0 masks") && Contains("there is no folder") && Contains(masks.string()));
    }
    SECTION("extra mask") {
        put_mask(masks / "f1_11.png", 1);
        CHECK_THAT(failure(scratch.folder()), Contains("f1_11.png: a mask of no frame"));
    }
    SECTION("mask of another size") {
        put_mask(masks / "f1_9.png", 1, {0, 255}, 5, 4);
        CHECK_THAT(failure(scratch.folder()), Contains("f1_9.png: the mask is 5 × 4") && Contains("expected 4 × 5"));
    }
    SECTION("mask with a third value") {
        write_frame(masks / "f1_9.png", full_array<float>(0.5F, 4, 5));
        CHECK_THAT(failure(scratch.folder()), Contains("f1_9.png") && Contains("128"));
        CHECK(read_dataset(scratch.folder(), {.mask_threshold = 127}).train()[0].masks.at("A1").data()[20] == 0);
    }
    SECTION("frame of another size") {
        put_frame(frames / "f1_10.png", 0.5F, 4, 6);
        CHECK_THAT(failure(scratch.folder()),
                   Contains("f1_10.png: the frame is 4 × 6") && Contains("expected 4 × 5") && Contains("f1_8.png"));
    }
    SECTION("empty and truncated files") {
        fs::resize_file(frames / "f1_9.png", 40);
        CHECK_THAT(failure<IoError>(scratch.folder()), Contains("f1_9.png"));
        fs::resize_file(frames / "f1_9.png", 0);
        CHECK_THAT(failure<IoError>(scratch.folder()), Contains("f1_9.png") && Contains("empty"));
    }
    SECTION("a sequence without a folder, or without frames") {
        fs::remove_all(scratch / "b");
        CHECK_THAT(failure(scratch.folder()), Contains("sequence \"b\" has no such folder"));
        fs::create_directories(scratch / "b");
        CHECK_THAT(failure(scratch.folder()), Contains("frames/*.png") && Contains("\"b\" has no frames") &&
                                                  Contains("there is no folder"));
        put_frame(scratch / "b/frames/f1_9.jpg", 0.5F);
        CHECK_THAT(failure(scratch.folder()), Contains("the folder holds 1 entries, the first f1_9.jpg"));
    }
    SECTION("files in two splits") {
        scratch.put("dataset.json", R"({"sequences": {"a": {"split": "train"},
                                        "b": {"split": "test", "frames": "../a/frames/*.png"}}})");
        CHECK_THAT(failure(scratch.folder()),
                   Contains("a frame of two sequences") && Contains("\"a\" (train)") && Contains("\"b\" (test)"));
    }
    SECTION("a name without a number, where time needs one") {
        put_frame(frames / "last.png", 0.5F);
        put_mask(masks / "last.png", 1);
        CHECK_THAT(failure(scratch.folder()), Contains("last.png") && Contains("no number") && Contains("\"seconds\""));
    }
    SECTION("not JSON") {
        scratch.put("dataset.json", "{\"name\": ");
        CHECK_THAT(failure<IoError>(scratch.folder()), Contains("dataset.json") && Contains("not valid JSON"));
    }
    SECTION("a task or folder that is not there") {
        CHECK_THAT(failure<OptionError>(scratch.folder(), {.only_tasks = {"A9"}}), Contains("no task \"A9\""));
        CHECK_THAT(failure<IoError>(scratch / "nowhere"), Contains("no such folder"));
    }
}

TEST_CASE("folders without a manifest are read by options") {
    const Scratch scratch;
    put_film(scratch);
    fs::remove(scratch / "dataset.json");
    const auto film =
        read_dataset(scratch.folder(), {.polarity = MaskPolarity{0, 255}, .splits = {{"a", Split::train}}});
    CHECK(film.train()[0].name == "a");
    CHECK(film.test()[0].name == "b");
    CHECK(film.tasks() == std::vector<std::string>{"A1"});
    CHECK(film.train()[0].seconds == std::vector<double>{8, 9, 10});
    const auto timed =
        read_dataset(scratch / "a",
                     {.polarity = MaskPolarity{0, 255}, .tasks = {{"core", "masks/A1/*.png"}}, .time = TimeRule{2, 9}});
    CHECK(timed.test()[0].seconds == std::vector<double>{0, 0.5});
    CHECK(timed.tasks() == std::vector<std::string>{"core"});
    const auto bare = read_dataset(scratch / "a" / "frames");
    CHECK((bare.test().size() == 1 && bare.test()[0].name == "a" && bare.tasks().empty()));
    CHECK_THAT(failure(scratch / "a" / "masks"), Contains("no frames found") || Contains("nothing"));
    CHECK_THAT(failure<OptionError>(scratch.folder(), {.splits = {{"c", Split::train}}}),
               Contains("no sequence \"c\""));
    fs::create_directories(scratch / "empty");
    CHECK_THAT(failure(scratch / "empty"), Contains("no frames found; expected dataset.json"));
}

TEST_CASE("frames alone are read from a folder or a TIFF of several pages") {
    const Scratch scratch;
    put_film(scratch);
    const auto frames = read_frames(scratch / "a" / "frames");
    CHECK((frames.name == "a" && frames.size() == 3 && frames.masks.empty()));
    CHECK(film_name(scratch / "a.b" / "images") == "images");  // where there is no such folder, it would be a file
    fs::create_directories(scratch / "a.b" / "images");
    for (const char* path : {"a.b", "a.b/", "a.b/images", "a.b/images/"}) CHECK(film_name(scratch / path) == "a.b");
    auto pages = make_array<std::uint16_t>(12, 4, 5);
    for (Index i = 0; i < 12; ++i) std::fill_n(frame_data(pages, i), 20, static_cast<std::uint16_t>(1000 * i));
    write_tiff(scratch / "stack.tif", pages);
    const auto stack = read_frames(scratch / "stack.tif");
    CHECK((stack.name == "stack" && stack.size() == 12));
    CHECK(stack.frame_names[11] == "stack_000011.png");
    CHECK(stack.frames.data()[11 * 20] == 11000.0F / 65535);
    CHECK(stack.seconds[11] == 11);
    CHECK_THAT(message_of<DataError>([&] { read_frames(scratch / "none"); }), Contains("none"));
}

TEST_CASE("a TIFF's pages are a sequence's frames and masks") {
    const Scratch scratch;
    auto pages = make_array<std::uint8_t>(3, 2, 2), masks = full_array<std::uint8_t>(0, 3, 2, 2);
    for (Index i = 0; i < 12; ++i) pages.data()[i] = static_cast<std::uint8_t>(i);
    masks.data()[4] = 255;
    fs::create_directories(scratch / "s");
    write_tiff(scratch / "s" / "film.tif", pages);
    write_tiff(scratch / "s" / "core.tif", masks);
    scratch.put("dataset.json", R"({"frames": "film.tif", "tasks": {"A2": "core.tif"},
                                    "sequences": {"s": {"split": "train"}}})");
    const auto film = read_dataset(scratch.folder());
    CHECK(film.train()[0].frames.data()[11] == 11.0F / 255);
    CHECK(film.train()[0].masks.at("A2").data()[4] == 1);
    const auto put = [&](const std::string& shared, const std::string& own) {
        scratch.put("dataset.json", R"({"frames": "film.tif", "tasks": {"A2": "core.tif"}, "time": )" + shared +
                                        R"(, "sequences": {"s": {"split": "train")" + own + "}}}");
    };
    // Files are counted from 1 here, and pages from 0: no page is lost unless that is said of the pages themselves.
    put(R"({"first_frame_number": 1})", "");
    CHECK_THAT(failure(scratch.folder()),
               Contains("film.tif: pages are numbered from 0") && Contains("leave out the first 1;") &&
                   Contains("sequence \"s\" a \"time\" of its own"));
    put(R"({"first_frame_number": 1})", R"(, "time": {"frames_per_second": 2})");
    CHECK(read_dataset(scratch.folder()).train()[0].seconds == std::vector<double>{0, 0.5, 1});
    put(R"({"frames_per_second": 2})", "");
    CHECK(read_dataset(scratch.folder()).train()[0].seconds == std::vector<double>{0, 0.5, 1});
    put(R"({"first_frame_number": 1})", R"(, "seconds": [0, 3, 4])");
    CHECK(read_dataset(scratch.folder()).train()[0].size() == 3);
    put("{}", R"(, "time": {"first_frame_number": 1})");
    const auto later = read_dataset(scratch.folder());
    CHECK(later.train()[0].masks.at("A2").data()[0] == 1);
    CHECK_THAT(later.warnings().at(0).message, Contains("1 frames numbered before 1 are left out"));
    write_tiff(scratch / "s" / "core.tif", full_array<std::uint8_t>(0, 2, 2, 2));
    CHECK_THAT(failure(scratch.folder()), Contains("core.tif: 2 pages of masks, expected 3"));
}

TEST_CASE("a stack among single frames is refused, with what to do") {
    const Scratch scratch;
    put_film(scratch);
    write_tiff(scratch / "a/frames/f1_11.tif", full_array<std::uint8_t>(0, 2, 4, 5));
    scratch.put("dataset.json", R"({"frames": "frames/*", "sequences": {"a": {"split": "train"}}})");
    CHECK_THAT(failure<IoError>(scratch.folder()), Contains("f1_11.tif: expected a picture of one page, found 2") &&
                                                       Contains("\"frames\"") && Contains("--frames"));
}

TEST_CASE("films that leave most of 16 bits empty are named in one warning, until it is said what is white in them") {
    const Scratch scratch;
    const auto put = [&](const char* name, std::uint16_t brightest) {
        auto pages = full_array<std::uint16_t>(300, 2, 3, 4);
        pages.data()[20] = brightest;
        fs::create_directories(scratch / name);
        write_tiff(scratch / name / "film.tif", pages);
    };
    put("a", 900), put("b", 3360), put("c", 16384), put("d", 65535);
    fs::create_directories(scratch / "e");
    write_tiff(scratch / "e/film.tif", full_array<std::uint8_t>(9, 2, 3, 4));  // 8 bits may be as dark as they like
    const auto read = [&](const std::string& keys, const std::string& of_b) {
        std::string sequences;
        for (const std::string name : {"a", "b", "c", "d", "e"})
            sequences +=
                (name == "a" ? "\"" : ", \"") + name + R"(": {"split": "train")" + (name == "b" ? of_b : "") + "}";
        scratch.put("dataset.json", R"({"frames": "film.tif", )" + keys + R"("sequences": {)" + sequences + "}}");
        return read_dataset(scratch.folder());
    };
    const auto guessed = read("", "");
    REQUIRE(guessed.warnings().size() == 1);
    CHECK_THAT(guessed.warnings()[0].message,
               Contains("900 (\"a\"), 3360 (\"b\");") && Contains("\"white\": 4095 in dataset.json, or --white 4095"));
    CHECK(guessed.train()[1].frames.data()[20] == 3360.0F / 65535);
    const auto said = read(R"("white": 1023, )", R"(, "white": 4095)");
    CHECK(said.warnings().empty());
    CHECK(said.train()[0].frames.data()[20] == 900.0F / 1023);
    CHECK(said.train()[1].frames.data()[20] == 3360.0F / 4095);
    CHECK(said.train()[2].frames.data()[20] == 1);
    CHECK(said.train()[4].frames.data()[20] == 9.0F / 255);
    fs::remove(scratch / "dataset.json");
    CHECK(read_dataset(scratch.folder(), {.white = 4095}).test()[1].frames.data()[20] == 3360.0F / 4095);

    const auto film = scratch / "b/film.tif";
    const auto alone = read_frames(film);
    REQUIRE(alone.warnings.size() == 1);
    CHECK_THAT(alone.warnings[0].message, Contains("b/film.tif: ") && Contains("3360") && Contains("--white 4095"));
    CHECK((read_frames(film, std::nullopt, 4095).frames == said.train()[1].frames));
    CHECK(read_frames(film, std::nullopt, 4095).warnings.empty());
    CHECK(read_frames(film, std::nullopt, 65535).warnings.empty());
    CHECK(read_frames(scratch / "c/film.tif").warnings.empty());
}

TEST_CASE("where times come from is kept") {
    const Scratch scratch;
    put_film(scratch);
    const auto source = [&] { return read_dataset(scratch.folder()).train()[0].time_source; };
    CHECK(source() == TimeSource::given);
    scratch.put("dataset.json", R"({"sequences": {"a": {"split": "train", "seconds": [0, 7, 9]}}})");
    CHECK(source() == TimeSource::given);
    scratch.put("dataset.json", R"({"sequences": {"a": {"split": "train"}}})");
    CHECK(source() == TimeSource::file_numbers);
    CHECK(read_frames(scratch / "a").time_source == TimeSource::file_numbers);
    for (const std::string name : {"f1_8", "f1_9", "f1_10"})
        fs::rename(scratch / "a/frames" / (name + ".png"), scratch / "a/frames" / (name + "_7.png"));
    CHECK(source() == TimeSource::frame_index);
    CHECK(read_frames(scratch / "a").time_source == TimeSource::frame_index);
    Sequence untimed;
    untimed.name = "s";
    untimed.frame_names = {"1.png", "2.png"};
    untimed.frames = full_array<float>(0, 2, 3, 4, 1);
    CHECK(Dataset({}, {untimed}).sequences()[0].time_source == TimeSource::frame_index);
}

TEST_CASE("a dataset that was written reads back the same") {
    const Scratch scratch;
    Sequence sequence;
    sequence.name = "s";
    sequence.split = Split::validation;
    sequence.frame_names = {"a_2.png", "a_10.tif"};
    sequence.frames = full_array<float>(7.0F / 255, 2, 3, 4, 1);
    sequence.seconds = {0.1, 2.0 / 3};
    sequence.series["length"] = {1.5, 1.25};
    sequence.metadata = R"({"who":"we"})";
    sequence.masks["A1"] = full_array<std::uint8_t>(0, 2, 3, 4);
    sequence.masks["A1"].data()[5] = 1;
    Sequence unlabelled = sequence;
    unlabelled.name = "t";
    unlabelled.split = Split::test;
    unlabelled.masks.clear();
    const Dataset film(
        {.name = "x", .tasks = {"A1"}, .pixel_size_nm = 0.3, .feature_value = 0, .background_value = 200},
        {sequence, unlabelled});
    write_dataset(scratch / "out", film);
    const auto again = read_dataset(scratch / "out");
    CHECK((again.name() == "x" && again.pixel_size_nm() == 0.3 && again.tasks() == film.tasks()));
    CHECK((polarity_of(again) == MaskPolarity{0, 200}));
    const auto& s = again.validation()[0];
    CHECK((s.frames == sequence.frames));
    CHECK((s.masks == sequence.masks));
    CHECK((s.seconds == sequence.seconds && s.series == sequence.series && s.metadata == sequence.metadata));
    CHECK(s.frame_names == std::vector<std::string>{"a_2.png", "a_10.png"});
    CHECK(again.test()[0].masks.empty());

    CHECK_THAT(message_of<IoError>([&] { write_dataset(scratch / "out", film); }), Contains("not an empty folder"));
    std::swap(sequence.frame_names[0], sequence.frame_names[1]);
    CHECK_THAT(message_of<DataError>([&] { write_dataset(scratch / "new", Dataset({}, {sequence})); }),
               Contains("\"a_2.png\" does not come after \"a_10.png\""));
    for (const std::string name : {"../s", "dataset.json"}) {
        sequence.name = name;
        CHECK_THAT(message_of<DataError>([&] { write_dataset(scratch / "new", Dataset({}, {sequence})); }),
                   Contains("\"" + name + "\" cannot be a folder's name"));
    }
    CHECK(scratch.count() == 1);  // nothing half-written beside "out"
}

TEST_CASE("predictions are matched with the truth") {
    const Scratch scratch, predicted;
    put_film(scratch);
    const auto film = read_dataset(scratch.folder());
    for (int i : {8, 9, 10}) put_mask(predicted / "a" / "A1" / ("f1_" + std::to_string(i) + ".png"), 3);
    const auto read = [&] { return read_predictions(predicted.folder(), film); };

    const auto predictions = read();
    CHECK(predictions.tasks == std::vector<std::string>{"A1"});
    CHECK(predictions.left_out == std::vector<std::string>{"b"});
    CHECK(std::count(predictions.masks.at("a").at("A1").begin(), predictions.masks.at("a").at("A1").end(), 1) == 9);

    SECTION("a mask is missing, extra or of another size") {
        put_mask(predicted / "a" / "A1" / "f1_9.png", 1, {0, 255}, 2, 2);
        CHECK_THAT(message_of<DataError>(read), Contains("f1_9.png: the mask is 2 × 2"));
        fs::remove(predicted / "a" / "A1" / "f1_9.png");
        CHECK_THAT(message_of<DataError>(read), Contains("no mask of frame f1_9.png"));
        put_mask(predicted / "a" / "A1" / "f1_9.png", 1);
        put_mask(predicted / "a" / "A1" / "f1_12.png", 1);
        CHECK_THAT(message_of<DataError>(read), Contains("f1_12.png: a mask of no frame"));
    }
    SECTION("a task that only some sequences have") {
        put_mask(predicted / "b" / "A2" / "f1_9.png", 1);
        CHECK_THAT(message_of<DataError>(read), Contains("sequence \"b\" has no task \"A1\""));
    }
    SECTION("a task that the truth lacks") {
        put_mask(predicted / "a" / "A9" / "f1_9.png", 1);
        CHECK_THAT(message_of<DataError>(read), Contains("no true masks of task \"A9\""));
    }
    SECTION("of a sequence that has no true masks") {
        scratch.put("dataset.json", R"({"tasks": {"A1": "masks/A1/*.png"}, "mask": {"feature": 0, "background": 255},
                                        "sequences": {"a": {"split": "train", "tasks": {}}, "b": {"split": "test"}}})");
        const auto unlabelled = read_predictions(predicted.folder(), read_dataset(scratch.folder()));
        CHECK((unlabelled.masks.at("a").at("A1") == predictions.masks.at("a").at("A1")));
    }
    SECTION("another polarity") {
        CHECK(read_predictions(predicted.folder(), film, MaskPolarity{255, 0}).masks.at("a").at("A1").data()[0] == 0);
    }
    SECTION("one sequence's alone") {
        const auto& sequence = film.sequences()[0];
        CHECK((read_masks(predicted / "a", sequence, {0, 255}) == predictions.masks.at("a")));
        fs::rename(predicted / "a" / "A1", predicted / "A1");
        CHECK_THAT(message_of<DataError>([&] { read_masks(predicted / "a", sequence, {0, 255}); }),
                   Contains("no task's folder"));
    }
    SECTION("no common sequence") {
        fs::rename(predicted / "a", predicted / "z");
        CHECK_THAT(message_of<DataError>(read), Contains("none of the dataset's 2 sequences"));
    }
}
