#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <mtdn/autograd/pass.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/change/accumulator.hpp>
#include <mtdn/experiment/network_input.hpp>
#include <mtdn/experiment/segment.hpp>

namespace mtdn {

/// What each frame of a film is compared with while the film is still being taken.
enum class LiveFusion : std::uint8_t {
    forward,      ///< the first frame; a frame's masks come with it
    consecutive,  ///< the next frame, the last with itself; a frame's masks come with the frame behind it
};

/// The live fusion of that name.
///
/// @throws OptionError for fusions that need the end of the film, and others
inline LiveFusion live_fusion(std::string_view name) {
    if (name == "forward") return LiveFusion::forward;
    require<OptionError>(name == "consecutive", "live_fusion: \"", name,
                         "\" cannot be had while a film is being taken; ", "expected forward or consecutive");
    return LiveFusion::consecutive;
}

/// Masks of one frame of a film.
struct LiveMasks {
    Index frame = 0;  ///< its number, from 0
    std::map<std::string, Mask> masks;
};

/// Segments a film a frame at a time, as a microscope delivers it, with the same bits as `segment` gives afterwards.
///
/// A frame's features are computed once, and those of two frames are held, however long the film.
template <class Model>
class LiveSegmenter {
public:
    using B = typename Model::Backend;

    explicit LiveSegmenter(const Model& model, LiveFusion fusion = LiveFusion::forward)
        : model_(model), fusion_(fusion) {}

    /// Takes the next frame; masks, if there are any by now.
    ///
    /// @shape frame (height, width) in [0, 1]
    /// @throws ShapeError if it is of another size than the first, or too small for the backbone
    std::optional<LiveMasks> push(const Image& frame) {
        require<ShapeError>(count_ == 0 || (extent(frame, 0) == height_ && extent(frame, 1) == width_),
                            "LiveSegmenter: frame ", count_, " is ", extent(frame, 0), " × ", extent(frame, 1),
                            " pixels, the first was ", height_, " × ", width_);
        const bool forward = fusion_ == LiveFusion::forward;
        const Index place = forward ? std::min<Index>(count_, 1) : count_ % 2;
        compute(frame, place);
        height_ = extent(frame, 0);
        width_ = extent(frame, 1);
        const Index number = count_++;
        if (forward) return compare(number, {place, 0});
        if (number == 0) return std::nullopt;
        return compare(number - 1, {1 - place, place});
    }

    /// The film has ended: masks that still waited for a frame behind theirs. The next frame begins another film.
    std::optional<LiveMasks> finish() {
        const Index last = std::exchange(count_, 0) - 1;
        if (last < 0 || fusion_ == LiveFusion::forward) return std::nullopt;
        return compare(last, {last % 2, last % 2});
    }

    /// Frames of this film so far.
    Index frames() const { return count_; }

private:
    void compute(const Image& frame, Index place) {
        auto one = make_array<float>(1, extent(frame, 0), extent(frame, 1), 1);
        std::copy_n(frame.data(), frame.size(), one.data());
        const Index first = 0, channels = input_channels(model_.backbone(), Index{1});
        Pass<B> pass(model_.backend());
        const auto input = network_input(model_.backend(), at_model_size(model_, one), std::span(&first, 1), channels);
        const auto features = materialise(model_.features(pass.input(input), pass));
        if (count_ == 0) kept_ = Tensor<B>(model_.backend(), features.shape().with_frames(2));
        model_.backend().copy(value_of(features), kept_.frames(place, 1));
    }

    LiveMasks compare(Index frame, Pair pair) const {
        Pass<B> pass(model_.backend());
        const Variable<B> features(kept_);
        LiveMasks result{frame, {}};
        const auto take = [&](std::size_t task, const Tensor<B, std::uint8_t>& codes) {
            PredictionAccumulator vote(height_, width_);
            vote.add_categories(download(codes).data());
            result.masks.emplace(model_.tasks()[task], vote.mask());
        };
        detail::take_categories(model_, {height_, width_}, features, features, std::span<const Pair>(&pair, 1), pass,
                                take, HeadSplit::never);
        return result;
    }

    const Model& model_;
    LiveFusion fusion_;
    Tensor<B> kept_;  // features of two frames
    Index height_ = 0, width_ = 0;
    Index count_ = 0;
};

/// Segments every frame by itself as it comes.
template <class Backbone>
class LiveSegmenter<SingleFrame<Backbone>> {
public:
    explicit LiveSegmenter(const SingleFrame<Backbone>& model) : model_(model) {}

    /// @shape frame (height, width) in [0, 1]
    std::optional<LiveMasks> push(const Image& frame) {
        auto one = make_array<float>(1, extent(frame, 0), extent(frame, 1), 1);
        std::copy_n(frame.data(), frame.size(), one.data());
        LiveMasks result{count_++, {}};
        for (const auto& [task, masks] : segment(model_, one)) {
            auto mask = make_array<std::uint8_t>(extent(frame, 0), extent(frame, 1));
            std::copy_n(masks.data(), mask.size(), mask.data());
            result.masks.emplace(task, std::move(mask));
        }
        return result;
    }
    std::optional<LiveMasks> finish() {
        count_ = 0;
        return std::nullopt;
    }
    Index frames() const { return count_; }

private:
    const SingleFrame<Backbone>& model_;
    Index count_ = 0;
};

}  // namespace mtdn
