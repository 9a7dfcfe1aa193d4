#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include <mtdn/autograd/combine_frames.hpp>
#include <mtdn/autograd/convolution.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/siamese/feature_fusion.hpp>
#include <mtdn/siamese/head.hpp>

namespace mtdn {

/// How a comparison runs the heads' first convolutions, where the fusion is linear and the heads name them.
///
/// conv(fuse(q, p)) = conv(q, W_q) + conv(p, W_p): each term is needed once a frame and slot, not once a pair. Both
/// ways agree up to rounding.
enum class HeadSplit : std::uint8_t {
    automatic,  ///< once a frame and slot where the pairs share enough frames, by a rule of their number alone
    always,     ///< once a frame and slot
    never,      ///< once a pair
};

/// What the heads' first convolutions make of frames in each slot of a pair.
template <Backend B>
struct SlotMaps {
    /// (frames, H, W, channels after the first convolution), a task after the other: query's and partner's, or one
    /// that serves both.
    InlineVector<Variable<B>, 8> maps;
    std::size_t per_task = 2;  ///< maps of each task, 1 or 2
    bool folded = false;       ///< whether the normalisation is folded in, as in evaluation

    const Variable<B>& query(std::size_t task) const { return maps[task * per_task]; }
    const Variable<B>& partner(std::size_t task) const { return maps[(task + 1) * per_task - 1]; }
};

namespace detail {

/// Whether a pass folds normalisations into convolutions.
template <Backend B>
bool folds(const Pass<B>& pass) {
    return !pass.tape() && pass.statistics() == Statistics::running;
}

/// What a first convolution makes of frames in one slot, without the slot's factor, times `scale` where the pass folds.
template <Backend B>
[[gnu::cold]]
Variable<B> slot_map(const Parameter<B>& weight, const Tensor<B>& scale, const Window& window, const FusedSlot& slot,
                     const Variable<B>& frames, const Pass<B>& pass) {
    if (!folds(pass)) return convolve_slice(frames, weight, slot.first, window);
    const Shape in = frames.shape();
    const Tensor<B> slice = slice_input_channels(weight.value, slot.first, in.channels);
    Tensor<B> y(pass.backend(), {in.frames, window.output(in.height), window.output(in.width), slice.shape().channels});
    pass.backend().convolve(operand_of(frames), slice, scale, Tensor<B>{}, window, Activation::identity, y);
    return Variable<B>(std::move(y));
}

/// A first layer's result for pairs of frames of two slot maps.
template <Backend B>
[[gnu::cold]]
Variable<B> combine_slots(const FirstLayer<B>& layer, const FusedSlots& slots, const Variable<B>& query,
                          std::span<const Index> queries, const Variable<B>& partner, std::span<const Index> partners,
                          Pass<B>& pass) {
    const double alpha = slots.query.factor, beta = slots.partner.factor;
    if (!folds(pass))
        return layer.norm(combine_frames(alpha, query, queries, beta, partner, partners), pass, layer.activation);
    require_frames_to_combine(query.shape(), queries, partner.shape(), partners);
    B& backend = pass.backend();
    Tensor<B> y(backend, query.shape().with_frames(static_cast<Index>(queries.size())));
    backend.combine_frames(alpha, value_of(query), queries, beta, value_of(partner), partners,
                           by_running_statistics(layer.norm).shift, layer.activation, y);
    return Variable<B>(std::move(y));
}

/// The different frames that pairs name, and each pair's place among them.
struct NamedFrames {
    InlineVector<Index, 256> frames;
    InlineVector<Index, 256> places;

    void name(Index frame) {
        const auto* found = std::find(frames.begin(), frames.end(), frame);
        places.push_back(found - frames.begin());
        if (found == frames.end()) frames.push_back(frame);
    }
    Index count() const { return static_cast<Index>(frames.size()); }
};

}  // namespace detail

}  // namespace mtdn
