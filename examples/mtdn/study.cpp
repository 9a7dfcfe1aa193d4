// The report of a study: the paper's Tables 1 to 6 and Figures 6 to 9, beside what was published; ablations.
#include "study_results.hpp"

#include "pictures.hpp"
#include "scores.hpp"

#include <mtdn/io/csv.hpp>
#include <mtdn/version.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;
using mtdn::Json;

/// The tables of one split.
class SplitReport {
public:
    SplitReport(mtdn::Report& report, const Study& study, const Results& results, mtdn::Split split)
        : report_(report), study_(study), results_(results), split_(split), sequences_(study.data.split(split)) {}

    void write() {
        report_.heading(split_ == mtdn::Split::test ? "Test sequences" : "Validation sequences");
        models(2, 1);
        models(3, 2);
        gain();
        tasks_together();
        initialisations();
        fusions();
        winner();
        figures();
    }

private:
    using Row = mtdn::Report::Row;
    using Way = Results::Way;

    const std::string& task_name(int task) const { return study_.data.tasks()[static_cast<std::size_t>(task - 1)]; }

    // Cells of every sequence and of the total.
    void add_cells(Row& row, const Way& way, int task, const std::string& score) const {
        for (const auto& sequence : sequences_) row.push_back(results_.cell(way, split_, task, score, &sequence));
        row.push_back(results_.cell(way, split_, task, score, nullptr));
    }
    void add_head(Row& row, const std::string& what) const {
        for (const auto& sequence : sequences_) row.push_back(what + ", " + sequence.name);
        row.push_back(what + ", total");
    }

    void models(int number, int task) {
        Row head{"model"};
        add_head(head, "F1");
        add_head(head, "IoU");
        std::vector<Row> rows{head};
        for (const Way& way : {Way{"unet-a" + std::to_string(task), "single-frame"}, Way{"mtdn-init2", "backward"}}) {
            rows.push_back({way.first});
            add_cells(rows.back(), way, task, "macro_f1");
            add_cells(rows.back(), way, task, "macro_iou");
        }
        report_.table(mtdn::concatenate("Table ", number, ": ", task_name(task), ", U-Net and MTDN"), std::move(rows));
    }

    void gain() {
        const Way unet{"unet-a2", "single-frame"}, mtdn{"mtdn-init2", "backward"};
        const auto before = results_.ours(unet, split_, 2, "macro_f1", nullptr);
        const auto after = results_.ours(mtdn, split_, 2, "macro_f1", nullptr);
        if (!before || !after) return;
        std::string text = "MTDN's gain on U-Net, F1 of " + task_name(2) + ": " +
                           signed_digits(100 * (*after / *before - 1), 2) + " %";
        const auto old = results_.published(unet, split_, 2, "macro_f1", nullptr);
        const auto now = results_.published(mtdn, split_, 2, "macro_f1", nullptr);
        if (old && now) text += " (published " + signed_digits(100 * (*now / *old - 1), 2) + " %)";
        report_.text(text + ".");
    }

    void tasks_together() {
        Row head{"model"};
        for (const int task : {1, 2}) add_head(head, task_name(task));
        std::vector<Row> rows{head, {"both tasks"}, {"one task"}};
        for (const int task : {1, 2}) {
            add_cells(rows[1], {"mtdn", "backward"}, task, "macro_f1");
            add_cells(rows[2], {"mtdn-single-a" + std::to_string(task), "backward"}, task, "macro_f1");
        }
        report_.table("Table 4: both tasks in one model, and each in its own; F1", std::move(rows));
    }

    Row both_tasks(std::string first, const Way& way) const {
        Row row{std::move(first)};
        for (const int task : {1, 2}) add_cells(row, way, task, "macro_f1");
        row.push_back(Results::beside(results_.overall(way, split_, false), results_.overall(way, split_, true)));
        return row;
    }
    Row both_tasks_head() const {
        Row head{"model"};
        for (const int task : {1, 2}) add_head(head, task_name(task));
        head.push_back("overall");
        return head;
    }

    void initialisations() {
        std::vector<Row> rows{both_tasks_head()};
        for (const std::string name : {"mtdn", "mtdn-init1", "mtdn-init2"})
            rows.push_back(both_tasks(name, {name, "backward"}));
        report_.table("Table 5: initialisation of the backbone; F1", std::move(rows));
    }

    void fusions() {
        std::vector<Row> rows{both_tasks_head()};
        for (const std::string name : {"mtdn", "mtdn-init1", "mtdn-init2"})
            for (const std::string fusion : {"backward", "consecutive", "ensemble", "forward"})
                rows.push_back(both_tasks(name + ", " + fusion, {name, fusion}));
        report_.table("Table 6: fusion of predictions; F1", std::move(rows));
    }

    void winner() {
        std::optional<double> best;
        Way of;
        for (const auto& model : models_of(study_))
            for (const auto& fusion : model.fusions) {
                const Way way{model.recipe.name, fusion};
                const auto score = results_.overall(way, split_, false);
                if (!model.published || !score || (best && *score <= *best)) continue;
                best = score;
                of = way;
            }
        if (best) report_.text("Best overall: " + of.first + " with " + of.second + " fusion, " + digits(*best) + ".");
    }

    void figures() {
        const auto draw = [&](const std::string& figure, const std::string& caption,
                              const std::vector<std::pair<std::string, std::vector<Way>>>& lines) {
            const fs::path folder = study_.folder / "pictures" / figure;
            for (const auto& sequence : sequences_) {
                std::vector<LabelledMasks> predictions;
                for (const auto& [label, ways] : lines) {
                    mtdn::TaskMasks masks;  // a label's tasks may come from several models
                    for (const Way& way : ways)
                        if (const auto* of_way = results_.masks(way))
                            for (const auto& entry : of_way->at(sequence.name)) masks.insert(entry);
                    if (!masks.empty()) predictions.push_back({label, std::move(masks)});
                }
                if (predictions.empty()) continue;
                write_pictures(folder, sequence, predictions, study_.palette);
                const auto add = [&](const std::string& what, const std::string& ending) {
                    const fs::path png = folder / (sequence.name + ending);
                    if (fs::exists(png)) report_.picture(caption + ", " + sequence.name + ": " + what, png);
                };
                add("feature F1 over time", "_f1.png");
                add("frame, truth and predictions", ".png");
                for (const auto& task : study_.data.tasks())
                    add("what is wrong of " + task, "_" + task + "_confusion.png");
            }
        };
        const auto split = std::string(mtdn::name_of(split_));
        draw(split + "_models", "Figures 6 and 7",
             {{"U-Net", {{"unet-a1", "single-frame"}, {"unet-a2", "single-frame"}}},
              {"MTDN", {{"mtdn-init2", "backward"}}}});
        draw(split + "_initialisation", "Figure 8", {{"no init", {{"mtdn", "backward"}}},
                                                     {"init1", {{"mtdn-init1", "backward"}}},
                                                     {"init2", {{"mtdn-init2", "backward"}}}});
        draw(split + "_fusion", "Figure 9", {{"backward", {{"mtdn-init2", "backward"}}},
                                             {"consecutive", {{"mtdn-init2", "consecutive"}}},
                                             {"ensemble", {{"mtdn-init2", "ensemble"}}},
                                             {"forward", {{"mtdn-init2", "forward"}}}});
    }

    mtdn::Report& report_;
    const Study& study_;
    const Results& results_;
    mtdn::Split split_;
    mtdn::SequenceView sequences_;
};

// Frames and unordered pairs of every split, as the paper counts them; it misprints 126 training frames as 231 (all).
void table_of_data(mtdn::Report& report, const Study& study, bool published) {
    std::vector<mtdn::Report::Row> rows{{"split", "sequences", "frames", "pairs"}};
    for (const auto split : {mtdn::Split::train, mtdn::Split::validation, mtdn::Split::test}) {
        Index frames = 0, pairs = 0;
        for (const auto& sequence : study.data.split(split)) {
            frames += sequence.size();
            pairs += sequence.size() * (sequence.size() - 1) / 2;
        }
        rows.push_back({std::string(mtdn::name_of(split)), std::to_string(study.data.split(split).size()),
                        std::to_string(frames), std::to_string(pairs)});
    }
    report.table("Table 1: frames, and pairs of two different ones in either order counted once", std::move(rows));
    if (published)
        report.text("Published: 126 frames and 2986 pairs to train on (the table prints 231, which are all frames, and "
                    "2968), 64 and 1188 for validation, 41 and 442 for the test.");
}

void learning(mtdn::Report& report, const Study& study) {
    report.heading("Training");
    std::vector<mtdn::Report::Row> rows{
        {"model", "parameters", "epochs", "best epoch", "best validation score", "minutes", "seconds an epoch"}};
    std::vector<mtdn::PlotPanel> panels{{"loss", "epoch", "mean loss of an epoch", {}, {}},
                                        {"validation", "epoch", "score", {}, std::pair{0.0, 1.0}}};
    for (const auto& recipe : study.recipes) {
        const fs::path run = study.run(recipe.name);
        if (!fs::exists(run / "result.json")) continue;
        const Json result = mtdn::parse_json_file(run / "result.json");
        const double seconds = result.at("seconds").get<double>(), epochs = result.at("epochs").get<double>();
        const Index best_epoch = result.at("best_epoch").get<Index>();  // −1 where it was stopped before a validation
        rows.push_back({recipe.name, std::to_string(result.at("parameters").get<Index>()),
                        std::to_string(result.at("epochs").get<Index>()),
                        best_epoch < 0 ? "–" : std::to_string(best_epoch + 1),
                        best_epoch < 0 ? "–" : digits(result.at("best_validation").get<double>()),
                        digits(seconds / 60, 1), digits(seconds / std::max(1.0, epochs), 1)});
        const auto curve = mtdn::read_csv(run / "curve.csv");
        const auto epoch = curve.numbers("epoch");
        panels[0].lines.push_back({recipe.name, epoch, curve.numbers("loss"), {}, {}, false});
        panels[1].lines.push_back({recipe.name, epoch, curve.numbers("validation"), {}, {}, false});
    }
    report.table("Runs", std::move(rows));
    fs::create_directories(study.folder / "pictures");
    mtdn::write_png(study.folder / "pictures" / "curves.png", mtdn::plot(panels, {.palette = study.palette}));
    report.picture("Learning curves", study.folder / "pictures" / "curves.png");
    report.text("The score of models that compare frames is the macro F1 over the four categories of change, that of "
                "the single-frame models the macro F1 over background and feature: they are not to be compared.");
}

}  // namespace

void write_report(const Study& study) {
    const Results results(study);
    mtdn::Report report("MultiTaskDeltaNet: the study on " + study.data.name());
    const auto& model = study.recipes.front().model;
    const auto size = model.size == 0 ? "as they are" : mtdn::concatenate("of ", model.size, " pixels");
    report.text(mtdn::concatenate("Scale ", study.scale, ": width ", model.width, ", frames ", size, "; seed ",
                                  study.seed, "; mtdn ", mtdn::version,
                                  ". Scores are macro means over background and feature, of ",
                                  "the confusion matrix summed over frames, at the frames' own size. In brackets: ",
                                  "published, and ours minus published."));
    table_of_data(report, study, results.has_published());
    Json scores;
    for (const auto& [way, tables] : results.tables())
        for (const auto& [split, table] : tables)
            scores[way.first][way.second][std::string(mtdn::name_of(split))] = scores_json(table);
    for (const auto split : {mtdn::Split::test, mtdn::Split::validation})
        if (!study.data.split(split).empty()) SplitReport(report, study, results, split).write();
    report_partners(report, study, scores);
    report_ablations(report, study, results);
    learning(report, study);
    mtdn::write_json(study.folder / "scores.json", scores);
    mtdn::write_file(study.folder / "report.html", report.html());
    mtdn::write_file(study.folder / "report.md", report.markdown(study.folder));
}
