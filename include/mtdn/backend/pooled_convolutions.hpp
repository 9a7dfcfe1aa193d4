#pragma once

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// Where a convolution writes, beside its result, one value of each 2×2 square of it: the largest or, in channels of
/// which `sign` is negative, the smallest. Empty: nowhere.
///
/// A batch norm and an activation that never decreases make of these the largest of what they make of all four, for the
/// norm's scale has its weight's sign: squares are pooled before the batch's statistics are known.
///
/// @shape sign (1, 1, 1, C), or empty where the largest are wanted; y (N, H / 2, W / 2, C) of a result (N, H, W, C)
template <class B>
struct SquareExtremes {
    View<B, const typename B::Scalar> sign{};
    View<B, typename B::Scalar> y{};
};

/// A backend whose convolutions write these. Used where it is there; without it `max_pool` reads the whole result.
///
/// `pools_convolution(w, window, activation)`: whether it does so for a convolution of these weights; asked first.
/// `convolve`, and `convolve_with_statistics`, with `SquareExtremes` behind all else: of what is stored.
template <class B>
concept pools_convolutions = Backend<B> && requires(B& b, const Operand<B>& operand, detail::In<B> x, detail::Out<B> y,
                                                    const Window& window, const SquareExtremes<B>& extremes) {
    { b.pools_convolution(x, window, Activation::relu) } -> std::same_as<bool>;
    { b.convolve(operand, x, x, x, window, Activation::relu, y, extremes) } -> std::same_as<void>;
    { b.convolve_with_statistics(operand, x, window, y, y, y, extremes) } -> std::same_as<void>;
};

}  // namespace mtdn
