#pragma once

#include <algorithm>
#include <span>

#include <mtdn/backend/options.hpp>
#include <mtdn/backend/tensor.hpp>
#include <mtdn/core/inline_vector.hpp>

namespace mtdn {

/// Some channels of an operand as they lie in memory. Where `scale` is there, the reader takes
/// activation(scale · x + shift) for x.
///
/// @shape x (N, H, W, C); scale, shift (g, 1, 1, C), one row for each of g equal runs of frames
template <class B>
struct OperandPart {
    View<B, const typename B::Scalar> x{};
    View<B, const typename B::Scalar> scale{};
    View<B, const typename B::Scalar> shift{};
    Activation activation = Activation::identity;

    bool pending() const { return bool(scale); }
    /// Row of `scale` and `shift` that frame `frame` has.
    Index group(Index frame) const { return frame * scale.shape.frames / x.shape.frames; }
};

/// An operand in one or more parts, side by side: what an operation reads that can read concatenations and pending
/// normalisations as they are. Owns no values.
template <class B>
class Operand {
public:
    using Part = OperandPart<B>;

    Operand(View<B, const typename B::Scalar> x) { parts_.push_back({x}); }
    Operand(const Tensor<B>& x) : Operand(View<B, const typename B::Scalar>(x)) {}
    explicit Operand(std::span<const Part> parts) {
        for (const Part& part : parts) parts_.push_back(part);
    }

    std::span<const Part> parts() const { return parts_; }
    Shape shape() const {
        Shape shape = parts_.front().x.shape;
        for (std::size_t i = 1; i < parts_.size(); ++i) shape.channels += parts_[i].x.shape.channels;
        return shape;
    }
    /// Whether it is one view with nothing pending.
    bool plain() const { return parts_.size() == 1 && !parts_.front().pending(); }

    /// Calls `body(part, first, count, offset)` for the parts that have some of `total` channels from `begin` on:
    /// the part's channels from `first` on, `count` of them, which are those from `begin + offset` on.
    template <class Body>
    void for_channels(Index begin, Index total, Body&& body) const {
        Index start = 0;
        for (const Part& part : parts_) {
            const Index end = start + part.x.shape.channels;
            const Index from = std::max(start, begin), to = std::min(end, begin + total);
            if (from < to) body(part, from - start, to - from, from - begin);
            start = end;
        }
    }

private:
    InlineVector<Part, 4> parts_;
};

}  // namespace mtdn
