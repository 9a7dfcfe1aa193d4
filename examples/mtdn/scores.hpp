#pragma once

#include <cmath>
#include <iostream>

#include <mtdn/data/sequence.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/metric/score.hpp>

/// `<task>.<sequence>|total.{tp,fp,fn,tn,feature_f1,macro_f1,feature_iou,macro_iou}` and `overall.macro_f1`.
inline mtdn::Json scores_json(const mtdn::ScoreTable& table) {
    using mtdn::Json;
    const auto cells = [&](const mtdn::BinaryConfusion& c) {
        const auto absent = table.absent();
        return Json{{"tp", c.true_positive},
                    {"fp", c.false_positive},
                    {"fn", c.false_negative},
                    {"tn", c.true_negative},
                    {"feature_f1", mtdn::f1(c, absent)},
                    {"macro_f1", mtdn::macro_f1(c, absent)},
                    {"feature_iou", mtdn::iou(c, absent)},
                    {"macro_iou", mtdn::macro_iou(c, absent)}};
    };
    Json json;
    for (const auto& task : table.tasks()) {
        for (const auto& row : table.rows())
            if (const auto found = row.score.tasks.find(task); found != row.score.tasks.end())
                json[task][row.sequence] = cells(found->second.total());
        json[task]["total"] = cells(table.task(task).total());
    }
    json["overall"]["macro_f1"] = table.overall();
    return json;
}

/// Whether a sequence has no true masks to score against; said on standard error.
inline bool left_out_unlabelled(const mtdn::Sequence& sequence) {
    if (sequence.masks.empty())
        std::cerr << "left out: sequence \"" << sequence.name << "\", which has no true masks\n";
    return sequence.masks.empty();
}

/// Adds each frame's scores of a sequence, from which `mtdn plot` draws them over time, and the header to an empty
/// table.
inline void add_frame_scores(mtdn::CsvTable& table, const std::string& prediction, const mtdn::Sequence& sequence,
                             const mtdn::SequenceScore& score, mtdn::AbsentClass absent = mtdn::AbsentClass::zero) {
    table.header = {"prediction", "sequence", "task", "frame", "seconds", "tp", "fp", "fn", "tn",
                    "feature_f1", "macro_f1", "feature_iou", "macro_iou"};
    const auto text = [](double value) { return std::isnan(value) ? std::string() : mtdn::number_text(value); };
    for (const auto& [task, of_task] : score.tasks)
        for (std::size_t i = 0; i < of_task.frames.size(); ++i) {
            const auto& c = of_task.frames[i];
            table.rows.push_back({prediction, sequence.name, task, sequence.frame_names[i], text(sequence.seconds[i]),
                                  std::to_string(c.true_positive), std::to_string(c.false_positive),
                                  std::to_string(c.false_negative), std::to_string(c.true_negative),
                                  text(mtdn::f1(c, absent)), text(mtdn::macro_f1(c, absent)),
                                  text(mtdn::iou(c, absent)), text(mtdn::macro_iou(c, absent))});
        }
}
