#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <mtdn/backend/frame_moves.hpp>
#include <mtdn/data/batch.hpp>
#include <mtdn/experiment/step_kinds.hpp>

namespace mtdn {

/// Frames and masks that a device keeps, and augments where they lie.
///
/// The host draws what is random and makes the tables of the lines' weights, 24 KiB for 256 × 256 pixels, so that all
/// is as `assemble` makes it.
template <Backend B>
class ResidentFrames {
public:
    /// Copies them to the device. A task that a sequence has no masks of is `ignore_label` there.
    [[gnu::cold]] ResidentFrames(B& backend, const SequenceView& sequences, const std::vector<std::string>& tasks)
        : sequences_(&sequences) {
        Index pixels = 0;
        for (const Sequence& sequence : sequences) {
            offsets_.push_back(pixels);
            pixels += shape_of(sequence.frames).size();
        }
        using T = typename B::Scalar;
        frames_ = Tensor<B>(backend, vector_shape(pixels));
        std::size_t i = 0;
        for (const Sequence& sequence : sequences) {
            const std::vector<T> values(sequence.frames.begin(), sequence.frames.end());
            const auto count = static_cast<Index>(values.size());
            upload(std::span<const T>(values), frames_.piece(offsets_[i++], vector_shape(count)));
        }
        for (const auto& task : tasks) {
            std::vector<std::uint8_t> masks(static_cast<std::size_t>(pixels), ignore_label);
            i = 0;
            for (const Sequence& sequence : sequences) {
                const auto found = sequence.masks.find(task);
                if (found != sequence.masks.end())
                    std::copy(found->second.begin(), found->second.end(), masks.begin() + offsets_[i]);
                ++i;
            }
            masks_.emplace_back(backend, vector_shape(pixels));
            upload(std::span<const std::uint8_t>(masks), masks_.back());
        }
    }

    /// Tells the device how a share of a batch comes from what it keeps: all that a step copies there.
    ///
    /// @return whether it took other memory than the last time, so that what was recorded is of no use
    bool tell(const Batch& batch, const Share& share, const AnyAugmentation& augmentation, std::uint64_t seed,
              Index epoch, ThreadPool& threads, Step<B>& step) {
        const std::size_t frames = share.frames.size();
        moves_.resize(frames);
        scratch_.resize(std::max(scratch_.size(), frames));
        threads.run(static_cast<Index>(frames), [&](Index i) { draw(batch, share, augmentation, seed, epoch, i); });
        set_items(share, static_cast<std::size_t>(step.labels.front().shape().frames));
        const std::size_t head = frames * sizeof(FrameMove) + items_.size() * sizeof(FrameItem);
        std::size_t bytes = head;
        for (std::size_t i = 0; i < frames; ++i) {
            moves_[i].rows = static_cast<std::int32_t>(bytes / sizeof(std::int32_t));
            bytes += size_of(scratch_[i].rows);
            moves_[i].columns = static_cast<std::int32_t>(bytes / sizeof(std::int32_t));
            bytes += size_of(scratch_[i].columns);
        }
        list_.resize(bytes);
        std::uint8_t* to = append(moves_, list_.data());
        to = append(items_, to);
        for (std::size_t i = 0; i < frames; ++i)
            for (const detail::LineMap* line : {&scratch_[i].rows, &scratch_[i].columns}) {
                for (const auto* numbers : {&line->weights.first, &line->nearest}) {
                    words_.assign(numbers->begin(), numbers->end());
                    to = append(words_, to);
                }
                to = append(line->weights.weights, to);
            }

        // Room for a blur of 2 px, so that other draws seldom need more.
        const Shape canvas = step.input.shape();
        const auto tables = static_cast<std::size_t>(canvas.frames * (canvas.height + canvas.width) * (2 + 16)) * 4;
        const bool other = step.moves.empty() || static_cast<std::size_t>(step.moves.shape().size()) < bytes;
        if (other)
            step.moves = Tensor<B, std::uint8_t>(step.input.backend(),
                                                 vector_shape(static_cast<Index>(std::max(bytes, head + tables))));
        upload(std::span<const std::uint8_t>(list_), step.moves.piece(0, vector_shape(static_cast<Index>(bytes))));
        return other;
    }

    /// Has the device make the step's input and labels.
    void place(const Step<B>& step) const {
        B& backend = step.input.backend();
        backend.place_frames(frames_, step.moves, step.input);
        for (std::size_t task = 0; task < masks_.size(); ++task)
            backend.place_labels(masks_[task], step.moves, step.input.shape().frames, step.labels[task]);
    }

private:
    void draw(const Batch& batch, const Share& share, const AnyAugmentation& augmentation, std::uint64_t seed,
              Index epoch, Index i) {
        const auto place = static_cast<std::size_t>(i);
        const auto [sequence, frame] = batch.frames[static_cast<std::size_t>(share.frames[place])];
        const Index height = (*sequences_)[sequence].height(), width = (*sequences_)[sequence].width();
        const auto streams = streams_of(batch, share.frames[place], seed, epoch);
        const auto how = augmentation.drawn(streams.geometry, streams.photometry).value();
        const detail::FrameWalk walk(how.geometry, height, width);
        FrameScratch& lines = scratch_[place];
        lines.rows.set(height, how.geometry.scale, how.geometry.crop_y, how.geometry.blur);
        lines.columns.set(width, how.geometry.scale, how.geometry.crop_x, how.geometry.blur);
        FrameMove& move = moves_[place];
        move.origin = offsets_[static_cast<std::size_t>(sequence)] + frame * height * width + walk.origin;
        move.down = walk.down;
        move.across = walk.across;
        move.height = static_cast<std::int32_t>(height);
        move.width = static_cast<std::int32_t>(width);
        move.row_taps = static_cast<std::int32_t>(lines.rows.weights.taps);
        move.column_taps = static_cast<std::int32_t>(lines.columns.weights.taps);
        move.brightness = static_cast<float>(how.photometry.brightness);
        move.contrast = static_cast<float>(how.photometry.contrast);
        move.contrast_first = how.photometry.contrast_first ? 1 : 0;
    }

    void set_items(const Share& share, std::size_t count) {
        items_.assign(count, FrameItem{});
        if (!share.counts) return;
        for (std::size_t i = 0; i < count; ++i) {
            const bool pair = !share.pairs.empty();
            items_[i].query = static_cast<std::int32_t>(pair ? share.pairs[i].query : static_cast<Index>(i));
            if (pair) items_[i].partner = static_cast<std::int32_t>(share.pairs[i].partner);
        }
    }

    static std::size_t size_of(const detail::LineMap& line) {
        return (2 * line.nearest.size() + line.weights.weights.size()) * sizeof(std::int32_t);
    }
    template <class T>
    static std::uint8_t* append(const std::vector<T>& values, std::uint8_t* to) {
        std::memcpy(to, values.data(), values.size() * sizeof(T));
        return to + values.size() * sizeof(T);
    }

    const SequenceView* sequences_;
    std::vector<Index> offsets_;  // of the sequences' first pixels
    Tensor<B> frames_;
    std::vector<Tensor<B, std::uint8_t>> masks_;  // of each task
    // Memory that steps use again.
    std::vector<FrameMove> moves_;
    std::vector<FrameItem> items_;
    std::vector<FrameScratch> scratch_;
    std::vector<std::int32_t> words_;
    std::vector<std::uint8_t> list_;
};

}  // namespace mtdn
