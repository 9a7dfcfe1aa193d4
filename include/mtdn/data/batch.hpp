#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/random.hpp>
#include <mtdn/core/threads.hpp>
#include <mtdn/data/augmentation.hpp>
#include <mtdn/data/sampler.hpp>
#include <mtdn/data/sequence.hpp>

namespace mtdn {

/// One training step's frames, masks and pairs.
struct BatchData {
    Images frames;    ///< (frames, height, width, 1) in [0, 1]
    TaskMasks masks;  ///< (frames, height, width): 0, 1, or `ignore_label` where a task is not labelled or padded
    std::vector<Pair> pairs;  ///< indices into `frames`
    std::vector<FrameScratch> scratch;  ///< memory of the augmentation, one a frame
};

/// What one of a batch's frames is augmented by.
struct AugmentationStreams {
    Random geometry, photometry;
};

/// @param frame of the batch's frames
inline AugmentationStreams streams_of(const Batch& batch, Index frame, std::uint64_t seed, Index epoch) {
    const auto stream = [&](const char* purpose, Index item) {
        return Random(seed, purpose, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(item));
    };
    return {stream("geometry", batch.geometry[static_cast<std::size_t>(frame)]),
            stream("photometry", batch.first_frame + frame)};
}

/// The size of a batch's canvases: as high and as wide as its largest frames.
///
/// @throws OptionError if there is no such frame
inline FrameSize canvas_of(const SequenceView& sequences, const Batch& batch) {
    FrameSize canvas;
    for (const auto& [sequence, frame] : batch.frames) {
        require<OptionError>(
            sequence >= 0 && sequence < sequences.size() && frame >= 0 && frame < sequences[sequence].size(),
            "assemble: there is no frame ", frame, " of sequence ", sequence);
        canvas.height = std::max(canvas.height, sequences[sequence].height());
        canvas.width = std::max(canvas.width, sequences[sequence].width());
    }
    return canvas;
}

/// Fills `data` with a share of the batch's frames, augmented; its memory is used again where sizes agree.
///
/// Frames of different sizes share a canvas as high and as wide as the batch's largest, whatever the share. The result
/// does not depend on the number of threads.
///
/// @param sequences what the sampler's sequence numbers refer to
/// @param tasks     the tasks whose masks are wanted
inline void assemble(const SequenceView& sequences, const std::vector<std::string>& tasks, const Batch& batch,
                     const Share& share, const AnyAugmentation& augmentation, std::uint64_t seed, Index epoch,
                     ThreadPool& threads, BatchData& data) {
    require<OptionError>(batch.geometry.size() == batch.frames.size(), "assemble: ", batch.frames.size(),
                         " frames, but ", batch.geometry.size(), " geometries");
    const FrameSize canvas = canvas_of(sequences, batch);
    const Index height = canvas.height, width = canvas.width;
    const auto count = static_cast<Index>(share.frames.size());
    using Size4 = Images::shape_type;
    using Size3 = Masks::shape_type;
    const auto n = share.frames.size(), h = static_cast<std::size_t>(height), w = static_cast<std::size_t>(width);
    data.frames.resize(Size4{n, h, w, 1});
    std::erase_if(data.masks,
                  [&](const auto& entry) { return std::find(tasks.begin(), tasks.end(), entry.first) == tasks.end(); });
    for (const auto& task : tasks) data.masks[task].resize(Size3{n, h, w});
    data.pairs = share.pairs;
    if (data.scratch.size() < n) data.scratch.resize(n);

    threads.run(count, [&](Index i) {
        const auto place = static_cast<std::size_t>(i), at = static_cast<std::size_t>(share.frames[place]);
        const Sequence& sequence = sequences[batch.frames[at].sequence];
        const Index frame = batch.frames[at].frame;
        FrameSource source{frame_data(sequence.frames, frame), {}, sequence.height(), sequence.width()};
        FrameTarget target{frame_data(data.frames, i), {}, height, width, &data.scratch[place]};
        for (const auto& task : tasks) {
            const auto masks = sequence.masks.find(task);
            source.masks.push_back(masks == sequence.masks.end() ? nullptr : frame_data(masks->second, frame));
            target.masks.push_back(frame_data(data.masks.find(task)->second, i));
        }
        const auto streams = streams_of(batch, share.frames[place], seed, epoch);
        augmentation.augment(source, target, streams.geometry, streams.photometry);
    });
}

/// All of the batch's frames, augmented.
inline void assemble(const SequenceView& sequences, const std::vector<std::string>& tasks, const Batch& batch,
                     const AnyAugmentation& augmentation, std::uint64_t seed, Index epoch, ThreadPool& threads,
                     BatchData& data) {
    Share all{std::vector<Index>(batch.frames.size()), batch.pairs};
    std::iota(all.frames.begin(), all.frames.end(), Index{0});
    assemble(sequences, tasks, batch, all, augmentation, seed, epoch, threads, data);
}

/// The same in memory of its own.
inline BatchData assemble(const SequenceView& sequences, const std::vector<std::string>& tasks, const Batch& batch,
                          const AnyAugmentation& augmentation, std::uint64_t seed, Index epoch, ThreadPool& threads) {
    BatchData data;
    assemble(sequences, tasks, batch, augmentation, seed, epoch, threads, data);
    return data;
}

/// A grey value in [0, 1] as networks take it: (x − ½)/½, in [−1, 1].
constexpr float to_network_input(float value) { return (value - 0.5F) / 0.5F; }

/// All values of some frames as networks take them.
///
/// @shape as `frames`
inline Images to_network_input(Images frames) {
    for (float* at = frames.data(); at != frames.data() + frames.size(); ++at) *at = to_network_input(*at);
    return frames;
}

}  // namespace mtdn
