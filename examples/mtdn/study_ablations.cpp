// What a study's report says of ablations and of partners.
#include "study_results.hpp"

#include <array>

#include "partners.hpp"

#include <mtdn/io/png.hpp>
#include <mtdn/view/gnuplot.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;
using mtdn::Json;
using Row = mtdn::Report::Row;

// The sequences whose scores are compared: those that no training has seen, where there are any.
mtdn::Split compared(const Study& study) {
    return study.data.test().empty() ? mtdn::Split::validation : mtdn::Split::test;
}

const char* fusion_of(const mtdn::Recipe& recipe) { return recipe.model.is_siamese() ? "backward" : "single-frame"; }

std::optional<double> f1_of(const Study& study, const Results& results, const mtdn::Recipe& recipe, int task) {
    return results.ours({recipe.name, fusion_of(recipe)}, compared(study), task, "macro_f1", nullptr);
}

Row row_of(const Study& study, const Results& results, const mtdn::Variant& variant, const mtdn::Recipe& base) {
    const auto& recipe = variant.recipe;
    Row row{variant.label};
    const fs::path result = study.run(recipe.name) / "result.json", speed = study.run(recipe.name) / "speed.json";
    const Json trained = fs::exists(result) ? mtdn::parse_json_file(result) : Json();
    row.push_back(trained.is_null() ? "–" : std::to_string(trained.at("parameters").get<Index>()));
    row.push_back(trained.is_null() ? "–" : digits(trained.at("seconds").get<double>(), 1));
    const Json speeds = fs::exists(speed) ? mtdn::parse_json_file(speed) : Json();
    row.push_back(speeds.contains(fusion_of(recipe)) ? digits(speeds[fusion_of(recipe)].get<double>(), 1) : "–");
    for (const int task : {1, 2}) {
        const auto ours = f1_of(study, results, recipe, task), before = f1_of(study, results, base, task);
        row.push_back(Results::beside(ours, std::nullopt));
        row.push_back(!ours || !before ? "–" : recipe.name == base.name ? "base" : signed_digits(*ours - *before));
    }
    return row;
}

// Into the report, and as a script that makes an SVG of it: `gnuplot NAME.gp > NAME.svg`.
void draw(mtdn::Report& report, const Study& study, const std::string& name, const std::string& caption,
          const std::vector<mtdn::PlotPanel>& panels) {
    const auto folder = study.folder / "pictures";
    const mtdn::PlotOptions options{.palette = study.palette};
    fs::create_directories(folder);
    mtdn::write_png(folder / (name + ".png"), mtdn::plot(panels, options));
    mtdn::write_file(folder / (name + ".gp"), mtdn::gnuplot_script(panels, options));
    report.picture(caption, folder / (name + ".png"));
}

// F1 against the number of labelled frames, a line for MTDN and one for the U-Nets.
void draw_labels(mtdn::Report& report, const Study& study, const Results& results, const mtdn::Ablation& labels) {
    const auto frames = [&](Index every) {
        double sum = 0;
        for (const Index size : study.data.train().frame_counts())
            sum += static_cast<double>((size + every - 1) / every);
        return sum;
    };
    std::vector<mtdn::PlotPanel> panels;
    for (const int task : {1, 2}) {
        mtdn::PlotPanel panel{study.data.tasks()[static_cast<std::size_t>(task - 1)], "labelled frames", "F1", {}, {}};
        for (const auto& [label, base] : {std::pair{"MTDN", std::string("mtdn")},
                                          std::pair{"U-Net", "unet-a" + std::to_string(task)}}) {
            mtdn::PlotLine line{label, {}, {}, {}, {}, true};
            for (const auto& variant : labels.variants) {
                const auto f1 = f1_of(study, results, variant.recipe, task);
                if (variant.base != base || !f1) continue;
                line.x.push_back(frames(variant.recipe.every));
                line.y.push_back(*f1);
            }
            if (!line.x.empty()) panel.lines.push_back(std::move(line));
        }
        panels.push_back(std::move(panel));
    }
    draw(report, study, "labels", "F1 by the number of labelled frames", panels);
}

}  // namespace

void report_ablations(mtdn::Report& report, const Study& study, const Results& results) {
    bool begun = false;
    for (const auto& ablation : study.ablations) {
        const auto done = [&](const mtdn::Variant& variant) {
            return variant.recipe.name != variant.base && fs::exists(study.run(variant.recipe.name) / "result.json");
        };
        if (std::none_of(ablation.variants.begin(), ablation.variants.end(), done)) continue;
        if (!begun) {
            report.heading("Ablations");
            report.text(mtdn::concatenate(
                "Models that differ in one choice, at the same learning rate and with as many epochs at most; ",
                "segmented by backward fusion. F1 of the ", mtdn::name_of(compared(study)),
                " sequences, all together."));
        }
        begun = true;
        Row head{"", "parameters", "training, s", "frames/s"};
        for (const auto& task : study.data.tasks()) head.insert(head.end(), {task, "difference"});
        std::vector<Row> rows{head};
        const mtdn::Recipe* base = nullptr;
        for (const auto& variant : ablation.variants) {
            if (variant.recipe.name == variant.base) base = &variant.recipe;
            rows.push_back(row_of(study, results, variant, *base));
        }
        report.table(ablation.name + ": " + ablation.summary, std::move(rows));
        if (ablation.name == "labels") draw_labels(report, study, results, ablation);
    }
}

void report_partners(mtdn::Report& report, const Study& study, Json& scores) {
    const auto& tasks = study.data.tasks();
    Row head{"model"};
    for (const auto& task : tasks) head.insert(head.end(), {task + ": moved, %", "area ±, %", "F1 ±"});
    std::vector<Row> rows{head};
    const mtdn::Recipe* drawn = nullptr;
    for (const auto& recipe : study.recipes) {
        const fs::path file = study.run(recipe.name) / "partners.csv";
        if (!fs::exists(file)) continue;
        Row row{recipe.name};
        for (const auto& task : tasks) {
            const auto& learned = recipe.model.tasks;
            const bool has_task = std::find(learned.begin(), learned.end(), task) != learned.end();
            for (const auto split : {mtdn::Split::validation, mtdn::Split::test}) {
                if (!has_task || study.data.split(split).empty()) continue;
                const auto of_split = mtdn::partner_sensitivity(read_partners(file, study.data.split(split), task));
                scores[recipe.name]["partners"][std::string(mtdn::name_of(split))][task] = {
                    {"changed", of_split.changed}, {"area_deviation", of_split.area},
                    {"macro_f1", of_split.f1}, {"macro_f1_deviation", of_split.f1_spread}};
                if (split == compared(study))
                    row.insert(row.end(), {digits(100 * of_split.changed, 1), digits(100 * of_split.area, 1),
                                           digits(of_split.f1_spread)});
            }
            if (!has_task) row.insert(row.end(), 3, "–");
        }
        rows.push_back(std::move(row));
        if (!drawn || recipe.name == "mtdn-init2") drawn = &recipe;
    }
    if (!drawn) return;
    report.heading("How much masks depend on the partner");
    report.text(mtdn::concatenate(
        "Every frame of the ", mtdn::name_of(compared(study)), " sequences segmented by each frame of its sequence ",
        "alone. Moved: pixels that differ from the majority of all partners, of the majority's feature. Area ±: ",
        "standard deviation of a frame's area over its partners, of its mean. F1 ±: that of a frame's F1, mean over ",
        "frames."));
    report.table("Partners", std::move(rows));
    std::vector<mtdn::PlotPanel> panels{
        {"moved pixels", "s from the frame to its partner", "%", {}, {}},
        {"F1", "s from the frame to its partner", "F1", {}, {}}};
    for (const auto& task : drawn->model.tasks) {
        std::array<mtdn::PlotLine, 2> lines;
        const auto file = study.run(drawn->name) / "partners.csv";
        for (const auto& range :
             mtdn::partners_by_distance(read_partners(file, study.data.split(compared(study)), task)))
            for (const std::size_t i : {0U, 1U}) {
                lines[i].x.push_back(range.seconds);
                lines[i].y.push_back(i == 0 ? 100 * range.changed : range.f1);
            }
        for (const std::size_t i : {0U, 1U}) {
            lines[i].label = task;
            lines[i].points = true;
            panels[i].lines.push_back(std::move(lines[i]));
        }
    }
    draw(report, study, "partners", "Masks by the partner's distance in time, " + drawn->name, panels);
}
