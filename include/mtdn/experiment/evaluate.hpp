#pragma once

#include <map>
#include <string>
#include <vector>

#include <mtdn/change/labels.hpp>
#include <mtdn/core/communicator.hpp>
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

namespace detail {

/// The mean of what `score(sequence, scores)` writes for each task that the sequence has masks of; each rank goes over
/// some of the sequences, and all get what one alone would.
template <class Score>
SelectionScore mean_over_sequences(const std::vector<std::string>& names, const SequenceView& sequences,
                                   const AnyCommunicator& ranks, Score&& score) {
    // By sequence and task: a score, and 1 where there is one. Those of the other ranks' sequences are 0 until the sum.
    const std::size_t tasks = names.size();
    std::vector<double> scores(2 * tasks * static_cast<std::size_t>(sequences.size()));
    Index number = -1;
    for (const Sequence& sequence : sequences)
        if (++number % ranks.size() == ranks.rank())
            score(sequence, &scores[2 * tasks * static_cast<std::size_t>(number)]);
    ranks.all_reduce(scores);

    SelectionScore result;
    std::vector<double> counted(tasks);
    double sum = 0, terms = 0;
    for (std::size_t i = 0; 2 * i < scores.size(); ++i) {
        if (scores[2 * i + 1] == 0) continue;
        result.tasks[names[i % tasks]] += scores[2 * i];
        sum += scores[2 * i];
        ++counted[i % tasks];
        ++terms;
    }
    require<DataError>(terms > 0, "selection_score: no sequence has a mask of any of the model's tasks");
    for (std::size_t task = 0; task < counted.size(); ++task)
        if (counted[task] > 0) result.tasks[names[task]] /= counted[task];
    result.mean = sum / terms;
    return result;
}

}  // namespace detail

/// @param ranks that have the same model and call this together: each takes some of the sequences, and all get the
///        score
///              that one alone would
/// @throws DataError if no sequence has any of the model's tasks
template <class Model>
SelectionScore selection_score(const Model& model, const SequenceView& sequences, const AnyCommunicator& ranks = {}) {
    return detail::mean_over_sequences(model.tasks(), sequences, ranks, [&](const Sequence& sequence, double* scores) {
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
            scores[2 * task] = macro_f1(matrices[task]);
            scores[2 * task + 1] = 1;
        }
    });
}

/// @overload
template <class Backbone>
SelectionScore selection_score(const SingleFrame<Backbone>& model, const SequenceView& sequences,
                               const AnyCommunicator& ranks = {}) {
    return detail::mean_over_sequences(model.tasks(), sequences, ranks, [&](const Sequence& sequence, double* scores) {
        const auto table = score(segment(model, sequence.frames), sequence.masks);
        for (std::size_t task = 0; task < model.tasks().size(); ++task) {
            const auto found = table.tasks.find(model.tasks()[task]);
            if (found == table.tasks.end()) continue;
            scores[2 * task] = macro_f1(found->second.total(), AbsentClass::zero);
            scores[2 * task + 1] = 1;
        }
    });
}

}  // namespace mtdn
