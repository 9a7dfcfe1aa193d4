#pragma once

#include <map>
#include <string>
#include <vector>

#include <mtdn/change/labels.hpp>
#include <mtdn/data/sequence.hpp>
#include <mtdn/experiment/segment.hpp>
#include <mtdn/metric/category_matrix.hpp>
#include <mtdn/metric/score.hpp>

namespace mtdn {

/// Scores of a model's segmentation of labelled sequences by one fusion.
///
/// @throws ShapeError if frames are too small; DataError if a sequence has none of the model's tasks
template <class Model, PredictionFusion Fusion>
ScoreTable evaluate(const Model& model, const SequenceView& sequences, const Fusion& fusion,
                    const SegmentOptions& options = {}, AbsentClass absent = AbsentClass::zero) {
    ScoreTable table(absent);
    for (const Sequence& sequence : sequences)
        table.add(sequence.name, score(segment(model, sequence.frames, fusion, options), sequence.masks));
    return table;
}

/// Scores of a single-frame model's segmentation of labelled sequences.
///
/// @throws ShapeError if frames are too small; DataError if a sequence has none of the model's tasks
template <class Backbone>
ScoreTable evaluate(const SingleFrame<Backbone>& model, const SequenceView& sequences,
                    const SegmentOptions& options = {}, AbsentClass absent = AbsentClass::zero) {
    ScoreTable table(absent);
    for (const Sequence& sequence : sequences)
        table.add(sequence.name, score(segment(model, sequence.frames, options), sequence.masks));
    return table;
}

/// The score by which training selects: over all ordered pairs and self-pairs of the sequences, the mean over tasks and
/// sequences of the macro F1 over the 4 categories, from each sequence's summed 4×4 matrix. A single-frame model's: the
/// same mean of the macro F1 over background and feature, from each sequence's summed 2×2 matrix.
struct SelectionScore {
    std::map<std::string, double> tasks;  ///< mean over sequences
    double mean = 0;                      ///< mean over tasks and sequences
};

/// @throws DataError if no sequence has any of the model's tasks
template <class Model>
SelectionScore selection_score(const Model& model, const SequenceView& sequences) {
    SelectionScore result;
    std::vector<Index> counted(model.tasks().size());
    double sum = 0;
    Index terms = 0;
    for (const Sequence& sequence : sequences) {
        std::vector<CategoryMatrix> matrices(model.tasks().size());
        std::vector<const Masks*> masks;
        for (const auto& task : model.tasks()) {
            const auto found = sequence.masks.find(task);
            masks.push_back(found == sequence.masks.end() ? nullptr : &found->second);
        }
        const Index pixels = sequence.height() * sequence.width();
        std::vector<std::uint8_t> labels(static_cast<std::size_t>(pixels));
        const OrderedSelfPairs policy;
        std::vector<Pair> pairs;
        for (Index i = 0; i < policy.count(sequence.size()); ++i) pairs.push_back(policy.pair(sequence.size(), i));
        SequenceComparison<Model> comparison(model, sequence.frames, 0, static_cast<Index>(pairs.size()));
        comparison.categories(pairs, [&](Index i, Index task, const std::uint8_t* codes) {
            const Masks* of_task = masks[static_cast<std::size_t>(task)];
            if (!of_task) return;
            const Pair pair = pairs[static_cast<std::size_t>(i)];
            change_labels(frame_data(*of_task, pair.query), frame_data(*of_task, pair.partner), labels.data(), pixels);
            matrices[static_cast<std::size_t>(task)].add(codes, labels.data(), pixels);
        });
        for (std::size_t task = 0; task < matrices.size(); ++task) {
            if (!masks[task]) continue;
            const double f1 = macro_f1(matrices[task]);
            result.tasks[model.tasks()[task]] += f1;
            ++counted[task];
            sum += f1;
            ++terms;
        }
    }
    require<DataError>(terms > 0, "selection_score: no sequence has a mask of any of the model's tasks");
    for (std::size_t task = 0; task < counted.size(); ++task)
        if (counted[task] > 0) result.tasks[model.tasks()[task]] /= static_cast<double>(counted[task]);
    result.mean = sum / static_cast<double>(terms);
    return result;
}

/// @overload
template <class Backbone>
SelectionScore selection_score(const SingleFrame<Backbone>& model, const SequenceView& sequences) {
    SelectionScore result;
    std::map<std::string, Index> counted;
    Index terms = 0;
    for (const Sequence& sequence : sequences) {
        for (const auto& [task, of_task] : score(segment(model, sequence.frames), sequence.masks).tasks) {
            const double f1 = macro_f1(of_task.total(), AbsentClass::zero);
            result.tasks[task] += f1;
            ++counted[task];
            result.mean += f1;
            ++terms;
        }
    }
    require<DataError>(terms > 0, "selection_score: no sequence has a mask of any of the model's tasks");
    for (auto& [task, sum] : result.tasks) sum /= static_cast<double>(counted[task]);
    result.mean /= static_cast<double>(terms);
    return result;
}

}  // namespace mtdn
