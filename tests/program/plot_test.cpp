#include "program/program.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/view/palette.hpp>

#include <algorithm>

using namespace mtdn;
using namespace mtdn::testing;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Runs a command that must succeed.
Run done(const Scratch& scratch, const std::string& arguments) {
    const auto run = mtdn_run(scratch, arguments);
    INFO(arguments << '\n' << run.err);
    REQUIRE(run.status == 0);
    return run;
}

/// The folder of masks with one task alone.
std::string only(const std::string& masks, const std::string& task) {
    for (const auto& sequence : fs::directory_iterator(masks))
        for (const auto& folder : fs::directory_iterator(sequence))
            if (folder.is_directory() && folder.path().filename() != task) fs::remove_all(folder);
    return masks;
}

}  // namespace

TEST_CASE("plot draws the curves of runs, a line each") {
    const Scratch scratch;
    fs::copy(film().run, scratch / "it's_a run", fs::copy_options::recursive);
    const auto out = (scratch / "curves.gp").string();
    const auto json = parse_json(
        done(scratch, "plot --json " + film().run + " \"" + (scratch / "it's_a run").string() + "/\" --out " + out).out,
        "plot");
    CHECK(json == Json{{"out", out}, {"panels", 2}, {"lines", 2}});
    const auto script = text_of(out);
    CHECK(has(script, "title \"run\""));
    CHECK(has(script, R"(title "it\047s_a run")"));
    const auto curve = read_csv(fs::path(film().run) / "curve.csv");
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(has(script, '\n' + std::to_string(i + 1) + ' ' + curve.texts("loss")[i] + '\n'));
        CHECK(has(script, '\n' + std::to_string(i + 1) + ' ' + curve.texts("validation")[i] + '\n'));
    }
    // Two runs of one name are told apart by what was given.
    done(scratch, "plot " + film().run + " " + film().run + "/curve.csv " + film().run + " --out " + out);
    CHECK(has(text_of(out), "title \"" + film().run + "\""));
    CHECK(has(text_of(out), "title \"curve\""));
}

TEST_CASE("evaluate and score leave each frame's scores, and plot draws them") {
    const Scratch scratch;
    const auto table = (scratch / "frames.csv").string(), out = (scratch / "f1.gp").string();
    const auto json = parse_json(done(scratch, "evaluate --json --threshold --split all --model " + film().model +
                                                   " --data " + film().data + " --frame-scores " + table)
                                     .out,
                                 "evaluate");
    const auto scores = read_csv(table);
    CHECK(scores.rows.size() == 5 * 3 * 2 * 3);  // ways, sequences, tasks, frames
    const auto data = read_dataset(film().data);
    const auto& sequence = data.sequences()[1];
    const auto names = scores.texts("prediction"), sequences = scores.texts("sequence"), tasks = scores.texts("task");
    const auto seconds = scores.numbers("seconds"), tp = scores.numbers("tp"), f1 = scores.numbers("feature_f1");
    double sum = 0;
    std::vector<double> times;
    std::string points;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] != "forward" || tasks[i] != "A2" || sequences[i] != sequence.name) continue;
        sum += tp[i];
        times.push_back(seconds[i]);
        points += number_text(seconds[i]) + ' ' + number_text(f1[i]) + '\n';
    }
    CHECK(times == sequence.seconds);
    CHECK(json["forward"]["A2"][sequence.name]["tp"] == sum);

    done(scratch, "plot " + table + " --sequences " + sequence.name + " --out " + out);
    auto script = text_of(out);
    CHECK(has(script, "set title \"" + sequence.name + ", A2\""));
    CHECK(!has(script, data.sequences()[0].name));
    CHECK(has(script, "<< END\n" + points + "END\n"));
    CHECK(has(script, "title \"threshold\""));

    const auto masks = (scratch / "masks").string(), scored = (scratch / "scored.csv").string();
    done(scratch, "segment --fusion forward --model " + film().model + " --data " + film().data + " --out " + masks);
    done(scratch, "score --truth " + film().data + " --prediction " + masks + " --frame-scores " + scored);
    done(scratch, "plot --score macro_iou --palette okabe-ito " + table + " " + scored + " --sequences " +
                      sequence.name + " --out " + out);
    script = text_of(out);
    CHECK(has(script, "title \"frames: forward\""));
    CHECK(has(script, "title \"scored: " + masks + "\""));
    CHECK(has(script, "set ylabel \"macro_iou\""));
    CHECK(has(script, "lc rgb '#009e73' title \"frames: backward\""));  // Okabe and Ito's green
    // A prediction that has one task alone shifts no colour of the others.
    done(scratch, "score --truth " + film().data + " --prediction " + only(masks, "A2") + " --frame-scores " + scored);
    done(scratch, "plot " + scored + " " + table + " --sequences " + sequence.name + " --out " + out);
    const auto both = text_of(out);
    const std::string blue = "lc rgb '#0072b2' title \"frames: forward\"";
    const auto first = both.find(blue);
    CHECK(first != both.npos);
    CHECK(both.find(blue, first + 1) != both.npos);
    const auto other = read_csv(scored);
    CHECK(std::count(other.header.begin(), other.header.end(), "macro_iou") == 1);
    CHECK(other.texts("feature_f1").size() == 3 * 3);
}

TEST_CASE("plot draws kinetics with their intervals, a line a filament") {
    const Scratch scratch;
    const auto folder = (scratch / "kinetics").string(), out = (scratch / "kinetics.gp").string();
    done(scratch, "kinetics --data " + film().data + " --fit zeroth-order --out " + folder);
    const auto json = parse_json(done(scratch, "plot --json " + folder + " --out " + out).out, "plot");
    CHECK(json["panels"] == 5);
    CHECK(json["lines"] == 3);
    const auto table = read_csv(fs::path(folder) / "kinetics.csv");
    const auto value = table.numbers("volume_nm3"), low = table.numbers("volume_nm3_low"),
               high = table.numbers("volume_nm3_high");
    const auto script = text_of(out);
    CHECK(has(script, table.texts("seconds")[0] + ' ' + number_text(value[0]) + ' ' +
                          number_text((high[0] - low[0]) / 2) + '\n'));
    CHECK(has(script, "set ylabel \"volume, nm³\""));
    CHECK(has(script, "with vectors"));
}

TEST_CASE("plot tells what it cannot draw, and what draws for it is missing") {
    const Scratch scratch;
    const auto out = (scratch / "a").string();
    const auto failed = [&](const std::string& arguments, int status, const std::string& before = "") {
        const auto run = mtdn_run(scratch, "plot " + arguments, before);
        CHECK(run.status == status);
        return run.err;
    };
    CHECK(has(failed(film().run + " --out " + out + ".pdf", 2), "ends in .svg, .png or .gp"));
    CHECK(has(failed(film().data + " --out " + out + ".gp", 1), "holds neither curve.csv"));
    CHECK(has(failed(out + " --out " + out + ".gp", 1), "no such file or folder"));
    scratch.put("b.csv", "x,y\n1,2\n");
    CHECK(has(failed((scratch / "b.csv").string() + " --out " + out + ".gp", 1), "b.csv: expected curve.csv"));
    scratch.put("c.csv", "sequence,seconds,conversion\ns,1,2\n");
    CHECK(has(failed(film().run + " " + (scratch / "c.csv").string() + " --out " + out + ".gp", 2),
              "tables of one kind"));
    CHECK(has(failed(film().run + " --out " + out + ".svg", 1, "PATH=/nowhere "), "gnuplot-nox"));
    CHECK(has(failed(film().run + " --height 30000 --out " + out + ".gp", 2), "more than 30000"));
    CHECK(scratch.count() == 4);  // two tables, what was said
}

TEST_CASE("gnuplot draws what plot tells it to") {
    if (std::system("gnuplot --version > /dev/null 2>&1") != 0) {
        WARN("skipped: gnuplot was not found");
        return;
    }
    const Scratch scratch;
    done(scratch, "plot " + film().run + " --out " + (scratch / "a.svg").string());
    CHECK(has(text_of(scratch / "a.svg"), "validation"));
    done(scratch, "plot " + film().run + " --width 500 --height 240 --out " + (scratch / "a.png").string());
    const auto picture = read_png(scratch / "a.png");
    CHECK(picture.width == 500);
    CHECK(picture.height == 2 * 240);
    CHECK(count(picture, Palette{}.line(0)) > 50);
}

TEST_CASE("overlay makes an animation and a strip of masks from anywhere, in the palette that is asked for") {
    const Scratch scratch;
    const auto data = read_dataset(film().data);
    const auto& sequence = data.sequences()[0];
    const auto folder = film().data + "/" + sequence.name;
    const auto film_png = (scratch / "film.png").string(), strip = (scratch / "strip.png").string();
    done(scratch, "overlay --frames " + folder + "/frames --masks " + folder +
                      "/masks --opacity 1 --scale 3 --animation " + film_png);
    const auto animation = text_of(film_png);
    CHECK(has(animation, std::string("acTL\0\0\0\3", 8)));
    const auto first = read_png(film_png);
    Index core = 0;
    const auto& masks = sequence.masks.at("A2");
    for (Index i = 0; i < 35 * 35; ++i) core += masks.data()[i];
    CHECK(core > 0);
    CHECK(count(first, Palette{}.task(1)) == 9 * core);

    done(scratch, "overlay --data " + film().data + " --sequence " + sequence.name + " --masks " + folder +
                      "/masks --labels again" + " --palette okabe-ito --opacity 1 --columns 2 --strip " + strip +
                      " --animation " + film_png);
    const auto sheet = read_png(strip);
    const auto safe = colour_blind_safe_palette();
    Index last_core = 0;
    for (Index i = 0; i < 35 * 35; ++i) last_core += masks.data()[2 * 35 * 35 + i];
    CHECK(count(sheet, safe.task(1)) == 2 * (core + last_core));  // two rows
    CHECK(count(sheet, Palette{}.task(1)) == 0);
    CHECK(read_png(film_png).width > 2 * 35);

    const auto wrong = [&](const std::string& arguments) { return mtdn_run(scratch, "overlay " + arguments); };
    CHECK(wrong("--frames " + folder + "/frames").status == 2);
    CHECK(wrong("--strip " + strip).status == 2);
    CHECK(wrong("--data " + film().data + " --strip " + strip).status == 2);
    CHECK(wrong("--frames " + folder + "/frames --masks " + folder + "/masks --labels a,b --strip " + strip).status ==
          2);
    const auto missing = wrong("--data " + film().data + " --sequence none --strip " + strip);
    CHECK(missing.status == 1);
    CHECK(has(missing.err, "there is no sequence \"none\""));
    CHECK(wrong("--frames " + folder + "/frames --palette pink --strip " + strip).status == 2);
}

TEST_CASE("pictures of segment, change and evaluate have the palette that is asked for") {
    const Scratch scratch;
    const auto sequence = read_dataset(film().data).test()[0];
    const auto frames = film().data + "/" + sequence.name + "/frames/";
    const auto out = (scratch / "out").string();
    const auto safe = colour_blind_safe_palette();
    done(scratch, "change --palette okabe-ito --model " + film().model + " " + frames + sequence.frame_names.front() +
                      " " + frames + sequence.frame_names.back() + " --out " + out);
    std::ptrdiff_t known = 0;
    const auto map = read_png(fs::path(out) / "A1.png");
    for (const auto colour : safe.categories) known += count(map, colour);
    CHECK(known == 35 * 35);
    std::vector<std::string> sheets, overlays;
    for (const std::string palette : {"paper", "okabe-ito"}) {
        const auto pictures = (scratch / palette).string();
        done(scratch, "evaluate --fusion forward --palette " + palette + " --pictures " + pictures + " --model " +
                          film().model + " --data " + film().data);
        sheets.push_back(text_of(fs::path(pictures) / (sequence.name + ".png")));
        done(scratch, "segment --split test --fusion forward --overlays --palette " + palette + " --out " + pictures +
                          " --model " + film().model + " --data " + film().data);
        overlays.push_back(text_of(fs::path(pictures) / "overlays" / sequence.name / sequence.frame_names[0]));
    }
    CHECK(sheets[0] != sheets[1]);
    // A frame of which nothing was found would look the same in both.
    const auto mask = read_png(fs::path(scratch / "paper") / sequence.name / "A1" / sequence.frame_names[0]);
    const bool found = std::count(mask.values.begin(), mask.values.end(), 255) > 0;
    CHECK((overlays[0] != overlays[1]) == found);
}
