#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <mtdn/change/counts.hpp>
#include <mtdn/change/labels.hpp>
#include <mtdn/data/batch.hpp>
#include <mtdn/data/sampler.hpp>
#include <mtdn/experiment/evaluate.hpp>
#include <mtdn/experiment/train_options.hpp>
#include <mtdn/siamese/single_frame.hpp>

namespace mtdn {

/// What a trainer has to know of a kind of model: of what items its batches are, their labels, the logits that are held
/// against these, and the score that selects among epochs. Specialise it to train a kind of one's own.
template <class Model>
struct Objective;

/// A model that compares frames: an item is a pair, its labels are the categories of change.
template <class Model>
requires requires(const Model& model) { model.heads(); }
struct Objective<Model> {
    using B = typename Model::Backend;
    static constexpr std::size_t classes = 4;
    /// Whether labels are the categories of a share's pairs, or the masks of its frames if there are no pairs: a device
    /// may make them then.
    static constexpr bool labels_are_of_masks = true;

    [[gnu::cold]] static AnyBatchSampler sampler(const std::vector<Index>& frame_counts, const TrainOptions& options) {
        const AnyPairPolicy policy = pair_policy(options.pairs);
        if (options.clique > 0)
            return CliqueSampler(frame_counts, policy,
                                 {.clique = options.clique, .batch = options.batch, .seed = options.seed});
        return PairSampler(frame_counts, policy, {.batch = options.batch, .seed = options.seed});
    }
    /// How often each class occurs in all items of one sequence.
    static ClassCounts<classes> counts(const TrainOptions& options, const Masks& masks) {
        return class_counts(pair_policy(options.pairs), masks);
    }
    /// Groups of frames, one behind the other, whose batch statistics are apart.
    static Index groups(const TrainOptions& options) {
        return options.clique == 0 && options.batch_norm == BatchNormPolicy::branch ? 2 : 1;
    }
    /// Of a whole batch, or of a rank's share.
    template <class Data>
    static Index items(const Data& data) {
        return static_cast<Index>(data.pairs.size());
    }
    /// @shape → (height, width) of item i
    static void label(const BatchData& data, const Masks& masks, Index i, std::uint8_t* labels) {
        const Pair pair = data.pairs[static_cast<std::size_t>(i)];
        change_labels(frame_data(masks, pair.query), frame_data(masks, pair.partner), labels,
                      extent(masks, 1) * extent(masks, 2));
    }
    /// @shape frames (N, H, W, C) → for each task (items, H, W, classes)
    static auto logits(const Model& model, const Variable<B>& frames, const BatchData& data, Pass<B>& pass) {
        return model.compare(model.features(frames, pass), data.pairs, pass);
    }
    /// The same, and behind them those of the decoder's coarser levels, where the model has heads for these.
    static auto logits_of_levels(const Model& model, const Variable<B>& frames, const BatchData& data, Pass<B>& pass) {
        return model.logits_of_levels(frames, data.pairs, pass);
    }
};

/// A model that segments single frames: an item is a frame, its labels are its mask.
template <class Backbone>
struct Objective<SingleFrame<Backbone>> {
    using Model = SingleFrame<Backbone>;
    using B = typename Model::Backend;
    static constexpr std::size_t classes = 2;
    static constexpr bool labels_are_of_masks = true;

    [[gnu::cold]] static AnyBatchSampler sampler(const std::vector<Index>& frame_counts, const TrainOptions& options) {
        require<OptionError>(options.clique == 0, "Trainer: cliques are of pairs; a single-frame model has none");
        return FrameSampler(frame_counts, {.batch = options.batch, .seed = options.seed});
    }
    static ClassCounts<classes> counts(const TrainOptions&, const Masks& masks) { return frame_class_counts(masks); }
    static Index groups(const TrainOptions&) { return 1; }
    static Index items(const Batch& batch) { return static_cast<Index>(batch.frames.size()); }
    static Index items(const Share& share) { return static_cast<Index>(share.frames.size()); }
    static void label(const BatchData&, const Masks& masks, Index i, std::uint8_t* labels) {
        std::copy_n(frame_data(masks, i), extent(masks, 1) * extent(masks, 2), labels);
    }
    static auto logits(const Model& model, const Variable<B>& frames, const BatchData&, Pass<B>& pass) {
        return model.segment(frames, pass);
    }
    static auto logits_of_levels(const Model& model, const Variable<B>& frames, const BatchData&, Pass<B>& pass) {
        return model.logits_of_levels(frames, pass);
    }
};

}  // namespace mtdn
