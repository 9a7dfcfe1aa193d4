#include "program/program.hpp"

#include <mtdn/core/random.hpp>
#include <mtdn/data/frame_reader.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/io/tiff.hpp>

using namespace mtdn;
using namespace mtdn::testing;
namespace fs = std::filesystem;

namespace {

// Three frames of 70 × 90 pixels, as a TIFF file of three pages.
std::string large_film(const Scratch& scratch) {
    Random random{3};
    auto frames = make_array<std::uint8_t>(3, 70, 90);
    for (auto& value : frames) value = static_cast<std::uint8_t>(random.below(256));
    write_tiff(scratch / "large.tif", frames);
    return (scratch / "large.tif").string();
}

}  // namespace

TEST_CASE("one tile that holds the frame gives the masks that the whole film gives, as pictures and as stacks") {
    const Scratch scratch;
    const auto frames = film().data + "/filament_03/frames";
    const auto whole = scratch / "whole", tiled = scratch / "tiled", stacks = scratch / "stacks";
    const std::string command =
        "segment --model " + film().model + " --fusion consecutive --frames " + frames + " --out ";
    REQUIRE(mtdn_run(scratch, command + whole.string()).status == 0);
    REQUIRE(mtdn_run(scratch, command + tiled.string() + " --tile 36").status == 0);
    REQUIRE(mtdn_run(scratch, command + stacks.string() + " --tile 36 --stacks --polarity 200,10").status == 0);
    for (const std::string task : {"A1", "A2"}) {
        FrameReader names(whole / "filament_03" / task);
        TiffReader pages(stacks / "filament_03" / (task + ".tif"));
        REQUIRE(names.size() == 3);
        REQUIRE(pages.pages() == 3);
        for (Index i = 0; i < 3; ++i) {
            const auto file = fs::path("filament_03") / task / names.frame_name(i);
            CHECK(text_of(tiled / file) == text_of(whole / file));
            const auto picture = read_png(whole / file), page = pages.read(i);
            for (std::size_t k = 0; k < picture.values.size(); ++k)
                REQUIRE(page.values[k] == (picture.values[k] == 255 ? 200 : 10));
        }
    }
}

TEST_CASE("a film of large frames is segmented by tiles, with its cost") {
    const Scratch scratch;
    const auto out = (scratch / "masks").string();
    const auto run = mtdn_run(scratch, "segment --json --tile 32 --overlap 8 --model " + film().model + " --frames " +
                                           large_film(scratch) + " --out " + out);
    INFO(run.err);
    REQUIRE(run.status == 0);
    const auto json = parse_json(run.out, "segment");
    CHECK(json["frames"] == 3);
    CHECK(json["height"] == 70);
    CHECK(json["width"] == 90);
    CHECK(json["tiles"] == 12);
    CHECK(json["backbone_passes"] == 36);
    for (const char* figure : {"seconds_per_frame", "processor_seconds_per_frame", "peak_mib"})
        CHECK(json[figure].get<double>() > 0);
    const auto mask = read_png(out + "/large/A2/large_000002.png");
    CHECK(mask.height == 70);
    CHECK(mask.width == 90);
}

TEST_CASE("regions of a film become a dataset that is segmented like any other") {
    const Scratch scratch;
    const auto data = (scratch / "cut").string(), regions = (scratch / "regions.csv").string();
    std::ofstream(regions) << "name,x,y,width,height,outline\nleft,0,0,40,36,\nright,45,30,45,40,50 35 85 35 70 65\n";
    const std::string command = "cut --frames " + large_film(scratch) + " --regions " + regions + " --out " + data;
    const auto run = mtdn_run(scratch, command + " --json");
    INFO(run.err);
    REQUIRE(run.status == 0);
    CHECK(parse_json(run.out, "cut") == Json{{"out", data}, {"sequences", 2}, {"frames", 3}});
    CHECK(read_png(data + "/right/frames/large_000001.png").values.front() == 178);
    const auto segmented = mtdn_run(scratch, "segment --json --model " + film().model + " --data " + data + " --out " +
                                                 (scratch / "masks").string());
    REQUIRE(segmented.status == 0);
    CHECK(parse_json(segmented.out, "segment")["right"]["frames"] == 3);

    const auto again = mtdn_run(scratch, command);
    CHECK(again.status == 1);
    CHECK(again.err.find("not an empty folder") != std::string::npos);
    std::ofstream(regions) << "name,x,y,width,height\nfar,60,0,40,36\n";
    const auto outside = mtdn_run(scratch, command + "2");
    CHECK(outside.status == 1);
    CHECK(outside.err.find("regions.csv, row 1 (\"far\"): columns 60 to 100") != std::string::npos);
    CHECK(!fs::exists(data + "2"));
}

TEST_CASE("tiles that cannot be had are refused in words, and nothing is written in their place") {
    const Scratch scratch;
    const std::string command = "segment --model " + film().model + " --out " + (scratch / "masks").string() +
                                " --frames " + large_film(scratch);
    const auto expect = [&](const std::string& more, int status, const std::string& words) {
        const auto run = mtdn_run(scratch, command + more);
        INFO(run.err);
        CHECK(run.status == status);
        CHECK(run.err.find(words) != std::string::npos);
    };
    expect(" --tile 30", 2, "multiple of the backbone's 4");
    expect(" --tile 32 --overlap 32", 2, "must lie in [0, 28], got 32");
    expect(" --tile 32 --fusion ensemble", 2, "compares a frame with 3 others");
    expect(" --tile 32 --uncertainty", 2, "masks alone");
    expect(" --overlap 8", 2, "--tile");
    const auto bytes = text_of(scratch / "large.tif");
    std::ofstream(scratch / "large.tif", std::ios::binary) << bytes.substr(0, bytes.size() / 2);
    expect(" --tile 32 --stacks", 1, "large.tif");
    CHECK(!fs::exists(scratch / "masks/large/A1.tif"));
}
