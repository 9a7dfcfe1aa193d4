#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <unistd.h>

#include <mtdn/autograd/pass.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/experiment/network_input.hpp>
#include <mtdn/siamese/split.hpp>

namespace mtdn {

namespace detail {

/// Logits brought to a frame's own size (bilinear), unless they have it.
template <Backend B>
Tensor<B> at_own_size(const Variable<B>& logits, const FrameSize& own) {
    const Shape s = logits.shape();
    if (s.height == own.height && s.width == own.width) return value_of(logits);
    return value_of(resize(logits, own.height, own.width, Interpolation::bilinear));
}

/// Calls `take(task, codes)` with the categories of each task's pixels, in the frames' own size, of what
/// `model.compare` takes. Heads that give classes are asked for these where logits would have that size.
///
/// @param maps  one of those that are compared
template <class Model, Backend B, class Source, class Take, std::same_as<HeadSplit>... Split>
void take_categories(const Model& model, const FrameSize& own, const Variable<B>& maps, const Source& source,
                     std::span<const Pair> pairs, Pass<B>& pass, const Take& take, Split... split) {
    std::size_t task = 0;
    if constexpr (requires { model.classes(source, pairs, pass, split...); })
        if (maps.shape().height == own.height && maps.shape().width == own.width) {
            for (const auto& codes : model.classes(source, pairs, pass, split...)) take(task++, codes);
            return;
        }
    for (const auto& logits : model.compare(source, pairs, pass, split...)) {
        const Tensor<B> sized = at_own_size(logits, own);
        const Tensor<B, std::uint8_t> codes(model.backend(), sized.shape().with_channels(1));
        model.backend().arg_max(sized, codes);
        take(task++, codes);
    }
}

}  // namespace detail

/// A model's answers on pairs of frames of one sequence; a frame's features are computed once, as long as they fit, and
/// so are the heads' first convolutions of it.
///
/// Frames are brought to the model's size; logits are brought back to the frames' own size (bilinear) before the
/// arg-max. Answers do not depend on which pairs are asked together.
template <class Model>
class SequenceComparison {
public:
    using B = typename Model::Backend;

    /// @param frames (N, H, W, 1) in [0, 1]; copied
    /// @param memory bytes that features may take; 0: half of what is free
    /// @param pairs about how many will be asked; from four a frame on, heads' first convolutions are run once a frame
    ///              and slot, and what they give is kept instead of features if it fits for all frames
    [[gnu::cold]] SequenceComparison(const Model& model, const Images& frames, std::size_t memory = 0, Index pairs = 0)
        : model_(model), own_size_{extent(frames, 1), extent(frames, 2)}, frames_(at_model_size(model, frames)) {
        const Shape shape = shape_of(frames_);
        const auto pixels = static_cast<std::size_t>(shape.height * shape.width) * sizeof(typename B::Scalar);
        const std::size_t bytes = pixels * static_cast<std::size_t>(model.backbone().feature_channels());
        if (memory == 0) memory = free_memory() / 2;
        split_ = pairs >= 4 * shape.frames && model.splits();
        keeps_slots_ =
            split_ && pixels * static_cast<std::size_t>(model.slot_channels() * shape.frames) <= memory;
        const auto fitting =
            static_cast<Index>(std::min<std::size_t>(memory / std::max<std::size_t>(1, bytes), 1u << 20));
        slots_.assign(static_cast<std::size_t>(std::clamp<Index>(keeps_slots_ ? shape.frames : fitting, 2,
                                                                 std::max<Index>(2, shape.frames))), {});
        slot_of_.assign(static_cast<std::size_t>(shape.frames), -1);
        // Heads hold a few times the features' bytes for each pair: about 256 MiB at a time.
        at_once_ =
            std::clamp<Index>(static_cast<Index>((std::size_t{32} << 20) / std::max<std::size_t>(1, bytes)), 1, 16);
    }

    Index frames() const { return extent(frames_, 0); }
    /// Height and width of the frames as they were given, which answers have.
    FrameSize size() const { return own_size_; }
    /// Frames whose features are held at the same time.
    Index capacity() const { return static_cast<Index>(slots_.size()); }
    /// Frames run through the backbone so far.
    Index passes() const { return passes_; }

    /// Calls `take(i, task, codes)` for each pair and task: `codes` are height × width categories.
    template <class Take>
    void categories(std::span<const Pair> pairs, Take&& take) {
        run(pairs, [&](Index first, std::span<const Pair> some, Pass<B>& pass) {
            const auto take_all = [&](std::size_t task, const Tensor<B, std::uint8_t>& codes) {
                const auto values = download(codes);
                const Index pixels = own_size_.height * own_size_.width, count = codes.shape().frames;
                for (Index i = 0; i < count; ++i)
                    take(first + i, static_cast<Index>(task), values.data() + i * pixels);
            };
            asked([&](const auto& source, auto... split) {
                detail::take_categories(model_, own_size_, kept_.maps.front(), source, some, pass, take_all, split...);
            });
        });
    }

    /// Calls `take(i, task, logits)` for each pair and task: `logits` are height × width × classes values.
    template <class Take>
    void logits(std::span<const Pair> pairs, Take&& take) {
        run(pairs, [&](Index first, std::span<const Pair> some, Pass<B>& pass) {
            const auto answers = asked([&](const auto& source, auto... split) {
                return model_.compare(source, some, pass, split...);
            });
            const auto count = static_cast<Index>(some.size());
            for (std::size_t task = 0; task < answers.size(); ++task) {
                const Tensor<B> logits = detail::at_own_size(answers[task], own_size_);
                const auto values = download(logits);
                const std::vector<float> floats(values.begin(), values.end());
                const Index size = logits.shape().size() / count;
                for (Index i = 0; i < count; ++i) take(first + i, static_cast<Index>(task), floats.data() + i * size);
            }
        });
    }

private:
    struct Slot {
        Index frame = -1;
        Index used = 0;
    };

    // What the system can give without swapping, bytes.
    [[gnu::cold]] static std::size_t free_memory() {
        std::ifstream file("/proc/meminfo");
        std::string word;
        for (std::size_t kibibytes = 0; file >> word;)
            if (word == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
        return static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_AVPHYS_PAGES))) *
               static_cast<std::size_t>(std::max(1L, ::sysconf(_SC_PAGESIZE)));
    }

    // Pairs in runs: as many as fit at once, and whose frames fit together.
    template <class Answer>
    void run(std::span<const Pair> pairs, Answer&& answer) {
        for (Index first = 0; first < static_cast<Index>(pairs.size());) {
            std::vector<Index> wanted;
            std::vector<Pair> chunk;
            while (first + static_cast<Index>(chunk.size()) < static_cast<Index>(pairs.size()) &&
                   static_cast<Index>(chunk.size()) < at_once_) {
                const Pair pair = pairs[static_cast<std::size_t>(first) + chunk.size()];
                for (const Index frame : {pair.query, pair.partner}) {
                    require<ShapeError>(frame >= 0 && frame < frames(), "SequenceComparison: frame ", frame, " of ",
                                        frames());
                    if (std::find(wanted.begin(), wanted.end(), frame) == wanted.end()) wanted.push_back(frame);
                }
                if (static_cast<Index>(wanted.size()) > capacity()) break;
                chunk.push_back(pair);
            }
            compute(wanted, static_cast<Index>(std::min(wanted.size(), slots_.size())));
            for (Pair& pair : chunk) pair = {slot(pair.query), slot(pair.partner)};
            Pass<B> pass(model_.backend());
            answer(first, chunk, pass);
            first += static_cast<Index>(chunk.size());
        }
    }

    // Has the model asked in the same way for every number of pairs, so that answers do not depend on it.
    template <class Ask>
    auto asked(const Ask& ask) const {
        if (keeps_slots_) return ask(kept_);
        return ask(kept_.maps.front(), split_ ? HeadSplit::always : HeadSplit::never);
    }

    Index slot(Index frame) const { return slot_of_[static_cast<std::size_t>(frame)]; }

    // Makes the features of the first `count` frames wanted present; the least recently used make room.
    void compute(const std::vector<Index>& wanted, Index count) {
        ++clock_;
        std::vector<Index> missing;
        for (Index i = 0; i < count; ++i) {
            const Index frame = wanted[static_cast<std::size_t>(i)];
            if (slot(frame) >= 0)
                slots_[static_cast<std::size_t>(slot(frame))].used = clock_;
            else
                missing.push_back(frame);
        }
        for (const Index frame : missing) {
            const auto oldest = std::min_element(slots_.begin(), slots_.end(),
                                                 [](const Slot& a, const Slot& b) { return a.used < b.used; });
            if (oldest->frame >= 0) slot_of_[static_cast<std::size_t>(oldest->frame)] = -1;
            *oldest = {frame, clock_};
            const Index place = oldest - slots_.begin();
            slot_of_[static_cast<std::size_t>(frame)] = place;
            const Index channels = input_channels(model_.backbone(), extent(frames_, 3));
            Pass<B> pass(model_.backend());
            const auto features = model_.features(
                pass.input(network_input(model_.backend(), frames_, std::span(&frame, 1), channels)), pass);
            SlotMaps<B> made;
            if (keeps_slots_) made = model_.slots(features, pass);
            else made.maps.push_back(features);
            if (kept_.maps.empty()) {
                kept_ = made;
                for (auto& map : kept_.maps)
                    map = Variable<B>(Tensor<B>(model_.backend(), map.shape().with_frames(capacity())));
            }
            for (std::size_t i = 0; i < made.maps.size(); ++i)
                model_.backend().copy(value_of(made.maps[i]), value_of(kept_.maps[i]).frames(place, 1));
            ++passes_;
        }
    }

    const Model& model_;
    FrameSize own_size_;
    Images frames_;
    bool split_ = false;        // run the heads' first convolutions once a frame and slot
    bool keeps_slots_ = false;  // and keep what they give
    SlotMaps<B> kept_;  // of all slots; or their features, as the only map
    std::vector<Slot> slots_;
    std::vector<Index> slot_of_;
    Index at_once_ = 1;
    Index passes_ = 0;
    Index clock_ = 0;
};

}  // namespace mtdn
