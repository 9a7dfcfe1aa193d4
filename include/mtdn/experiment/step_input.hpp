#pragma once

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include <mtdn/experiment/network_input.hpp>
#include <mtdn/experiment/objective.hpp>
#include <mtdn/experiment/resident_frames.hpp>

namespace mtdn {

/// Brings a batch to where a step of training finds it: frames, augmented, and labels.
///
/// Where the backend keeps frames, what the augmentation draws is told to it, and it does the rest, as a part of the
/// step's work. Otherwise the host augments and copies.
template <class Model>
class StepInput {
public:
    using B = typename Model::Backend;

    /// @param sequences live as long as this
    [[gnu::cold]] StepInput(Model& model, const SequenceView& sequences, const TrainOptions& options)
        : model_(&model), sequences_(&sequences), options_(&options) {
        if constexpr (can_be_resident)
            if (options.resident && options.augmentation.drawn(Random{}, Random{}))
                resident_.emplace(model.backend(), sequences, model.tasks());
    }

    /// Prepares a rank's share of a batch, and finds the kind of step that it is for.
    Step<B>& prepare(const Batch& batch, const Share& share, Index epoch, bool frozen_backbone, StepKinds<B>& steps) {
        const auto find = [&](FrameSize canvas) -> Step<B>& {
            const Shape frames{static_cast<Index>(share.frames.size()), canvas.height, canvas.width,
                               input_channels(model_->backbone(), Index{1})};
            return steps.of(frames, share.pairs, frozen_backbone, Objective<Model>::items(share),
                            model_->tasks().size());
        };
        if constexpr (can_be_resident)
            if (resident_) {
                Step<B>& step = find(canvas_of(*sequences_, batch));
                data_.pairs = share.pairs;
                if (resident_->tell(batch, share, options_->augmentation, options_->seed, epoch, threads(), step))
                    step.forget();
                return step;
            }
        assemble(*sequences_, model_->tasks(), batch, share, options_->augmentation, options_->seed, epoch, threads(),
                 data_);
        Step<B>& step = find({extent(data_.frames, 1), extent(data_.frames, 2)});
        all_.resize(share.frames.size());
        std::iota(all_.begin(), all_.end(), Index{0});
        network_input(data_.frames, all_, values_, step.input);
        for (std::size_t task = 0; task < step.labels.size(); ++task) label(task, share, step.labels[task]);
        return step;
    }

    /// The part of the step's work that makes its input, where the backend does so.
    void place(const Step<B>& step) const {
        if constexpr (can_be_resident)
            if (resident_) resident_->place(step);
    }

    /// What the batch's pairs are; frames and masks where the host has augmented.
    const BatchData& data() const { return data_; }

private:
    static constexpr bool can_be_resident = places_frames<B> && requires {
        requires Objective<Model>::labels_are_of_masks;
    };

    ThreadPool& threads() {
        if constexpr (requires(B& b) { { b.thread_pool() } -> std::same_as<ThreadPool&>; }) {
            return model_->backend().thread_pool();
        } else {
            if (!own_threads_) own_threads_.emplace(1);
            return *own_threads_;
        }
    }

    // The batch's labels of one task, from the masks of its frames.
    void label(std::size_t task, const Share& share, const Tensor<B, std::uint8_t>& tensor) {
        const Masks& masks = data_.masks.at(model_->tasks()[task]);
        const Shape shape = tensor.shape();
        const Index pixels = shape.height * shape.width;
        labels_.resize(static_cast<std::size_t>(shape.size()));
        threads().run(shape.frames,
                      [&](Index i) { Objective<Model>::label(data_, masks, i, labels_.data() + i * pixels); });
        if (!share.counts) std::fill(labels_.begin(), labels_.end(), ignore_label);
        upload(std::span<const std::uint8_t>(labels_), tensor);
    }

    Model* model_;
    const SequenceView* sequences_;
    const TrainOptions* options_;
    std::optional<std::conditional_t<can_be_resident, ResidentFrames<B>, char>> resident_;
    std::optional<ThreadPool> own_threads_;
    // Memory that steps use again.
    BatchData data_;
    std::vector<Index> all_;
    std::vector<typename B::Scalar> values_;
    std::vector<std::uint8_t> labels_;
};

}  // namespace mtdn
