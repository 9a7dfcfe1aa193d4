#include <mtdn/data/frame_folder.hpp>
#include <mtdn/io/file.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::Scratch;

TEST_CASE("frames are given once, in order, when they no longer grow") {
    const Scratch scratch;
    FrameFolder folder(scratch / ".");
    const auto names = [&] {
        std::string all;
        for (const auto& path : folder.poll()) all += path.filename().string() + " ";
        return all;
    };
    CHECK(names().empty());
    CHECK(!folder.waiting());
    write_file(scratch / "f2.png", std::string_view("two"));
    write_file(scratch / "f10.png", std::string_view("ten"));
    write_file(scratch / "notes.txt", std::string_view("no frame"));
    CHECK(names().empty());  // seen for the first time
    CHECK(folder.waiting());
    CHECK(names() == "f2.png f10.png ");
    CHECK(names().empty());
    CHECK(!folder.waiting());
    write_file(scratch / "f11.png", std::string_view("ele"));
    names();
    write_file(scratch / "f11.png", std::string_view("eleven"));
    CHECK(names().empty());  // it has grown
    write_file(scratch / "f12.png", std::string_view("twelve"));
    CHECK(names() == "f11.png ");
    CHECK(folder.waiting());
    CHECK(names() == "f12.png ");
    write_file(scratch / "f13.png", std::string_view(""));
    for (int i = 0; i < 3; ++i) CHECK(names().empty());  // nothing is in it yet
    CHECK(folder.waiting());
    write_file(scratch / "f14.png", std::string_view("fourteen"));
    names();
    CHECK(folder.leave_out() == scratch.folder() / "." / "f13.png");
    CHECK(names() == "f14.png ");
    write_file(scratch / "f13.png", std::string_view("late"));
    for (int i = 0; i < 2; ++i) CHECK(names().empty());  // it was given up
    CHECK(!folder.waiting());
    CHECK_THROWS_AS(FrameFolder(scratch / "missing"), IoError);
}
