#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/pass.hpp>
#include <mtdn/change/accumulator.hpp>
#include <mtdn/change/category.hpp>
#include <mtdn/change/fusion.hpp>
#include <mtdn/experiment/network_input.hpp>
#include <mtdn/siamese/split.hpp>

namespace mtdn {

/// How frames that are too large for the network at once are cut into tiles.
struct TileOptions {
    Index tile = 512;     ///< side in px, a multiple of the backbone's
    Index overlap = 128;  ///< px that neighbours share, at least
    std::size_t memory = std::size_t{256} << 20;  ///< bytes of features that are kept from one frame to the next
};

/// The tiles along one side of a frame, and how much each of them counts in each pixel.
///
/// Tiles begin at multiples of the backbone's, so that poolings meet the same pixels as in the whole frame; the last
/// reaches the frame's end. Weights rise over the overlap as sin², and those of a pixel add up to one.
class TileAxis {
public:
    /// @param multiple the backbone's `size_multiple()`
    /// @throws OptionError if the tile is no multiple of it or shorter than two, or the overlap leaves no step
    [[gnu::cold]] TileAxis(Index length, const TileOptions& options, Index multiple)
        : length_(length), tile_(options.tile) {
        require<OptionError>(tile_ >= 2 * multiple && tile_ % multiple == 0,
                             "TileOptions: a tile's side must be a multiple "
                             "of the backbone's ",
                             multiple, ", at least ", 2 * multiple, ", got ", tile_);
        require<OptionError>(options.overlap >= 0 && options.overlap <= tile_ - multiple,
                             "TileOptions: the overlap of tiles of ", tile_, " px must lie in [0, ", tile_ - multiple,
                             "], got ", options.overlap);
        const Index step = (tile_ - options.overlap) / multiple * multiple;
        for (Index at = 0; at + tile_ < length; at += step) first_.push_back(at);
        first_.push_back((std::max<Index>(0, length - tile_) + multiple - 1) / multiple * multiple);

        std::vector<double> sums(static_cast<std::size_t>(length));
        const auto ramp = [&](Index from_edge) {
            if (from_edge >= options.overlap) return 1.0;
            const double sine = std::sin(std::numbers::pi / 2 * (static_cast<double>(from_edge) + 0.5) /
                                         static_cast<double>(options.overlap));
            return sine * sine;
        };
        const auto weight = [&](Index k, Index at) {
            return (first(k) == 0 ? 1.0 : ramp(at - first(k))) * (end(k) == length ? 1.0 : ramp(end(k) - 1 - at));
        };
        for (Index k = 0; k < count(); ++k)
            for (Index at = first(k); at < end(k); ++at) sums[static_cast<std::size_t>(at)] += weight(k, at);
        for (Index k = 0; k < count(); ++k) {
            weights_.emplace_back();
            for (Index at = first(k); at < end(k); ++at)
                weights_.back().push_back(static_cast<float>(weight(k, at) / sums[static_cast<std::size_t>(at)]));
        }
    }

    Index count() const { return static_cast<Index>(first_.size()); }
    /// Where tile k begins, and the pixel behind its last.
    Index first(Index k) const { return first_[static_cast<std::size_t>(k)]; }
    Index end(Index k) const { return std::min(length_, first(k) + tile_); }
    /// Weights of tile k's pixels.
    const std::vector<float>& weights(Index k) const { return weights_[static_cast<std::size_t>(k)]; }
    /// The middle of what tiles k and k + 1 share.
    Index seam(Index k) const { return (first(k + 1) + end(k)) / 2; }

private:
    Index length_, tile_;
    std::vector<Index> first_;
    std::vector<std::vector<float>> weights_;
};

/// One frame of a film and its number there, from 0; equal numbers are equal frames.
struct NumberedFrame {
    Index number = -1;  ///< −1: no frame
    Image pixels{};  ///< (height, width) in [0, 1]
};

/// Segments frames of any size by overlapping tiles, in memory that depends on the tile and on the frame's width.
///
/// Logits of tiles are blended, and the arg-max is taken as soon as a row of pixels has all of its tiles. Where no
/// tile's edge is within the network's reach of a pixel, the logits are those of the whole frame up to rounding; a tile
/// that is the whole frame gives the same bits. Tiles are run at the frame's own resolution.
template <class Model>
class TiledSegmenter {
public:
    using B = typename Model::Backend;
    /// Whether the model compares frames; one that does not looks at the query alone.
    static constexpr bool compares = requires(const Model& model) { model.fusion(); };

    /// @throws OptionError if the model scales its frames to another size than that of a tile
    [[gnu::cold]] TiledSegmenter(const Model& model, FrameSize size, const TileOptions& options = {})
        : model_(model), size_(size), room_(options.memory),
          rows_(size.height, options, model.backbone().size_multiple()),
          columns_(size.width, options, model.backbone().size_multiple()),
          kept_(static_cast<std::size_t>(tiles())) {
        require<OptionError>(model.size() == 0 || model.size() == options.tile,
                             "TiledSegmenter: the model scales its frames to ", model.size(),
                             " px, and tiles are run as they are; expected tiles of ", model.size(), " px, got ",
                             options.tile);
    }

    Index tiles() const { return rows_.count() * columns_.count(); }
    /// Tiles run through the backbone so far.
    Index passes() const { return passes_; }

    /// Masks of the query, by task.
    ///
    /// @throws ShapeError if a frame has another size than was said
    std::map<std::string, Mask> segment(const NumberedFrame& query, const NumberedFrame& partner) {
        std::map<std::string, Mask> masks;
        std::vector<std::uint8_t*> next;
        for (const auto& task : model_.tasks())
            next.push_back(
                masks.emplace(task, make_array<std::uint8_t>(size_.height, size_.width)).first->second.data());
        logits(query, partner, [&](std::size_t task, Index rows, std::span<const float> values) {
            const float* at = values.data();
            for (Index i = 0; i < rows * size_.width; ++i, at += classes)
                *next[task]++ = compares ? in_query(static_cast<Category>(largest_logit(at))) : at[1] > at[0];
        });
        return masks;
    }

    /// Forgets the features it keeps: frames that come next are another film's, or the model has changed.
    void forget() {
        for (auto& kept : kept_) kept.frame = -1;
    }

    /// Calls `take(task, rows, logits)` for one band of rows after the other, from the top: rows × width × classes
    /// values.
    template <class Take>
    void logits(const NumberedFrame& query, const NumberedFrame& partner, Take&& take) {
        for (const NumberedFrame* frame : {&query, &partner})
            require<ShapeError>(frame->number >= 0 && extent(frame->pixels, 0) == size_.height &&
                                    extent(frame->pixels, 1) == size_.width,
                                "TiledSegmenter: frame ", frame->number, " is ", extent(frame->pixels, 0), " × ",
                                extent(frame->pixels, 1), " pixels, expected ", size_.height, " × ", size_.width);
        const Index line = size_.width * classes;
        for (auto& band : bands_) band.clear();
        bands_.resize(model_.tasks().size());
        for (Index row = 0; row < rows_.count(); ++row) {
            const Index top = rows_.first(row), height = rows_.end(row) - top;
            for (auto& band : bands_) band.resize(static_cast<std::size_t>(height * line));
            for (Index column = 0; column < columns_.count(); ++column) {
                const Place place{top, columns_.first(column), height, columns_.end(column) - columns_.first(column)};
                Pass<B> pass(model_.backend());
                const auto answers = run(row * columns_.count() + column, place, query, partner, pass);
                for (std::size_t task = 0; task < answers.size(); ++task)
                    blend(download(value_of(answers[task])), rows_.weights(row), columns_.weights(column),
                          bands_[task].data() + place.left * classes);
            }
            // Rows above the next tile's are whole; the others move up.
            const Index whole = row + 1 < rows_.count() ? rows_.first(row + 1) - top : height;
            for (std::size_t task = 0; task < bands_.size(); ++task) {
                auto& band = bands_[task];
                take(task, whole, std::span<const float>(band).first(static_cast<std::size_t>(whole * line)));
                band.erase(band.begin(), band.begin() + whole * line);
            }
        }
    }

private:
    static constexpr Index classes = compares ? category_count : 2;
    struct Place {
        Index top, left, height, width;
    };
    struct Kept {
        Index frame = -1;
        Tensor<B> features{};
    };

    template <class Values>
    void blend(const Values& values, const std::vector<float>& down, const std::vector<float>& across,
               float* to) const {
        auto from = values.begin();
        for (const float y : down) {
            float* out = to;
            for (const float x : across)
                for (Index c = 0; c < classes; ++c) *out++ += y * x * static_cast<float>(*from++);
            to += size_.width * classes;
        }
    }

    auto run(Index tile, const Place& place, const NumberedFrame& query, const NumberedFrame& partner, Pass<B>& pass) {
        if constexpr (compares) {
            const bool same = query.number == partner.number;
            const Shape shape{same ? 1 : 2, place.height, place.width, model_.backbone().feature_channels()};
            Tensor<B> both(model_.backend(), shape);
            auto& kept = kept_[static_cast<std::size_t>(tile)];
            const auto compute = [&](const NumberedFrame& frame, Tensor<B> to) {
                if (kept.frame == frame.number) return model_.backend().copy(kept.features, to);
                model_.backend().copy(value_of(materialise(model_.features(pass.input(input(frame, place)), pass))),
                                      to);
            };
            compute(query, both.frames(0, 1));
            if (!same) compute(partner, both.frames(1, 1));
            // The partner serves again: as such where it is the first or the last frame, else as the next query.
            const auto bytes = static_cast<std::size_t>(shape.with_frames(1).size()) * sizeof(typename B::Scalar);
            const auto has_place = [&] { return kept.features.shape().size() > 0; };
            if (!has_place() && bytes <= room_) {
                kept.features = Tensor<B>(model_.backend(), shape.with_frames(1));
                room_ -= bytes;
            }
            if (kept.frame != partner.number && has_place()) {
                kept.frame = -1;
                model_.backend().copy(both.frames(same ? 0 : 1, 1), kept.features);
                kept.frame = partner.number;
            }
            const Pair pair{0, same ? 0 : 1};
            return model_.compare(Variable<B>(both), std::span(&pair, 1), pass, HeadSplit::never);
        } else {
            return model_.segment(pass.input(input(query, place)), pass);
        }
    }

    Tensor<B> input(const NumberedFrame& frame, const Place& place) {
        auto cut = make_array<float>(1, place.height, place.width, 1);
        for (Index y = 0; y < place.height; ++y)
            std::copy_n(frame.pixels.data() + (place.top + y) * size_.width + place.left, place.width,
                        cut.data() + y * place.width);
        ++passes_;
        const Index first = 0;
        return network_input(model_.backend(), cut, std::span(&first, 1), input_channels(model_.backbone(), Index{1}));
    }

    const Model& model_;
    FrameSize size_;
    std::size_t room_;  // bytes that may yet be kept
    TileAxis rows_, columns_;
    std::vector<Kept> kept_;                 // of each tile
    std::vector<std::vector<float>> bands_;  // of each task: rows of logits that wait for more tiles
    Index passes_ = 0;
};

/// Segments a film of any length and frame size, holding two of its frames at a time.
///
/// @param read `read(i)` gives frame i, an `Image`
/// @param take `take(i, masks)` gets the masks of frame i, by task; frames come in order
/// @return tiles run through the backbone
/// @throws OptionError for a fusion that compares a frame with several; ShapeError
template <class Model, PredictionFusion Fusion, class Read, class Take>
Index segment_film(TiledSegmenter<Model>& tiles, Index frames, const Fusion& fusion, Read&& read, Take&& take) {
    tiles.forget();
    const Index before = tiles.passes();
    std::array<NumberedFrame, 2> held;
    const auto hold = [&](Index wanted, Index other) -> const NumberedFrame& {
        for (const auto& frame : held)
            if (frame.number == wanted) return frame;
        auto& place = held[held[0].number == other ? 1 : 0];
        place = {};  // its memory before the next one's
        place.pixels = read(wanted);
        place.number = wanted;
        return place;
    };
    for (Index i = 0; i < frames; ++i) {
        Index partner = i;
        if constexpr (TiledSegmenter<Model>::compares) {
            const auto asked = fusion.partners(i, frames);
            require<OptionError>(asked.size() == 1 && asked[0].slot == Slot::query, "segment_film: fusion \"",
                                 fusion.name(), "\" compares a frame with ", asked.size(),
                                 " others; expected one that compares it with one: backward, forward or consecutive");
            partner = asked[0].pair.partner;
        }
        const auto& query = hold(i, partner);
        take(i, tiles.segment(query, hold(partner, i)));
    }
    return tiles.passes() - before;
}

}  // namespace mtdn
