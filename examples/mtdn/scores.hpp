#pragma once

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
