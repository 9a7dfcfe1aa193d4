#include "program/program.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/io/npy.hpp>
#include <mtdn/io/png.hpp>

#include <algorithm>
#include <cmath>

using namespace mtdn;
using namespace mtdn::testing;

namespace {

// Logits of A1 of a film's first and last frame, (height, width, 4).
Array<float, 3> logits(const Scratch& scratch, const std::string& model, const std::string& options = "") {
    const auto sequence = read_dataset(film().data).test()[0];
    const auto frames = film().data + "/" + sequence.name + "/frames/";
    const auto out = (scratch / "logits").string();
    const auto run = mtdn_run(scratch, "change " + options + " --model " + model + " " + frames +
                                           sequence.frame_names.front() + " " + frames + sequence.frame_names.back() +
                                           " --out " + out);
    INFO(run.err);
    REQUIRE(run.status == 0);
    return read_npy<float, 3>(out + "/A1.npy");
}

// Largest difference, in shares of the largest of b.
double distance(const Array<float, 3>& a, const Array<float, 3>& b) {
    double largest = 0, off = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
        largest = std::max<double>(largest, std::abs(b.data()[i]));
        off = std::max<double>(off, std::abs(a.data()[i] - b.data()[i]));
    }
    return off / largest;
}

}  // namespace

TEST_CASE("every command says what it does, with an example, and a wrong call is status 2") {
    const Scratch scratch;
    CHECK(mtdn_run(scratch, "--help").status == 0);
    CHECK(mtdn_run(scratch, "--version").out == "0.1.0\n");
    for (const std::string command : {"synthesize", "info", "train", "convert", "cut", "segment", "change", "evaluate",
                                      "score", "kinetics", "reproduce", "tune", "plot", "overlay"}) {
        const auto help = mtdn_run(scratch, command + " --help");
        CHECK(help.status == 0);
        CHECK(help.out.find("Example: mtdn " + command) != std::string::npos);
        CHECK(mtdn_run(scratch, command + " --no-such-option").status == 2);
    }
    CHECK(mtdn_run(scratch, "").status == 2);
    CHECK(mtdn_run(scratch, "train --data x --out y --batch-norm sideways").status == 2);
}

TEST_CASE("info counts sequences, frames and pairs") {
    const auto info = mtdn_run(film().scratch, "info --json --data " + film().data);
    REQUIRE(info.status == 0);
    const auto json = parse_json(info.out, "info");
    const auto& train = json["splits"]["train"];
    CHECK(train["sequences"] == 1);
    CHECK(train["frames"] == 3);
    CHECK(train["pairs"] == Json{{"unordered", 3}, {"unordered_self", 6}, {"ordered", 6}, {"ordered_self", 9}});
}

TEST_CASE("training leaves weights, a checkpoint, curves and its recipe") {
    const std::filesystem::path run = film().run;
    for (const char* name : {"best.safetensors", "last.safetensors", "checkpoint.safetensors", "run.json"})
        CHECK(std::filesystem::file_size(run / name) > 0);
    const auto curve = text_of(run / "curve.csv");
    CHECK(std::count(curve.begin(), curve.end(), '\n') == 3);  // a heading and two epochs
    const auto lines = text_of(run / "curve.jsonl");
    CHECK(parse_json(lines.substr(0, lines.find('\n')), "curve")["epoch"] == 0);
}

TEST_CASE("segment writes masks that score as evaluate says") {
    const Scratch scratch;
    const auto out = (scratch / "masks").string();
    for (const std::string fusion : {"backward", "ensemble"}) {
        REQUIRE(mtdn_run(scratch, "segment --overlays --uncertainty --split test --model " + film().model + " --data " +
                                      film().data + " --fusion " + fusion + " --out " + out).status == 0);
        const auto score = mtdn_run(scratch, "score --json --truth " + film().data + " --prediction " + out);
        REQUIRE(score.status == 0);
        CHECK(score.err.find("left out") != std::string::npos);
        const auto evaluated = mtdn_run(scratch, "evaluate --json --model " + film().model + " --data " + film().data +
                                                     " --fusion " + fusion);
        REQUIRE(evaluated.status == 0);
        CHECK(parse_json(evaluated.out, "evaluate")[fusion] == parse_json(score.out, "score"));
    }
    CHECK(std::filesystem::exists(out + "/overlays"));
    CHECK(std::filesystem::exists(out + "/uncertainty"));
}

TEST_CASE("segment works on bare frames, feature 255, under the frames' names") {
    const Scratch scratch;
    const auto data = read_dataset(film().data);
    const auto& sequence = data.test()[0];
    const auto out = (scratch / "masks").string();
    REQUIRE(mtdn_run(scratch, "segment --model " + film().model + " --frames " + film().data + "/" + sequence.name +
                                  "/frames --out " + out).status == 0);
    for (const auto& name : sequence.frame_names) {
        const auto mask = read_png(std::filesystem::path(out) / sequence.name / "A1" / name);
        for (const auto value : mask.values) CHECK((value == 0 || value == 255));
    }
}

TEST_CASE("frames of 12 bits in files of 16 are segmented like those of 8 once it is said what is white") {
    const Scratch scratch;
    const auto frames = read_dataset(film().data).test()[0];
    std::filesystem::create_directories(scratch / "wide"), std::filesystem::create_directories(scratch / "grey");
    for (Index i = 0; i < frames.size(); ++i) {
        // 3315 = 13 · 255: counts that are exactly the same shares as the 8 bits'.
        auto counts = make_array<std::uint16_t>(frames.height(), frames.width());
        for (std::size_t k = 0; k < counts.size(); ++k)
            counts.data()[k] = static_cast<std::uint16_t>(std::lround(3315 * frame_data(frames.frames, i)[k]));
        write_png(scratch / "wide" / frames.frame_names[static_cast<std::size_t>(i)], counts);
    }
    std::filesystem::copy(film().data + "/" + frames.name + "/frames", scratch / "grey");
    const auto command = "segment --json --name s --model " + film().model + " --out ";
    const auto segment = [&](const std::string& arguments, const std::string& out) {
        const auto run = mtdn_run(
            scratch, command + (scratch / out).string() + " --frames " + scratch.folder().string() + "/" + arguments);
        INFO(run.err);
        REQUIRE(run.status == 0);
        return run;
    };
    const auto grey = segment("grey", "a"), white = segment("wide --white 3315", "b");
    CHECK(parse_json(white.out, "white") == parse_json(grey.out, "grey"));
    CHECK(white.err.find("warning") == std::string::npos);
    const std::string tiles = " --tile 36 --fusion consecutive", live = "segment --idle 0.1 --watch ";
    CHECK(segment("wide --white 3315" + tiles, "c").err.find("warning") == std::string::npos);
    for (const auto& dark : {segment("wide", "d"), segment("wide" + tiles, "e"),
                             mtdn_run(scratch, live + (scratch / "wide").string() + " --model " + film().model +
                                                   " --out " + (scratch / "f").string())}) {
        CHECK(dark.err.find("nearly black") != std::string::npos);
        CHECK(dark.err.find("--white 4095") != std::string::npos);
        CHECK(dark.err.find("warning") == dark.err.rfind("warning"));
    }
    const std::string with_data = "segment --white 4095 --out x --data " + film().data + " --model ";
    CHECK(mtdn_run(scratch, with_data + film().model).status == 2);
}

TEST_CASE("films written to one folder have names of their own, and none is overwritten by another") {
    const Scratch scratch;
    const auto data = read_dataset(film().data);
    const auto out = (scratch / "masks").string();
    const auto segment = [&](const std::string& what) {
        return mtdn_run(scratch, "segment --model " + film().model + " --out " + out + " " + what);
    };
    const auto frames = [&](Index i) {
        return film().data + "/" + data.sequences()[static_cast<std::size_t>(i)].name + "/frames";
    };
    REQUIRE(segment("--frames " + frames(0)).status == 0);
    REQUIRE(segment("--frames " + frames(1)).status == 0);
    for (const auto* name : {&data.sequences()[0].name, &data.sequences()[1].name})
        CHECK(std::filesystem::is_directory(out + "/" + *name + "/A1"));
    CHECK(segment("--data " + film().data).status == 0);  // the same films
    // A film of the same name elsewhere.
    const auto elsewhere = (scratch / data.sequences()[0].name).string();
    std::filesystem::copy(frames(0), elsewhere);
    const auto mask = out + "/" + data.sequences()[0].name + "/A1/" + data.sequences()[0].frame_names[0];
    const auto before = std::filesystem::last_write_time(mask);
    for (const std::string how : {"", " --tile 36", " --idle 0.1 --watch"}) {
        const auto refused = segment((how.ends_with("watch") ? how + " " : "--frames ") + elsewhere +
                                     (how.ends_with("watch") ? "" : how));
        CHECK(refused.status == 2);
        CHECK(refused.err.find("holds masks of " + std::filesystem::weakly_canonical(film().data).string()) !=
              std::string::npos);
    }
    CHECK(std::filesystem::last_write_time(mask) == before);
    CHECK(segment("--name other --frames " + elsewhere).status == 0);
    CHECK(std::filesystem::is_directory(out + "/other/A1"));
    CHECK(segment("--name a/b --frames " + elsewhere).status == 2);
    CHECK(segment("--name other --data " + film().data).status == 2);
    std::filesystem::remove(out + "/other/film.txt");
    CHECK(segment("--name other --frames " + elsewhere).err.find("no film.txt names") != std::string::npos);
}

TEST_CASE("segment follows a folder into which frames are being written, with the same masks as afterwards") {
    const Scratch scratch;
    const auto data = read_dataset(film().data);
    const auto& sequence = data.test()[0];
    const auto from = film().data + "/" + sequence.name + "/frames/", to = (scratch / "new").string();
    for (const std::string fusion : {"forward", "consecutive"}) {
        const auto live = (scratch / ("live_" + fusion)).string(), whole = (scratch / ("whole_" + fusion)).string();
        std::filesystem::create_directories(to);
        // A microscope: the second frame comes in two pieces, the second of them after a pause.
        const auto copy = "sh -c 'cd " + to + "; cp " + from + sequence.frame_names[0] + " .; sleep 0.3; head -c 99 " +
                          from + sequence.frame_names[1] + " > " + sequence.frame_names[1] + "; sleep 0.3; cp " + from +
                          sequence.frame_names[1] + " .; sleep 0.3; cp " + from + sequence.frame_names[2] + " .' & ";
        const auto run = mtdn_run(scratch, "segment --json --idle 1.5 --model " + film().model + " --fusion " + fusion +
                                               " --watch " + to + " --out " + live, copy);
        INFO(run.err);
        REQUIRE(run.status == 0);
        const auto json = parse_json(run.out, "watch");
        CHECK(json["frames"] == 3);
        CHECK(json["latency_ms"]["median"].get<double>() > 0);
        REQUIRE(mtdn_run(scratch, "segment --model " + film().model + " --fusion " + fusion + " --frames " + to +
                                      " --out " + whole)
                    .status == 0);
        for (const auto& task : data.tasks())
            for (const auto& name : sequence.frame_names)
                CHECK(text_of(live + "/new/" + task + "/" + name) == text_of(whole + "/new/" + task + "/" + name));
        std::filesystem::remove_all(to);
    }
    const auto backward =
        mtdn_run(scratch, "segment --fusion backward --model " + film().model + " --watch " + film().data + " --out x");
    CHECK(backward.status != 0);
    CHECK(backward.err.find("expected forward or consecutive") != std::string::npos);
}

TEST_CASE("a frame that never becomes whole is left out with a warning, and those behind it are segmented") {
    const Scratch scratch;
    const auto sequence = read_dataset(film().data).test()[0];
    const auto from = film().data + "/" + sequence.name + "/frames/";
    const auto& names = sequence.frame_names;
    std::filesystem::copy(from, scratch / "new");
    std::filesystem::resize_file(scratch / ("new/" + names[0]), 0);
    std::filesystem::resize_file(scratch / ("new/" + names[1]), 99);
    const auto run = mtdn_run(scratch, "segment --json --idle 0.3 --model " + film().model + " --watch " +
                                           (scratch / "new").string() + " --out " + (scratch / "masks").string());
    INFO(run.err);
    REQUIRE(run.status == 0);
    const auto json = parse_json(run.out, "watch");
    CHECK(json["frames"] == 1);
    CHECK(json["left_out"] == Json{names[0], names[1]});
    CHECK(run.err.find(names[0] + ": left out, as it could not be read for 0.3 s: it is empty") != std::string::npos);
    CHECK(run.err.find(names[1] + ": left out") != std::string::npos);
    CHECK(std::filesystem::exists(scratch / ("masks/new/A1/" + names[2])));
}

TEST_CASE("change writes a map and the logits of every task") {
    const Scratch scratch;
    const auto data = read_dataset(film().data);
    const auto& sequence = data.test()[0];
    const auto frames = film().data + "/" + sequence.name + "/frames/";
    const auto out = (scratch / "change").string();
    const auto run = mtdn_run(scratch, "change --json --model " + film().model + " " + frames +
                                           sequence.frame_names.front() + " " + frames + sequence.frame_names.back() +
                                           " --out " + out);
    REQUIRE(run.status == 0);
    const auto counts = parse_json(run.out, "change");
    for (const std::string task : {"A1", "A2"}) {
        const auto logits = read_npy<float, 3>(out + "/" + task + ".npy");
        CHECK(extent(logits, 0) == 35);
        CHECK(extent(logits, 1) == 35);
        CHECK(extent(logits, 2) == 4);
        Index overlapping = 0;
        for (std::size_t i = 0; i < logits.size(); i += 4)
            overlapping += std::max_element(logits.data() + i, logits.data() + i + 4) - (logits.data() + i) == 3;
        CHECK(counts[task]["overlapping"] == overlapping);
        CHECK(read_png(out + "/" + task + ".png").channels == 3);
    }
}

TEST_CASE("a GPU that is asked for is used or missed in words, and auto goes on without") {
    const Scratch scratch;
    const std::string command = "segment --split test --model " + film().model + " --data " + film().data +
                                " --out " + (scratch / "masks").string() + " --device ";
    const auto with = mtdn_run(scratch, command + "cuda");
    const bool missing = with.err.find("no CUDA device") != std::string::npos ||
                         with.err.find("cmake --preset cuda") != std::string::npos;
    CHECK(with.status == (missing ? 1 : 0));
    const auto either = mtdn_run(scratch, command + "auto");
    CHECK(either.status == 0);
    CHECK((either.err.find("running on the CPU") != std::string::npos) == missing);
    CHECK(mtdn_run(scratch, command + "gpu").status == 2);
}

TEST_CASE("evaluate shows all fusions, thresholds and pictures") {
    const Scratch scratch;
    const auto run = mtdn_run(scratch, "evaluate --json --threshold --model " + film().model + " --data " +
                                           film().data + " --pictures " + (scratch / "pictures").string());
    REQUIRE(run.status == 0);
    const auto json = parse_json(run.out, "evaluate");
    for (const std::string name : {"backward", "forward", "consecutive", "ensemble", "threshold"})
        CHECK(json[name]["overall"]["macro_f1"].is_number());
    CHECK(!std::filesystem::is_empty(scratch / "pictures"));
}

TEST_CASE("another backbone, feature fusion and loss train and load by the same commands") {
    const Scratch scratch;
    const auto out = (scratch / "run").string();
    const auto run = mtdn_run(scratch, "train --data " + film().data + " --out " + out + " " + Film::recipe() +
                                           " --epochs 1 --backbone residual --feature-fusion product --loss focal+dice "
                                           "--tasks A2 --batch-norm stacked --pairs unordered --lr 0.001");
    INFO(run.err);
    REQUIRE(run.status == 0);
    const auto evaluated = mtdn_run(scratch, "evaluate --json --fusion forward --model " + out +
                                                 "/best.safetensors --data " + film().data);
    REQUIRE(evaluated.status == 0);
    const auto json = parse_json(evaluated.out, "evaluate")["forward"];
    CHECK(json.contains("A2"));
    CHECK(!json.contains("A1"));
}

TEST_CASE("in bfloat16 logits are nearly those of single precision, and a run keeps what it was begun in") {
    const Scratch scratch;
    const auto off = distance(logits(scratch, film().model, "--precision bf16"), logits(scratch, film().model));
    CHECK(off > 1e-5);
    CHECK(off < 0.1);

    const auto train = [&](const std::string& precision) {
        const auto out = (scratch / precision).string();
        const auto run = mtdn_run(scratch, "train --data " + film().data + " --out " + out + " " + Film::recipe() +
                                               " --epochs 1 --precision " + precision);
        INFO(run.err);
        REQUIRE(run.status == 0);
        // What `--resume` takes up.
        CHECK(parse_json(text_of(out + "/run.json"), "run.json")["options"]["precision"] == precision);
        return text_of(out + "/last.safetensors");
    };
    CHECK((train("bf16") != train("single")));
    for (const std::string command : {"train --out a", "evaluate --model a --data b", "segment --model a --out b"})
        CHECK(mtdn_run(scratch, command + " --precision half").err.find("--precision") != std::string::npos);
}

TEST_CASE("convert writes weights in half the bytes, and for grey frames, that do the same") {
    const Scratch scratch;
    const auto run = (scratch / "run").string(), model = run + "/best.safetensors";
    REQUIRE(mtdn_run(scratch, "train --width 8 --depth 2 --channels 3 --size 0 --batch 4 --seed 5 --epochs 1 --data " +
                                  film().data + " --out " + run).status == 0);
    const auto original = logits(scratch, model);
    const auto converted = [&](const std::string& options, const std::string& says) {
        const auto out = (scratch / "converted.safetensors").string();
        const auto done = mtdn_run(scratch, "convert --json --model " + model + " --out " + out + options);
        INFO(done.err);
        REQUIRE(done.status == 0);
        CHECK(done.err.find(says) != std::string::npos);
        const auto json = parse_json(done.out, "convert");
        CHECK(json["bytes"] == std::filesystem::file_size(out));
        return std::pair{distance(logits(scratch, out), original), std::filesystem::file_size(out)};
    };
    const auto whole = std::filesystem::file_size(model);
    const auto [same, size] = converted("", "");
    CHECK(same == 0);
    CHECK(size == whole);
    const auto [half, half_size] = converted(" --half", "");
    CHECK(half > 0);
    CHECK(half < 1e-2);
    CHECK(half_size < 0.7 * static_cast<double>(whole));
    const auto [grey, grey_size] = converted(" --grey", "folded");
    CHECK(grey < 1e-5);
    CHECK(grey_size < whole);
    CHECK(mtdn_run(scratch, "convert --model " + film().data + "/dataset.json --out x").status == 1);
}

TEST_CASE("a model begins from another's backbone") {
    const Scratch scratch;
    const auto run = mtdn_run(scratch, "train --data " + film().data + " --out " + (scratch / "run").string() + " " +
                                           Film::recipe() + " --epochs 1 --clique 2 --init " + film().model);
    INFO(run.err);
    CHECK(run.status == 0);
    const auto wrong = mtdn_run(scratch, "train --data " + film().data + " --out " + (scratch / "wrong").string() +
                                             " --width 4 --depth 2 --channels 1 --size 0 --init " + film().model);
    CHECK(wrong.status == 1);
    CHECK(wrong.err.find(film().model) != std::string::npos);
    CHECK(!std::filesystem::exists(scratch / "wrong"));
}

TEST_CASE("the baseline: a recipe's network on single frames, scored, and a Siamese model that begins from its run") {
    const Scratch scratch;
    const auto baseline = (scratch / "baseline").string();
    const std::string small =
        " --data " + film().data + " --width 8 --depth 2 --channels 1 --size 0 --epochs 2 --seed 5";
    const auto trained = mtdn_run(scratch, "train --recipe unet-a2 --out " + baseline + small);
    INFO(trained.err);
    REQUIRE(trained.status == 0);
    const auto options = parse_json(text_of(baseline + "/run.json"), "run.json")["options"];
    CHECK(options["model"] == "single-frame");
    CHECK(options["tasks"] == Json{"A2"});
    CHECK(options["batch"] == 4);
    CHECK(options["lr"] == 2.6174451e-5);
    CHECK(options["width"] == 8);  // given beside the recipe

    const auto model = baseline + "/best.safetensors";
    const auto evaluated = mtdn_run(scratch, "evaluate --json --model " + model + " --data " + film().data);
    REQUIRE(evaluated.status == 0);
    const auto scores = parse_json(evaluated.out, "evaluate");
    CHECK(scores.size() == 1);
    CHECK(scores["single-frame"]["A2"]["total"].contains("macro_f1"));
    CHECK(!scores["single-frame"].contains("A1"));
    CHECK(mtdn_run(scratch,
                   "segment --model " + model + " --data " + film().data + " --out " + (scratch / "masks").string())
              .status == 0);
    const auto data = read_dataset(film().data);
    const auto& frames = data.test()[0].frame_names;
    const auto folder = film().data + "/" + data.test()[0].name + "/frames/";
    const auto change = mtdn_run(scratch, "change --model " + model + " " + folder + frames[0] + " " + folder +
                                              frames[1] + " --out " + (scratch / "change").string());
    CHECK(change.status != 0);
    CHECK(change.err.find("sees no change") != std::string::npos);

    const auto out = (scratch / "init2").string();
    const auto alone = mtdn_run(scratch, "train --recipe mtdn-init2 --out " + out + small);
    CHECK(alone.status != 0);
    CHECK(alone.err.find("begins from a run of unet-a2") != std::string::npos);
    const auto begun = mtdn_run(scratch, "train --recipe mtdn-init2 --frozen-epochs 1 --tensorboard true --init " +
                                             baseline + " --out " + out + small);
    INFO(begun.err);
    REQUIRE(begun.status == 0);
    CHECK(parse_json(text_of(out + "/run.json"), "run.json")["options"]["frozen-epochs"] == 1);
    const std::filesystem::directory_iterator events(out + "/tensorboard");
    CHECK(text_of(events->path()).find("validation_A2") != std::string::npos);
}
