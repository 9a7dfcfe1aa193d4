#include <cmath>

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/regions.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::Scratch;
using Catch::Matchers::Contains;

namespace {

// Every pixel of every frame differs from its neighbours.
Array<std::uint8_t, 2> picture(Index frame, Index height, Index width) {
    auto values = make_array<std::uint8_t>(height, width);
    for (Index i = 0; i < height * width; ++i) values.data()[i] = static_cast<std::uint8_t>((7 * i + 31 * frame) % 251);
    return values;
}

}  // namespace

TEST_CASE("a film is read a frame at a time, in any order, from a folder or from the pages of a TIFF file") {
    const Scratch scratch;
    std::filesystem::create_directory(scratch / "film");
    TiffWriter stack(scratch / "film.tif");
    for (Index i = 0; i < 12; ++i) {
        write_png(scratch / ("film/f" + std::to_string(i) + ".png"), picture(i, 9, 14));
        stack.write(picture(i, 9, 14));
    }
    stack.commit();
    for (const std::string path : {"film", "film.tif"}) {
        FrameReader film(scratch / path);
        CHECK(film.name() == "film");
        CHECK(film.size() == 12);
        CHECK(film.frame_size() == FrameSize{9, 14});
        CHECK(film.frame_name(10) == (path == "film" ? "f10.png" : "film_000010.png"));
        for (const Index i : {0, 1, 2, 11, 3, 4, 0, 10, 11, 11})
            for (std::size_t k = 0; k < 9 * 14; ++k)
                REQUIRE(film.read(i).data()[k] == static_cast<float>(picture(i, 9, 14).data()[k]) / 255);
    }
    write_png(scratch / "film/f5.png", picture(5, 9, 13));
    FrameReader film(scratch / "film");
    CHECK_THROWS_WITH(film.read(5), Contains("f5.png") && Contains("9 × 13") && Contains("9 × 14"));
    CHECK_THROWS_WITH(FrameReader(scratch / "nothing"), Contains("nothing") && Contains("no such"));
    std::filesystem::create_directory(scratch / "empty");
    CHECK_THROWS_WITH(FrameReader(scratch / "empty"), Contains("no frames"));
}

TEST_CASE("of a film of 16 bits that is read frame by frame, the first frame tells whether it is nearly black") {
    const Scratch scratch;
    write_tiff(scratch / "film.tif", full_array<std::uint16_t>(3360, 2, 3, 4));
    FrameReader film(scratch / "film.tif"), bright(scratch / "film.tif", 4095);
    REQUIRE(film.warnings().size() == 1);
    CHECK_THAT(film.warnings()[0].message, Contains("3360 in the first, film_000000.png") && Contains("--white 4095"));
    CHECK(film.read(1)(0, 0) == 3360.0F / 65535);
    CHECK(bright.warnings().empty());
    CHECK(bright.read(1)(0, 0) == 3360.0F / 4095);
}

TEST_CASE("regions become sequences of what they show, the rest of them filled") {
    const Scratch scratch;
    std::filesystem::create_directory(scratch / "film");
    for (Index i = 0; i < 3; ++i) write_png(scratch / ("film/f" + std::to_string(i) + ".png"), picture(i, 20, 30));
    write_file(scratch / "regions.csv", std::string_view("name,x,y,width,height,fill,outline\n"
                                                          "whole,4,2,7,5,,\n"
                                                          "part,10,8,8,6,20,12 9 16 9 16 12 12 12\n"
                                                          "half,10,8,8,8,,10 8 18 8 10 16\n"));
    FrameReader film(scratch / "film");
    const auto regions = read_regions(scratch / "regions.csv", film.frame_size());
    Index done = 0;
    cut_regions(film, regions, scratch / "cut", [&](Index frames) { done = frames; });
    CHECK(done == 3);
    const auto data = read_dataset(scratch / "cut");
    REQUIRE(data.test().size() == 3);
    for (const auto& sequence : data.test()) {
        const auto& region = *std::find_if(regions.begin(), regions.end(),
                                           [&](const Region& r) { return r.name == sequence.name; });
        REQUIRE(sequence.size() == 3);
        CHECK(sequence.frame_names[2] == "f2.png");
        CHECK(sequence.seconds == std::vector<double>{0, 1, 2});
        for (Index i = 0; i < 3; ++i)
            for (Index y = 0; y < region.height; ++y)
                for (Index x = 0; x < region.width; ++x) {
                    const Index row = region.y + y, column = region.x + x;
                    const bool shown = region.name == "whole" ? true
                                       : region.name == "part" ? column >= 12 && column < 16 && row >= 9 && row < 12
                                                               : x + y < 7;  // the diagonal's centres lie on the edge
                    if (region.name == "half" && x + y == 7) continue;
                    const int fill = region.name == "part" ? 20 : 178;
                    const int expected = shown ? picture(i, 20, 30)(row, column) : fill;
                    REQUIRE(frame_data(sequence.frames, i)[y * region.width + x] == static_cast<float>(expected) / 255);
                }
    }
}

TEST_CASE("a region that cannot be cut is refused with file, row, expected and found") {
    const Scratch scratch;
    const auto expect = [&](const std::string& text, const std::string& words) {
        write_file(scratch / "r.csv", std::string_view(text));
        CHECK_THROWS_WITH(read_regions(scratch / "r.csv", {20, 30}), Contains("r.csv") && Contains(words));
    };
    const std::string header = "name,x,y,width,height\n";
    expect("name,x,y,width\na,1,1,5\n", "no column \"height\"");
    expect("name,x,y,width,height,colour\na,1,1,5,5,red\n", "unknown column \"colour\"");
    expect(header, "names no region");
    expect(header + "a,1,1,5\n", "line 2: expected 5 cells, found 4");
    expect(header + "a,1,1,5,5\na,2,2,5,5\n", "row 2 (\"a\"): two regions");
    expect(header + "a,one,1,5,5\n", "x: expected a number, found \"one\"");
    expect(header + "a,1.5,1,5,5\n", "whole pixels, found 1.5");
    expect(header + "a,26,1,5,5\n", "columns 26 to 31");
    expect(header + "a,1,-1,5,5\n", "not all in the frames, which are 20 × 30");
    expect(header + "a,1,1,0,5\n", "not all in the frames");
    expect(header + "../a,1,1,5,5\n", "a folder's name");
    expect("name,x,y,width,height,outline\na,1,1,5,5,1 2 3 4\n", "three corners or more, found 2");
    expect("name,x,y,width,height,outline\na,1,1,5,5,1 2 3\n", "found 3 numbers");
    expect(header + "dataset.json,1,1,5,5\n", "a folder's name, not \"dataset.json\"");
    expect("name,x,y,width,height,fill\na,1,1,5,5,256\n", "expected 0 to 255, found 256");
}

TEST_CASE("regions that no file names are held against the frames, too, and nothing is written") {
    const Scratch scratch;
    std::filesystem::create_directory(scratch / "film");
    write_png(scratch / "film/f.png", picture(0, 20, 30));
    FrameReader film(scratch / "film");
    const auto expect = [&](const std::vector<Region>& regions, const std::string& words) {
        CHECK_THROWS_WITH(cut_regions(film, regions, scratch / "cut"),
                          Contains("cut_regions: region") && Contains(words));
        CHECK(!std::filesystem::exists(scratch / "cut"));
    };
    expect({{"a", 26, 1, 5, 5}}, "columns 26 to 31");
    expect({{"a", 1, 1, 5, 20}}, "rows 1 to 21 are not all in the frames, which are 20 × 30");
    expect({{"a", 1, 1, -5, 5}}, "not all in the frames");
    expect({{"../a", 1, 1, 5, 5}}, "a folder's name, not \"../a\"");
    expect({{"dataset.json", 1, 1, 5, 5}}, "a folder's name, not \"dataset.json\"");
    expect({{"a", 1, 1, 5, 5}, {"a", 2, 2, 5, 5}}, "two regions have this name");
    expect({{"a", 1, 1, 5, 5, {{1, 2}}}}, "three corners or more, found 1");
    expect({{"a", 1, 1, 5, 5, {}, std::nan("")}}, "expected 0 to 255, found nan");

    const Region region{"a", 26, 1, 5, 5};
    CHECK_THROWS_WITH(cut(film.read(0), region, shown_pixels(region)), Contains("cut: region \"a\": columns 26 to 31"));
    CHECK_THROWS_WITH(cut(film.read(0), {"a", 1, 1, 5, 5}, shown_pixels({"a", 1, 1, 4, 5})), Contains("5 × 4"));
}
