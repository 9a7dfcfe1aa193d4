#include <mtdn/view/gnuplot.hpp>

#include <cstdlib>
#include <limits>

#include <mtdn/io/png.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;
namespace fs = std::filesystem;

namespace {

/// The folders in which programs are looked for, as long as the object lives.
class Path {
public:
    explicit Path(const fs::path& folders) : old_(std::getenv("PATH")) { ::setenv("PATH", folders.c_str(), 1); }
    Path(const Path&) = delete;
    ~Path() { ::setenv("PATH", old_.c_str(), 1); }

private:
    std::string old_;
};

/// A program of that name that is not gnuplot.
void put_gnuplot(const Scratch& folder, const std::string& script) {
    fs::permissions(folder.put("gnuplot", "#!/bin/sh\n" + script + "\n"), fs::perms::owner_all);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const std::vector<PlotPanel> one_line{{.lines = {{.label = "loss", .x = {1, 2, 3}, .y = {3, 2, 1}}}}};

/// Labels that mean something to gnuplot, to its text markup, to a shell or to SVG.
std::vector<std::string> hostile(const fs::path& mark) {
    const auto touch = "touch " + mark.string();
    return {"it's 'quoted'",
            "\"double\"",
            "a_b^c{d}~e",
            "`" + touch + "`",
            "'; system('" + touch + "'); '",
            "x' \n!" + touch,
            "@macro $panel0line0",
            "back\\slash\\",
            "<b>&amp;</b>",
            "#comment",
            "\xff"
            "a\xc3(",
            "µm³",
            "END"};
}

}  // namespace

TEST_CASE("a text in gnuplot's quotes is one line of UTF-8 without a character that means something") {
    CHECK(detail::gnuplot_text("") == "\"\"");
    CHECK(detail::gnuplot_text("run_1, A1 (px)") == "\"run_1, A1 (px)\"");
    CHECK(detail::gnuplot_text("'it's\"") == R"("\047it\047s\042")");
    CHECK(detail::gnuplot_text("a\\n`b`") == R"("a\134n\140b\140")");
    CHECK(detail::gnuplot_text("a\nb\tc\x7f") == "\"a b c \"");
    CHECK(detail::gnuplot_text("µm³ \U0001F600") == "\"µm³ \U0001F600\"");
    CHECK(detail::gnuplot_text("\xff"
                               "a\xc3") == R"("\077a\077")");
    CHECK(detail::gnuplot_text("\xc0\xaf") == R"("\077\077")");  // "/" in two bytes, which is no UTF-8
}

TEST_CASE("a script holds the data, the colours, the ranges and the gaps") {
    const double none = std::numeric_limits<double>::quiet_NaN();
    const auto script = gnuplot_script(
        {{.title = "F1",
          .x_label = "s",
          .lines = {{.label = "red", .x = {0, 1, 2}, .y = {0.5, none, 0.25}, .colour = Colour{255, 0, 16}},
                    {.x = {0, 1}, .y = {1, 2}, .error = {0.125, 0.5}, .points = true}},
          .y_range = {{0, 1}}},
         {.lines = {{.label = "nothing", .x = {1}, .y = {none}}}}},
        {.width = 300, .height = 200}, GnuplotFormat::png);
    CHECK(has(script, "set terminal pngcairo noenhanced size 300,400 "));
    CHECK(has(script, "$panel0line0 << END\n0 0.5\n1 NaN\n2 0.25\nEND\n"));
    CHECK(has(script, "$panel0line1 << END\n0 1 0.125\n1 2 0.5\nEND\n"));
    CHECK(has(script, "$panel0line0 using 1:2 with lines lw 2 lc rgb '#ff0010' title \"red\""));
    CHECK(has(script, "$panel0line1 using 1:2 with linespoints pt 7 ps 0.4 lw 2 lc rgb '#e75480' notitle"));
    CHECK(has(script, "$panel0line1 using 1:($2-$3):(0):(2*$3) with vectors"));
    CHECK(has(script, "set title \"F1\"\nset xlabel \"s\"\n"));
    CHECK(has(script, "set yrange [0:1]\nplot $panel0line0"));
    CHECK(has(script, "plot NaN with lines lw 2 lc rgb '#28a03c' title \"nothing\""));
    CHECK(has(gnuplot_script(one_line), "set terminal svg "));
}

TEST_CASE("plots that gnuplot cannot draw are refused before it is run") {
    const Scratch scratch;
    CHECK(has(message_of<ShapeError>([] {
                  gnuplot_script({{.lines = {{.label = "a", .x = {1, 2}, .y = {1}}}}});
              }),
              "line \"a\" has 2 x, 1 y and 0 errors"));
    CHECK(has(message_of<OptionError>([] { gnuplot_script({{.y_range = {{1, 1}}}}); }), "got 1 and 1"));
    CHECK(has(message_of<OptionError>([] { gnuplot_script({}); }), "at least one panel"));
    CHECK(has(message_of<OptionError>([&] { draw_with_gnuplot(scratch / "a.jpg", one_line); }),
              "ends in .svg, .png or .gp"));
    CHECK(scratch.count() == 0);
}

TEST_CASE("gnuplot gets the script and the file what it writes, whole or not at all") {
    const Scratch scratch, programs;
    const Path path(programs.folder());
    const auto missing = message_of<IoError>([&] { draw_with_gnuplot(scratch / "a.svg", one_line); });
    CHECK(has(missing, "a.svg: gnuplot draws it and was not found"));
    CHECK(has(missing, "gnuplot-nox"));
    draw_with_gnuplot(scratch / "a.gp", one_line);  // needs none
    CHECK(read_text(scratch / "a.gp") == gnuplot_script(one_line));

    put_gnuplot(programs, "test \"$*\" = --default-settings && exec /bin/cat");
    draw_with_gnuplot(scratch / "a.svg", one_line);
    CHECK(read_text(scratch / "a.svg") == gnuplot_script(one_line));

    put_gnuplot(programs, "echo half; echo 'line 7: no such terminal' >&2; exit 3");
    CHECK(has(message_of<IoError>([&] { draw_with_gnuplot(scratch / "a.svg", {{}}); }), "line 7: no such terminal"));
    CHECK(read_text(scratch / "a.svg") == gnuplot_script(one_line));
    put_gnuplot(programs, "exit 0");
    CHECK(has(message_of<IoError>([&] { draw_with_gnuplot(scratch / "b.png", one_line); }), "drew nothing"));
    CHECK(scratch.count() == 2);  // a.gp and a.svg
}

TEST_CASE("gnuplot draws labels as they are, whatever they hold, and runs none of them") {
    if (std::system("gnuplot --version > /dev/null 2>&1") != 0) {
        WARN("skipped: gnuplot was not found");
        return;
    }
    const Scratch scratch;
    const auto mark = scratch / "run";
    std::vector<PlotPanel> panels{
        {.title = "it's <a> title & `touch " + mark.string() + "`", .x_label = "x_1", .y_label = "y^2"},
        {},
        one_line[0]};
    for (const auto& label : hostile(mark))
        panels[0].lines.push_back({.label = label, .x = {0, 1, 2}, .y = {1, NAN, 2}, .points = true});
    draw_with_gnuplot(scratch / "a.svg", panels, {.width = 700, .height = 400});
    CHECK(!fs::exists(mark));
    const auto svg = read_text(scratch / "a.svg");
    for (const std::string shown :
         {"it's 'quoted'", "\"double\"", "a_b^c{d}~e", "`touch ", "'; system('touch ", "!touch ", "@macro $panel0line0",
          "back\\slash\\", "&lt;b>&amp;amp;&lt;/b>", "#comment", "?a?(", "µm³", "END", "x_1", "y^2"}) {
        INFO(shown);
        CHECK(has(svg, shown));
    }
    CHECK(has(svg, "</svg>"));

    draw_with_gnuplot(scratch / "a.png", panels, {.width = 300, .height = 200, .palette = colour_blind_safe_palette()});
    const auto picture = read_png(scratch / "a.png");
    CHECK(picture.width == 300);
    CHECK(picture.height == 600);
    CHECK(scratch.count() == 2);
}
