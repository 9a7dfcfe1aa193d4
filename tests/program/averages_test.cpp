#include "program/program.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/png.hpp>

#include <algorithm>

// Averages of weights and of views, and one task inside another.
using namespace mtdn;
using namespace mtdn::testing;

namespace {

// The model of `film()` was trained for a moment and finds nothing; this one finds something.
std::string model() {
    static const Scratch scratch;
    static const std::string made = [] {
        const auto out = (scratch / "run").string();
        REQUIRE(mtdn_run(scratch, "train --data " + film().data + " --out " + out + " " + Film::recipe() +
                                      " --epochs 8 --lr 1e-2").status == 0);
        return out + "/best.safetensors";
    }();
    return made;
}

std::string of_film() { return " --model " + model() + " --data " + film().data; }

// Whether any pixel of a task's pictures is not black.
bool any_light(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const auto picture = read_png(entry.path());
        if (std::any_of(picture.values.begin(), picture.values.end(), [](auto value) { return value > 0; }))
            return true;
    }
    return false;
}

}  // namespace

TEST_CASE("flips are averaged by every fusion, segment and evaluate alike, and cost as many passes") {
    const Scratch scratch;
    const auto out = (scratch / "masks").string();
    for (const std::string fusion : {"backward", "ensemble"}) {
        const auto run =
            mtdn_run(scratch, "segment --json --flips 4 --split test --fusion " + fusion + of_film() + " --out " + out);
        REQUIRE(run.status == 0);
        CHECK(run.err.find("did not fit") == std::string::npos);
        const auto segmented = parse_json(run.out, "segment");
        REQUIRE(segmented.size() == 1);
        for (const auto& [name, sequence] : segmented.items()) CHECK(sequence["backbone_passes"] == 12);
        const auto score = mtdn_run(scratch, "score --json --truth " + film().data + " --prediction " + out);
        const auto evaluated = mtdn_run(scratch, "evaluate --json --flips 4 --fusion " + fusion + of_film());
        REQUIRE(evaluated.status == 0);
        const auto flipped = parse_json(evaluated.out, "evaluate")[fusion];
        CHECK(flipped == parse_json(score.out, "score"));
        const auto plain = mtdn_run(scratch, "evaluate --json --fusion " + fusion + of_film());
        CHECK(flipped != parse_json(plain.out, "evaluate")[fusion]);
    }
    CHECK(mtdn_run(scratch, "evaluate --flips 3" + of_film()).status == 2);
    CHECK(mtdn_run(scratch, "evaluate --soft --fusion backward" + of_film()).err.find("options of ensemble") !=
          std::string::npos);
}

TEST_CASE("uncertainty is shown where there is some, and a single vote is warned of") {
    const Scratch scratch;
    const auto out = scratch / "masks";
    const auto sequence = read_dataset(film().data).test()[0].name;
    const auto run = [&](const std::string& options) {
        const auto done =
            mtdn_run(scratch, "segment --uncertainty --split test" + options + of_film() + " --out " + out.string());
        REQUIRE(done.status == 0);
        return done.err.find("sure everywhere") != std::string::npos;
    };
    CHECK(run(""));
    CHECK_FALSE(any_light(out / "uncertainty" / sequence / "A1"));
    CHECK_FALSE(run(" --flips 4"));
    CHECK(any_light(out / "uncertainty" / sequence / "A1"));
    CHECK_FALSE(run(" --fusion ensemble"));
}

TEST_CASE("one task is cut to another's masks, and its areas with it") {
    const Scratch scratch;
    const auto film_of = read_dataset(film().data);
    const auto& sequence = film_of.test()[0];
    const auto segment = [&](const std::string& name, const std::string& options) {
        const auto out = scratch / name;
        REQUIRE(
            mtdn_run(scratch, "segment --split test --fusion ensemble" + options + of_film() + " --out " + out.string())
                .status == 0);
        return out / sequence.name;
    };
    const auto all = segment("all", ""), within = segment("within", " --inside A2:A1");
    const auto other = segment("other", " --inside A1:A2");
    Index cut = 0;
    const auto check = [&](const std::filesystem::path& cut_folder, const std::string& inner,
                           const std::string& outer) {
        for (const auto& name : sequence.frame_names) {
            const auto inside = read_png(cut_folder / inner / name), whole = read_png(all / inner / name),
                       limit = read_png(all / outer / name);
            CHECK(text_of(cut_folder / outer / name) == text_of(all / outer / name));
            const auto feature = [&](const auto& picture, std::size_t i) {
                return int{picture.values[i]} == int{polarity_of(film_of).feature};
            };
            for (std::size_t i = 0; i < inside.values.size(); ++i) {
                CHECK(feature(inside, i) == (feature(whole, i) && feature(limit, i)));
                cut += feature(inside, i) != feature(whole, i);
            }
        }
        const auto areas = read_csv(cut_folder / "areas.csv"), before = read_csv(all / "areas.csv");
        CHECK(areas.numbers(inner) == before.numbers("A1&A2"));
        CHECK(areas.numbers(outer) == before.numbers(outer));
    };
    check(within, "A2", "A1");
    check(other, "A1", "A2");
    CHECK(cut > 0);

    const auto score =
        mtdn_run(scratch, "score --json --truth " + film().data + " --prediction " + (scratch / "within").string());
    const auto evaluated = mtdn_run(scratch, "evaluate --json --fusion ensemble --inside A2:A1" + of_film());
    CHECK(parse_json(evaluated.out, "evaluate")["ensemble"] == parse_json(score.out, "score"));
    const auto wrong = mtdn_run(scratch, "evaluate --inside A2:A9" + of_film());
    CHECK(wrong.status == 2);
    CHECK(wrong.err.find("no task \"A9\"") != std::string::npos);
    CHECK(mtdn_run(scratch, "evaluate --inside A2" + of_film()).status == 2);
    CHECK(mtdn_run(scratch, "evaluate --inside A2:A2" + of_film()).status == 2);
    const std::string frames = " --model " + model() + " --frames " + film().data + "/" + sequence.name +
                               "/frames --out " + (scratch / "x").string();
    for (const std::string option : {" --flips 4", " --inside A2:A1"})
        CHECK(mtdn_run(scratch, "segment --tile 32" + option + frames).err.find("neither --flips nor --inside") !=
              std::string::npos);
}

TEST_CASE(
    "a run keeps its averaged weights as the best, and is taken up to the same bits; a loss may be a weighted sum") {
    const Scratch scratch;
    const std::string recipe =
        " --data " + film().data + " " + Film::recipe() + " --ema 0.9 --loss focal+dice:0.5 --epochs 2 --out ";
    const auto whole = scratch / "whole", halves = scratch / "halves";
    REQUIRE(mtdn_run(scratch, "train" + recipe + whole.string()).status == 0);
    CHECK(text_of(whole / "best.safetensors") != text_of(whole / "last.safetensors"));
    CHECK(text_of(whole / "best.safetensors") != text_of(film().model));
    const auto json = parse_json_file(whole / "run.json")["options"];
    CHECK(json["ema"] == 0.9);
    CHECK(json["loss"] == "focal+dice:0.5");
    // Stopped at the end of its first batch, and taken up with the options of then.
    REQUIRE(mtdn_run(scratch, "train --minutes 1e-9" + recipe + halves.string()).status == 0);
    REQUIRE(mtdn_run(scratch, "train --resume --minutes 0 --out " + halves.string()).status == 0);
    for (const char* name : {"best.safetensors", "last.safetensors"})
        CHECK(text_of(whole / name) == text_of(halves / name));
    for (const std::string wrong : {" --ema 1", " --ema -0.1", " --loss focal+dice:x", " --loss hinge"})
        CHECK(mtdn_run(scratch, "train --data " + film().data + wrong + " --out " + (scratch / "x").string()).status ==
              2);
    CHECK_FALSE(std::filesystem::exists(scratch / "x" / "run.json"));
}
