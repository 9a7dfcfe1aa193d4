#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <mtdn/data/sequence.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/view/confusion_map.hpp>
#include <mtdn/view/overlay.hpp>
#include <mtdn/view/plot.hpp>
#include <mtdn/view/sheet.hpp>

#include <mtdn/metric/score.hpp>

#include "masks.hpp"

/// Masks and what made them.
struct LabelledMasks {
    std::string label;
    mtdn::TaskMasks masks;
};

/// A row of a contact sheet: some frames of a sequence with masks over them.
inline mtdn::SheetRow overlay_row(const std::string& label, const mtdn::Images& frames, const mtdn::TaskMasks& masks,
                                  const std::vector<mtdn::Index>& shown, const mtdn::OverlayOptions& options) {
    mtdn::SheetRow row{label, {}};
    for (const mtdn::Index i : shown) row.pictures.push_back(mtdn::overlay(frames, masks, i, options));
    return row;
}

/// Writes `<sequence>.png` (frame, truth, each prediction, early to late), `<sequence>_<task>_confusion.png` and
/// `<sequence>_f1.png` (feature F1 of every frame, a panel a task, a line a prediction).
inline void write_pictures(const std::filesystem::path& folder, const mtdn::Sequence& sequence,
                           const std::vector<LabelledMasks>& predictions, const mtdn::Palette& palette = {}) {
    std::filesystem::create_directories(folder);
    const auto frames = mtdn::sheet_frames(sequence.size(), 6);
    std::vector<std::string> columns;
    for (const mtdn::Index i : frames) {
        const double seconds = sequence.seconds[static_cast<std::size_t>(i)];
        columns.push_back(mtdn::concatenate(seconds, sequence.time_source == mtdn::TimeSource::given ? " s" : ""));
    }
    const mtdn::OverlayOptions options{.palette = palette};
    std::vector<mtdn::SheetRow> rows{overlay_row("frame", sequence.frames, {}, frames, options),
                                     overlay_row("truth", sequence.frames, sequence.masks, frames, options)};
    for (const auto& [label, masks] : predictions)
        rows.push_back(overlay_row(label, sequence.frames, masks, frames, options));
    mtdn::write_png(folder / (sequence.name + ".png"), mtdn::contact_sheet(columns, rows));

    std::vector<mtdn::PlotPanel> panels;
    for (const auto& [task, truth] : sequence.masks) {
        std::vector<mtdn::SheetRow> wrong;
        mtdn::PlotPanel panel{task, "s", "feature F1", {}, std::pair{0.0, 1.0}};
        for (const auto& [label, masks] : predictions) {
            const auto found = masks.find(task);
            if (found == masks.end()) continue;
            wrong.push_back({label, {}});
            for (const mtdn::Index i : frames)
                wrong.back().pictures.push_back(mtdn::confusion_map(plane(truth, i), plane(found->second, i), palette));
            const auto scores = mtdn::score({{task, found->second}}, {{task, truth}}).tasks.at(task).frames;
            mtdn::PlotLine line{label, sequence.seconds, {}, {}, {}, false};
            for (const auto& frame : scores) line.y.push_back(mtdn::f1(frame));
            panel.lines.push_back(std::move(line));
        }
        if (wrong.empty()) continue;
        mtdn::write_png(folder / (sequence.name + "_" + task + "_confusion.png"), mtdn::contact_sheet(columns, wrong));
        panels.push_back(std::move(panel));
    }
    if (!panels.empty())
        mtdn::write_png(folder / (sequence.name + "_f1.png"), mtdn::plot(panels, {.palette = palette}));
}
