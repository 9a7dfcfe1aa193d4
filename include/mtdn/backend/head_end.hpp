#pragma once

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// The last two convolutions of a head in evaluation: relu(scale · (x ⋆ w) + shift), and 1×1 with a bias to the logits.
/// Owns no values.
///
/// @shape w (k, k, I, O); scale, shift (1, 1, 1, O); last (1, 1, O, classes); bias (1, 1, 1, classes) or empty
template <class B>
struct HeadEnd {
    using In = View<B, const typename B::Scalar>;
    In w{}, scale{}, shift{};
    Window window{};
    In last{}, bias{};
};

/// A backend that does the end of a head at once, where nothing is trained. Used where it is there; without it two
/// calls of `convolve`, and `arg_max`, do the same one after the other.
///
/// `joins_head_end(end)`: whether it does so for convolutions of these shapes and this window.
/// `finish_head(x, end, logits)`; `finish_head(x, end, codes)`: the first largest of the logits instead.
template <class B>
concept joins_head_ends = Backend<B> && requires(B& b, const Operand<B>& x, const HeadEnd<B>& end,
                                                 detail::Out<B> logits, View<B, std::uint8_t> codes) {
    { b.joins_head_end(end) } -> std::same_as<bool>;
    { b.finish_head(x, end, logits) } -> std::same_as<void>;
    { b.finish_head(x, end, codes) } -> std::same_as<void>;
};

}  // namespace mtdn
