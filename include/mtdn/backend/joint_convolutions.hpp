#pragma once

#include <mtdn/backend/backend.hpp>

namespace mtdn {

/// A backend that is to do several convolutions of the same operand as one, whose results' channels lie side by side:
/// the operand is read once. Used where it is there.
///
/// `joins_convolution(w, window)`: whether one of these weights is worth joining to others.
template <class B>
concept joins_convolutions = Backend<B> && requires(const B& b, detail::In<B> w, const Window& window) {
    { b.joins_convolution(w, window) } -> std::same_as<bool>;
};

}  // namespace mtdn
