#include "program/program.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/synthetic.hpp>
#include <mtdn/data/write_dataset.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/image.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/view/palette.hpp>

#include <cmath>

using namespace mtdn;
using namespace mtdn::testing;
namespace fs = std::filesystem;

namespace {

/// A film of straight tubes of twelve frames, made once.
struct Tubes {
    Scratch scratch;
    std::string data = (scratch / "tubes").string();
    Tubes() { write_dataset(data, synthesize({.sequences = 5, .frames = 12, .size = 64, .seed = 9, .bend = 0})); }
};

const Tubes& tubes() {
    static const Tubes made;
    return made;
}

Json kinetics(const Scratch& scratch, const std::string& arguments) {
    const auto run = mtdn_run(scratch, "kinetics --json --out " + (scratch / "out").string() + " " + arguments);
    INFO(run.err);
    REQUIRE(run.status == 0);
    CHECK(text_of(scratch / "out" / "kinetics.json") == run.out);
    return parse_json(run.out, "kinetics");
}

}  // namespace

TEST_CASE("kinetics of a dataset's own masks: a table, fits and a plot a filament") {
    const Scratch scratch;
    const auto json = kinetics(scratch, "--data " + tubes().data);
    CHECK(json["sequences"].size() == 5);
    const auto film = read_dataset(tubes().data);
    const auto table = read_csv(scratch / "out" / "kinetics.csv");
    CHECK(table.rows.size() == 60);
    const auto px = table.numbers("volume_px3"), nm = table.numbers("volume_nm3"),
               truth = table.numbers("true_volume_px3"), low = table.numbers("volume_px3_low"),
               high = table.numbers("volume_px3_high"), converted = table.numbers("conversion"),
               seconds = table.numbers("seconds");
    const double cube = std::pow(film.pixel_size_nm(), 3);
    Index held = 0;
    for (std::size_t i = 0; i < px.size(); ++i) {
        const auto& sequence = film.sequences()[i / 12];
        CHECK(table.rows[i][0] == sequence.name);
        CHECK(seconds[i] == sequence.seconds[i % 12]);
        CHECK(truth[i] == sequence.series.at("volume")[i % 12]);
        CHECK(nm[i] == Approx(px[i] * cube));
        CHECK(converted[i] == Approx(1 - px[i] / px[i - i % 12]).margin(1e-12));
        CHECK(low[i] <= px[i]);
        CHECK(px[i] <= high[i]);
        held += low[i] <= truth[i] && truth[i] <= high[i];
    }
    CHECK(json["truth"]["share_in_interval"] == Approx(static_cast<double>(held) / 60));
    for (const auto& sequence : film.sequences()) {
        const auto& of_sequence = json["sequences"][sequence.name];
        CHECK(of_sequence["stray_core_px"] == 0);
        CHECK(of_sequence["fits"].size() == 4);
        for (const auto& fit : of_sequence["fits"]) {
            CHECK(fit["parameters"]["rate"]["low"] < fit["parameters"]["rate"]["high"]);
            CHECK(fit["residuals"].size() == 12);
        }
        // Volumes of 64 px frames are a few per cent off, and so are the rates.
        CHECK(std::abs(of_sequence["truth"]["rate_error"]["zeroth-order"].get<double>()) < 0.1);
        CHECK(read_png(scratch / "out" / (sequence.name + ".png")).channels == 3);
    }
    const auto words = mtdn_run(scratch, "kinetics --palette okabe-ito --data " + tubes().data +
                                             " --split test --out " + (scratch / "out").string());
    CHECK(words.status == 0);
    CHECK(words.out.find("shrinking-core") != std::string::npos);
    CHECK(words.err.find("measured filament_05") != std::string::npos);
    const auto plain = read_png(scratch / "out" / "filament_01.png");
    const auto safe = read_png(scratch / "out" / "filament_05.png");
    for (Index law = 0; law < 2; ++law) {
        const auto paper = Palette{}.line(law), other = colour_blind_safe_palette().line(law);
        CHECK(count(plain, paper) > 50);
        CHECK(count(plain, other) == 0);
        CHECK(count(safe, other) > 50);
        CHECK(count(safe, paper) == 0);
    }
}

TEST_CASE("lengths, times, scale, window and laws are what they are said to be") {
    const Scratch scratch;
    const std::string test = "--split test --data " + tubes().data;
    const auto measured = kinetics(scratch, test)["sequences"]["filament_05"];
    const auto given = kinetics(scratch, test + " --length series --pixel-size-nm 2 --fit first-order,avrami --to 200");
    CHECK(given["pixel_size_nm"] == 2);
    const auto& of_sequence = given["sequences"]["filament_05"];
    CHECK(of_sequence["fits"].size() == 2);
    for (const double t : of_sequence["fits"][0]["seconds"]) CHECK(t <= 200);
    scratch.put("lengths.csv", "sequence,length_px\nfilament_05,40\n");
    const auto forty = kinetics(scratch, test + " --length " + (scratch / "lengths.csv").string());
    CHECK(forty == [&] {
        auto same = kinetics(scratch, test + " --length 40");
        same["length"] = forty["length"];
        return same;
    }());
    const auto clocked = kinetics(scratch, test + " --interval 0.5 --onset fitted --weighted");
    CHECK(clocked["sequences"]["filament_05"]["fits"][0]["seconds"][3] == 1.5);
    CHECK(measured != clocked["sequences"]["filament_05"]);
}

TEST_CASE("kinetics of what segment wrote: the ensemble's spread, calibrated, with a dataset and without") {
    const Scratch scratch;
    const auto masks = (scratch / "masks").string();
    REQUIRE(mtdn_run(scratch,
                     "segment --fusion ensemble --model " + film().model + " --data " + film().data + " --out " + masks)
                .status == 0);
    const auto data = read_dataset(film().data);
    const auto& sequence = data.test()[0];
    const auto areas = read_csv(fs::path(masks) / sequence.name / "areas.csv");
    CHECK(areas.header == std::vector<std::string>{"frame", "partner", "A1", "A1&A2", "A2"});
    CHECK(areas.rows.size() == 9);
    CHECK(areas.rows[5][0] == sequence.frame_names[1]);
    CHECK(areas.rows[5][1] == sequence.frame_names[2]);
    // A model trained for a moment draws anything: put masks in place that show filaments.
    for (const auto& s : data.sequences())
        for (const auto& [task, truth] : s.masks)
            fs::copy(fs::path(film().data) / s.name / "masks" / task, fs::path(masks) / s.name / task,
                     fs::copy_options::overwrite_existing | fs::copy_options::recursive);

    const auto with = kinetics(scratch, "--data " + film().data + " --prediction " + masks);
    CHECK(with["calibrated_on"].is_null());
    CHECK(with["factors"]["volume"] == Approx(1.6448536));
    CHECK(with["sequences"][sequence.name]["members"] == 3);
    CHECK(!with["sequences"][sequence.name]["not_fitted"].empty());  // three frames are too few for Avrami's law
    const auto without =
        kinetics(scratch, "--masks " + masks + " --pixel-size-nm " + std::to_string(data.pixel_size_nm()));
    CHECK(without["sequences"][sequence.name]["members"] == 3);
    CHECK(without["sequences"][sequence.name]["first_volume_px3"] ==
          with["sequences"][sequence.name]["first_volume_px3"]);

    // Three frames of the validation filament calibrate an interval of 60 %, not of 90.
    const auto calibrated = kinetics(scratch, "--data " + film().data + " --prediction " + masks +
                                                  " --calibrate validation --confidence 0.6 --split test");
    CHECK(calibrated["factors"]["volume"] == 0);  // the masks are the true ones
    CHECK(calibrated["sequences"].size() == 1);
    const auto few = mtdn_run(scratch, "kinetics --data " + film().data + " --prediction " + masks +
                                           " --calibrate validation --out " + (scratch / "few").string());
    CHECK(few.status == 1);
    CHECK(few.err.find("too few for a confidence of 0.9") != std::string::npos);
    CHECK(!fs::exists(scratch / "few"));
}

TEST_CASE("a core outside the filament is counted, and taken away on request; input without kinetics is an error") {
    const Scratch scratch;
    const auto broken = scratch / "tubes";
    fs::copy(tubes().data, broken, fs::copy_options::recursive);
    const auto name = read_dataset(broken).sequences()[0].frame_names[0];
    const auto place = broken / "filament_01" / "masks" / "A2" / name;
    auto mask = read_mask(place, {});
    mask(0, 0) = 1;
    write_mask(place, mask, {});
    const auto core_area = [&](const std::string& arguments) {
        const auto json = kinetics(scratch, "--data " + broken.string() + arguments);
        CHECK(json["sequences"]["filament_01"]["stray_core_px"] == 1);
        return read_csv(scratch / "out" / "kinetics.csv").numbers("core_area_px2")[0];
    };
    CHECK(core_area("") == core_area(" --enforce") + 1);

    const auto expect = [&](int status, const std::string& arguments, const std::string& words) {
        const auto run = mtdn_run(scratch, "kinetics --out " + (scratch / "none").string() + " " + arguments);
        INFO(run.err);
        CHECK(run.status == status);
        CHECK(run.err.find(words) != std::string::npos);
        CHECK(!fs::exists(scratch / "none"));
    };
    const std::string data = "--data " + broken.string();
    expect(2, "", "--data or --masks");
    expect(2, data + " --masks x", "--data or --masks");
    expect(2, data + " --calibrate test", "--calibrate needs --prediction");
    expect(2, data + " --fit second-order", "\"second-order\" is none");
    expect(2, data + " --onset soon", "got \"soon\"");
    expect(2, data + " --rate-window 4", "odd and at least 3");
    expect(2, data + " --tasks A1,A1", "names two");
    expect(1, data + " --length no.csv", "no.csv");
    expect(1, data + " --length -4", "the length in frame 0 is -4");
    scratch.put("lengths.csv", "sequence,length_px\nfilament_02,40\n");
    expect(1, data + " --length " + (scratch / "lengths.csv").string(), "no length of sequence \"filament_01\"");
    expect(1, data + " --tasks A1,A3", "no sequence can be measured; \"filament_01\": there are no masks of A1 and A3");
    expect(1, "--masks " + (scratch / "nowhere").string(), "there is no such folder");
}

TEST_CASE("a filament that cannot be measured is left out with its reason, and the others are measured") {
    const Scratch scratch;
    const auto masks = scratch / "masks";
    const auto film = read_dataset(tubes().data);
    const auto zero = full_array<std::uint8_t>(0, 64, 64);
    const auto& names = film.sequences()[0].frame_names;
    for (const std::string task : {"A1", "A2"}) {
        for (const std::string name : {"empty", "left", "one"}) fs::create_directories(masks / name / task);
        const auto from = fs::path(tubes().data) / "filament_01" / "masks" / task;
        fs::copy(from, masks / "empty" / task);
        write_mask(masks / "empty" / task / names[0], zero, {});
        fs::copy(from, masks / "left" / task);
        write_mask(masks / "left" / task / names.back(), zero, {});
        fs::copy(from / names[0], masks / "one" / task / names[0]);
    }
    const std::string command = "--masks " + masks.string();
    const auto json = kinetics(scratch, command);
    CHECK(json["sequences"].size() == 1);
    CHECK(json["left_out"]["empty"].get<std::string>().find("the first frame's volume is 0 px³") != std::string::npos);
    CHECK(json["left_out"]["one"].get<std::string>().find("a slope needs 2 frames, got 1") != std::string::npos);
    CHECK(text_of(scratch / "stderr").find("left out: sequence \"one\": ") != std::string::npos);
    // Masks alone have no times: that file numbers are taken for them is said, unless times are given.
    CHECK(json["sequences"]["left"]["times"] == "file numbers");
    CHECK(text_of(scratch / "stderr").find("the numbers in file names are taken for seconds; say them by --interval") !=
          std::string::npos);
    // Nothing is left in the last frame, and that is known without an error: it still has a finite weight.
    const auto weighted = kinetics(scratch, command + " --weighted --interval 2");
    CHECK(weighted["sequences"]["left"]["times"] == "interval");
    CHECK(text_of(scratch / "stderr").find("warning") == std::string::npos);
    CHECK(weighted["sequences"]["left"]["fits"].size() == 4);
    CHECK(!weighted["sequences"]["left"].contains("not_fitted"));
}

TEST_CASE("kinetics says where each film's times come from") {
    const Scratch scratch;
    const auto data = scratch / "tubes";
    fs::copy(tubes().data, data, fs::copy_options::recursive);
    auto manifest = parse_json_file(data / "dataset.json");
    manifest["sequences"]["filament_02"].erase("seconds");
    write_json(data / "dataset.json", manifest);
    const auto json = kinetics(scratch, "--data " + data.string());
    CHECK(json["sequences"]["filament_01"]["times"] == "manifest");
    CHECK(json["sequences"]["filament_02"]["times"] == "file numbers");
    const std::string warning = "no times are given of \"filament_02\": the numbers in file names are taken for";
    CHECK(text_of(scratch / "stderr").find(warning) != std::string::npos);
    const auto text = mtdn_run(scratch, "kinetics --data " + data.string() + " --out " + (scratch / "again").string());
    CHECK(text.out.find("filament_01: 12 frames, times by manifest, ") != std::string::npos);
    CHECK(text.out.find("filament_02: 12 frames, times by file numbers, ") != std::string::npos);
}

TEST_CASE("true volumes that cannot be fitted spoil no fit of the measured ones") {
    const Scratch scratch;
    const auto data = scratch / "tubes";
    fs::copy(tubes().data, data, fs::copy_options::recursive);
    auto manifest = parse_json_file(data / "dataset.json");
    manifest["sequences"]["filament_05"]["series"]["volume"][0] = 0;
    write_json(data / "dataset.json", manifest);
    const auto json = kinetics(scratch, "--split test --data " + data.string());
    const auto& of_sequence = json["sequences"]["filament_05"];
    CHECK(of_sequence["fits"].size() == 4);
    CHECK(!of_sequence.contains("not_fitted"));
    CHECK(of_sequence["truth"]["not_fitted"].size() == 4);
    CHECK(!of_sequence["truth"].contains("rate_error"));
}

TEST_CASE("an ensemble's areas that do not belong to the frames are an error") {
    const Scratch scratch;
    const auto masks = scratch / "masks";
    const auto film = read_dataset(tubes().data);
    const auto& sequence = film.test()[0];
    for (const std::string task : {"A1", "A2"}) {
        fs::create_directories(masks / sequence.name);
        fs::copy(fs::path(tubes().data) / sequence.name / "masks" / task, masks / sequence.name / task);
    }
    const auto expect = [&](const std::string& table, const std::string& words) {
        scratch.put("masks/" + sequence.name + "/areas.csv", table);
        const auto run = mtdn_run(scratch, "kinetics --out " + (scratch / "out").string() + " --data " + tubes().data +
                                               " --prediction " + masks.string());
        INFO(run.err);
        CHECK(run.status == 1);
        CHECK(run.err.find(words) != std::string::npos);
    };
    std::string rows;
    for (const auto& frame : sequence.frame_names) rows += frame + ",x,10,5\n" + frame + ",y,11,4\n";
    expect("frame,partner,A1,A3\n" + rows, "no column \"A2\"");
    expect("partner,A1,A2\n", "expected the first column \"frame\"");
    expect("frame,partner,A1,A2\n", "no row is of frame");
    expect("frame,partner,A1,A2\n" + rows + "other.png,x,1,1\n", "frame \"other.png\", which the sequence lacks");
    expect("frame,partner,A1,A2\n" + rows + sequence.frame_names[0] + ",z,1,1\n", "but 2 in frame 1");
    expect("frame,partner,A1,A2\n" + rows + sequence.frame_names[0] + ",z,-1,1\n", "expected an area of A1, found -1");
}
