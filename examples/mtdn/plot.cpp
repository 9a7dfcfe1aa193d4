// mtdn plot: learning curves, scores and kinetics against time, drawn by gnuplot.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>

#include "cli.hpp"

#include <mtdn/io/csv.hpp>
#include <mtdn/view/gnuplot.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;
using mtdn::PlotPanel;

struct PlotCommand {
    std::vector<std::string> inputs, sequences;
    std::string out, score = "feature_f1", palette;
    mtdn::PlotOptions options;
};

/// A table, and what it is a table of.
struct Table {
    enum class Kind { curve, scores, kinetics };

    std::string name;  ///< in legends
    fs::path file;
    mtdn::CsvTable cells;
    Kind kind;
};

/// The table that a file is, or that a run's or a kinetics' folder holds.
Table read_table(const std::string& input) {
    const fs::path given = fs::absolute(fs::path(input) / "x").lexically_normal().parent_path();  // no "/" at its end
    const bool folder = fs::is_directory(given);
    fs::path file = given;
    if (folder) file /= fs::exists(given / "curve.csv") ? "curve.csv" : "kinetics.csv";
    mtdn::require<mtdn::IoError>(fs::exists(file), input,
                                 folder ? ": holds neither curve.csv of mtdn train nor kinetics.csv of mtdn kinetics"
                                        : ": there is no such file or folder");
    Table table{folder ? given.filename().string() : file.stem().string(), file, mtdn::read_csv(file), {}};
    using Kind = Table::Kind;
    if (table.cells.has("epoch") && table.cells.has("loss"))
        table.kind = Kind::curve;
    else if (table.cells.has("feature_f1"))
        table.kind = Kind::scores;
    else if (table.cells.has("conversion"))
        table.kind = Kind::kinetics;
    else
        mtdn::fail<mtdn::DataError>(file.string(),
                                    ": expected curve.csv of mtdn train, a table of mtdn evaluate "
                                    "--frame-scores or kinetics.csv of mtdn kinetics");
    return table;
}

/// All tables, of one kind and with names that differ.
std::vector<Table> read_tables(const std::vector<std::string>& inputs) {
    std::vector<Table> tables;
    for (const auto& input : inputs) tables.push_back(read_table(input));
    for (std::size_t i = 1; i < tables.size(); ++i)
        mtdn::require<mtdn::OptionError>(tables[i].kind == tables[0].kind, "plot: one plot is of tables of one kind; ",
                                         tables[0].file.string(), " and ", tables[i].file.string(), " are of two");
    std::map<std::string, int> count;
    for (const auto& table : tables) ++count[table.name];
    for (std::size_t i = 0; i < tables.size(); ++i)
        if (count[tables[i].name] > 1) tables[i].name = inputs[i];
    return tables;
}

/// Loss and validation score against epochs, a line a run.
std::vector<PlotPanel> curve_panels(const std::vector<Table>& tables) {
    std::vector<PlotPanel> panels{{"loss", "epochs", "mean loss of an epoch", {}, {}},
                                  {"validation", "epochs", "score", {}, std::pair{0.0, 1.0}}};
    for (const auto& table : tables) {
        auto epochs = table.cells.numbers("epoch");
        for (double& epoch : epochs) epoch += 1;  // epochs done
        panels[0].lines.push_back({table.name, epochs, table.cells.numbers("loss"), {}, {}, true});
        panels[1].lines.push_back({table.name, epochs, table.cells.numbers("validation"), {}, {}, true});
    }
    return panels;
}

bool is_wanted(const PlotCommand& c, const std::string& sequence) {
    return c.sequences.empty() || std::find(c.sequences.begin(), c.sequences.end(), sequence) != c.sequences.end();
}

/// The line of that label in a panel, begun if it is not there.
mtdn::PlotLine& line_of(PlotPanel& panel, const std::string& label) {
    for (auto& line : panel.lines)
        if (line.label == label) return line;
    panel.lines.push_back({label, {}, {}, {}, {}, true});
    return panel.lines.back();
}

/// A score against time, a panel a sequence and task, a line a prediction.
std::vector<PlotPanel> score_panels(const PlotCommand& c, const std::vector<Table>& tables) {
    std::vector<PlotPanel> panels;
    const auto panel_of = [&](const std::string& title) -> PlotPanel& {
        for (auto& panel : panels)
            if (panel.title == title) return panel;
        panels.push_back({title, "s", c.score, {}, std::pair{0.0, 1.0}});
        return panels.back();
    };
    for (const auto& table : tables) {
        const auto predictions = table.cells.texts("prediction"), sequences = table.cells.texts("sequence"),
                   tasks = table.cells.texts("task");
        const auto seconds = table.cells.numbers("seconds"), scores = table.cells.numbers(c.score);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            if (!is_wanted(c, sequences[i])) continue;
            const auto label = tables.size() == 1 ? predictions[i] : table.name + ": " + predictions[i];
            auto& line = line_of(panel_of(sequences[i] + ", " + tasks[i]), label);
            line.x.push_back(seconds[i]);
            line.y.push_back(scores[i]);
        }
    }
    return panels;
}

/// Areas, volume, conversion and rate with their intervals against time, a line a filament; in nm where all know them.
std::vector<PlotPanel> kinetics_panels(const PlotCommand& c, const std::vector<Table>& tables) {
    const bool nm = std::all_of(tables.begin(), tables.end(), [](const Table& t) { return t.cells.has("volume_nm3"); });
    const std::string unit = nm ? "nm" : "px";
    const std::vector<std::pair<std::string, PlotPanel>> quantities{
        {"outer_area_" + unit + "2", {"filament", "s", "area, " + unit + "²", {}, {}}},
        {"core_area_" + unit + "2", {"core", "s", "area, " + unit + "²", {}, {}}},
        {"volume_" + unit + "3", {"volume", "s", "volume, " + unit + "³", {}, {}}},
        {"conversion", {"conversion", "s", "conversion", {}, {}}},
        {"rate_" + unit + "3_per_s", {"rate", "s", "rate, " + unit + "³/s", {}, {}}}};
    std::vector<PlotPanel> panels;
    for (const auto& [column, empty] : quantities) {
        auto panel = empty;
        for (const auto& table : tables) {
            const auto sequences = table.cells.texts("sequence");
            const auto seconds = table.cells.numbers("seconds"), values = table.cells.numbers(column),
                       low = table.cells.numbers(column + "_low"), high = table.cells.numbers(column + "_high");
            for (std::size_t i = 0; i < values.size(); ++i) {
                if (!is_wanted(c, sequences[i])) continue;
                auto& line = line_of(panel, tables.size() == 1 ? sequences[i] : table.name + ": " + sequences[i]);
                line.x.push_back(seconds[i]);
                line.y.push_back(values[i]);
                line.error.push_back((high[i] - low[i]) / 2);
            }
        }
        if (!panel.lines.empty()) panels.push_back(std::move(panel));
    }
    return panels;
}

/// Gives what has one name one colour, in whichever panels it is.
void colour_by_label(std::vector<PlotPanel>& panels, const mtdn::Palette& palette) {
    std::map<std::string, mtdn::Colour> colours;
    for (auto& panel : panels)
        for (auto& line : panel.lines)
            line.colour = colours.emplace(line.label, palette.line(static_cast<Index>(colours.size()))).first->second;
}

void plot(PlotCommand c, const Common& common) {
    const auto tables = read_tables(c.inputs);
    c.options.palette = mtdn::palette_named(c.palette);
    using Kind = Table::Kind;
    auto panels = tables[0].kind == Kind::curve    ? curve_panels(tables)
                  : tables[0].kind == Kind::scores ? score_panels(c, tables)
                                                   : kinetics_panels(c, tables);
    colour_by_label(panels, c.options.palette);
    mtdn::require<mtdn::DataError>(!panels.empty(), tables[0].file.string(), ": nothing of these sequences is in it");
    constexpr Index most_pixels = 30000;
    mtdn::require<mtdn::OptionError>(static_cast<Index>(panels.size()) * c.options.height <= most_pixels,
                                     "plot: ", panels.size(), " panels of ", c.options.height, " pixels are more than ",
                                     most_pixels, "; name some sequences by --sequences");
    mtdn::draw_with_gnuplot(c.out, panels, c.options);
    if (common.json) return print_json({{"out", c.out}, {"panels", panels.size()}, {"lines", panels[0].lines.size()}});
    std::cout << c.out << ": " << panels.size() << " panels\n";
}

}  // namespace

void add_plot(CLI::App& app, Common& common) {
    auto c = std::make_shared<PlotCommand>();
    auto* command = app.add_subcommand("plot", "Draws learning curves, scores over time or kinetics, by gnuplot");
    command
        ->add_option("TABLES", c->inputs,
                     "Of one kind: runs of train (folders, or curve.csv); tables of evaluate or score --frame-scores; "
                     "or of kinetics (folders, or kinetics.csv)")
        ->required();
    command->add_option("--out", c->out, "File, by its ending: .svg; .png; .gp, the script for gnuplot with its data")
        ->required();
    command->add_option("--score", c->score, "Which score, of tables of scores")
        ->check(CLI::IsMember({"feature_f1", "macro_f1", "feature_iou", "macro_iou"}))
        ->capture_default_str();
    command->add_option("--sequences", c->sequences, "Only these, separated by commas")->delimiter(',');
    const auto pixels = CLI::Range(100, 30000);
    command->add_option("--width", c->options.width, "Pixels of a panel")->check(pixels)->capture_default_str();
    command->add_option("--height", c->options.height, "Pixels of a panel")->check(pixels)->capture_default_str();
    add_palette(*command, c->palette);
    command->footer("Example: mtdn plot runs/film runs/unet --out curves.svg");
    command->callback([c, &common] { plot(*c, common); });
}
