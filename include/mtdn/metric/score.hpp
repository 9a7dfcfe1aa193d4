#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>
#include <mtdn/metric/confusion.hpp>
#include <mtdn/metric/detail/aligned_table.hpp>

namespace mtdn {

/// How one task's masks of a sequence, or of several, agree with the truth: one confusion a frame.
struct TaskScore {
    std::vector<BinaryConfusion> frames;

    /// The frames' matrices added.
    BinaryConfusion total() const {
        BinaryConfusion sum;
        for (const BinaryConfusion& frame : frames) sum += frame;
        return sum;
    }

    /// Mean over frames of a score such as `macro_f1`; with `AbsentClass::skip` undefined frames are left out. NaN if
    /// no frame is left.
    double frame_mean(double (*score)(const BinaryConfusion&, AbsentClass),
                      AbsentClass absent = AbsentClass::zero) const {
        double sum = 0;
        Index counted = 0;
        for (const BinaryConfusion& frame : frames) {
            const double value = score(frame, absent);
            if (absent == AbsentClass::skip && std::isnan(value)) continue;
            sum += value;
            ++counted;
        }
        return counted == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(counted);
    }
};

/// The scores of one sequence by task. `std::cout << score` writes them as a table.
struct SequenceScore {
    std::map<std::string, TaskScore> tasks;
};

/// Scores one sequence's masks, each task that both sides have.
///
/// @shape  masks (frames, height, width); pixels that are `ignore_label` on either side do not count
/// @throws ShapeError, naming the task, if sizes differ; DataError, naming task and pixel, if a value is not 0, 1 or
///         `ignore_label`, or if the sides have no task in common
inline SequenceScore score(const TaskMasks& prediction, const TaskMasks& truth) {
    SequenceScore result;
    for (const auto& [task, predicted] : prediction) {
        const auto found = truth.find(task);
        if (found == truth.end()) continue;
        const Masks& expected = found->second;
        const std::string function = "score: task \"" + task + "\"";
        detail::require_same_size(predicted, expected, function, "prediction", "truth");
        detail::require_codes(predicted, 1, function, "prediction");
        detail::require_codes(expected, 1, function, "truth");
        TaskScore& of_task = result.tasks[task];
        for (Index frame = 0; frame < extent(expected, 0); ++frame)
            of_task.frames.push_back(confusion(frame_data(predicted, frame), frame_data(expected, frame),
                                               extent(expected, 1) * extent(expected, 2)));
    }
    const auto names = [](const TaskMasks& masks) {
        std::string text;
        for (const auto& [task, _] : masks) text += (text.empty() ? "" : ", ") + task;
        return text.empty() ? std::string("none") : text;
    };
    require<DataError>(!result.tasks.empty(),
                       "score: prediction and truth have no task in common; predicted: ", names(prediction),
                       "; in the truth: ", names(truth));
    return result;
}

/// Scores of several sequences: each one, the total of each task, and all tasks in one figure.
///
/// `std::cout << table` writes them aligned, macro and feature scores side by side.
class ScoreTable {
public:
    struct Row {
        std::string sequence;
        SequenceScore score;
    };

    /// @param absent what a class scores that is neither in truth nor in prediction
    explicit ScoreTable(AbsentClass absent = AbsentClass::zero) : absent_(absent) {}

    /// Adds a sequence's row.
    ///
    /// @throws DataError if the table has that sequence already
    void add(std::string sequence, SequenceScore of_sequence) {
        for (const Row& row : rows_)
            require<DataError>(row.sequence != sequence, "ScoreTable: sequence \"", sequence, "\" is in it already");
        rows_.push_back({std::move(sequence), std::move(of_sequence)});
    }

    const std::vector<Row>& rows() const { return rows_; }
    AbsentClass absent() const { return absent_; }

    /// Tasks of any row, in alphabetical order.
    std::vector<std::string> tasks() const {
        std::map<std::string, int> names;
        for (const Row& row : rows_)
            for (const auto& [task, _] : row.score.tasks) names[task];
        std::vector<std::string> result;
        for (const auto& [task, _] : names) result.push_back(task);
        return result;
    }

    /// All frames of a task, sequence after sequence; its `total()` is what the paper's tables call the total.
    ///
    /// @throws OptionError if no sequence has the task
    TaskScore task(const std::string& name) const {
        TaskScore all;
        bool found = false;
        for (const Row& row : rows_) {
            const auto of_task = row.score.tasks.find(name);
            if (of_task == row.score.tasks.end()) continue;
            found = true;
            all.frames.insert(all.frames.end(), of_task->second.frames.begin(), of_task->second.frames.end());
        }
        require<OptionError>(found, "ScoreTable: no sequence has the task \"", name, "\"");
        return all;
    }

    /// Mean over tasks of the macro F1 of their totals; NaN without any task.
    double overall() const { return mean_of_totals(macro_f1); }

    /// Mean over tasks of a score of their totals; NaN without any task.
    double mean_of_totals(double (*score)(const BinaryConfusion&, AbsentClass)) const {
        double sum = 0;
        const auto names = tasks();
        for (const std::string& name : names) sum += score(task(name).total(), absent_);
        return sum / static_cast<double>(names.size());
    }

private:
    AbsentClass absent_;
    std::vector<Row> rows_;
};

namespace detail {

inline std::vector<std::string> score_cells(std::string first, const TaskScore& score, AbsentClass absent) {
    const BinaryConfusion total = score.total();
    return {std::move(first),
            std::to_string(score.frames.size()),
            score_digits(macro_f1(total, absent)),
            score_digits(f1(total, absent)),
            score_digits(macro_iou(total, absent)),
            score_digits(iou(total, absent)),
            score_digits(score.frame_mean(macro_f1, absent)),
            score_digits(score.frame_mean(f1, absent))};
}

inline std::vector<std::string> score_headings(std::string first) {
    return {std::move(first), "frames",      "macro F1",       "feature F1",
            "macro IoU",      "feature IoU", "macro F1/frame", "feature F1/frame"};
}

}  // namespace detail

/// One row a task. Scores of the summed frames, then means over the frames.
inline std::ostream& operator<<(std::ostream& out, const SequenceScore& score) {
    detail::AlignedTable table{detail::score_headings("task")};
    for (const auto& [task, of_task] : score.tasks) table.add(detail::score_cells(task, of_task, AbsentClass::zero));
    return out << table.text();
}

/// One block a task, one row a sequence and one for their total; last the mean of the tasks' totals.
inline std::ostream& operator<<(std::ostream& out, const ScoreTable& scores) {
    detail::AlignedTable table{detail::score_headings("task / sequence")};
    for (const std::string& task : scores.tasks()) {
        table.add({task});
        for (const auto& row : scores.rows()) {
            const auto found = row.score.tasks.find(task);
            if (found != row.score.tasks.end())
                table.add(detail::score_cells("  " + row.sequence, found->second, scores.absent()));
        }
        table.add(detail::score_cells("  total", scores.task(task), scores.absent()));
    }
    const auto mean = [&](double (*score)(const BinaryConfusion&, AbsentClass)) {
        return detail::score_digits(scores.mean_of_totals(score));
    };
    table.add({"overall", "", mean(macro_f1), mean(f1), mean(macro_iou), mean(iou)});
    return out << table.text();
}

}  // namespace mtdn
