#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// Anything whose values can be read as an array's: an xtensor container, adaptor, view or unevaluated expression.
template <class E>
concept ArrayExpression = requires(const E& expression) {
    typename E::value_type;
    typename E::shape_type;
    { expression.dimension() } -> std::convertible_to<std::size_t>;
    { expression.shape()[0] } -> std::convertible_to<std::size_t>;
};

namespace detail {

/// Dimensions of an array of masks or labels: those of the type, or 3 (frames) where only the value knows them.
template <ArrayExpression E>
consteval std::size_t rank_of_type() {
    using Sizes = typename E::shape_type;
    if constexpr (requires { std::tuple_size<Sizes>::value; })
        return std::tuple_size<Sizes>::value;
    else
        return xt::get_rank<E>::value <= 4 ? xt::get_rank<E>::value : 3;
}

template <ArrayExpression E>
inline constexpr std::size_t mask_rank = rank_of_type<E>();

/// A size as written in messages: `(3, 256, 256)`.
template <class E>
[[gnu::cold]] std::string size_text(const E& array) {
    std::string text = "(";
    for (std::size_t d = 0; d < array.dimension(); ++d) text += (d ? ", " : "") + std::to_string(array.shape()[d]);
    return text + ")";
}

/// The place of an element as written in messages: `frame 2, row 3, column 5`.
template <class E>
[[gnu::cold]] std::string pixel_text(const E& array, Index element) {
    static constexpr const char* names[] = {"frame ", "row ", "column "};
    const std::size_t dimensions = array.dimension();
    std::string text;
    for (std::size_t d = dimensions; d-- > 0;) {
        const Index place = element % extent(array, d);
        element /= extent(array, d);
        const std::string name = dimensions <= 3 ? names[d + 3 - dimensions] : "index ";
        text = name + std::to_string(place) + (text.empty() ? "" : ", ") + text;
    }
    return text;
}

/// Index of the first byte that is neither at most `highest` nor `ignore_label`; −1 if there is none.
inline Index first_outside(const std::uint8_t* values, Index count, std::uint8_t highest) {
    const auto outside = [highest](std::uint8_t value) { return (value > highest) & (value != ignore_label); };
    bool any = false;  // a first pass without an exit runs at the memory's speed
    for (Index i = 0; i < count; ++i) any |= outside(values[i]);
    return any ? std::find_if(values, values + count, outside) - values : -1;
}

/// Throws DataError, naming the pixel, unless every value is at most `highest` or `ignore_label`.
template <std::size_t N>
void require_codes(const Array<std::uint8_t, N>& array, std::uint8_t highest, std::string_view function,
                   std::string_view thing) {
    const Index wrong = first_outside(array.data(), static_cast<Index>(array.size()), highest);
    if (wrong < 0) return;
    fail<DataError>(function, ": the ", thing, " has the value ", int{array.data()[wrong]}, " at ",
                    pixel_text(array, wrong), "; expected 0 to ", int{highest}, " or ", int{ignore_label}, " (ignore)");
}

/// The expression as a contiguous array of bytes: itself if it is one, else a copy.
///
/// @throws ShapeError if it has not N dimensions, DataError if a value is no byte
template <std::size_t N, ArrayExpression E>
decltype(auto) as_bytes(const E& expression, std::string_view function, std::string_view thing) {
    if constexpr (std::same_as<E, Array<std::uint8_t, N>>) {
        return (expression);
    } else {
        using Value = std::remove_cv_t<typename E::value_type>;
        require<ShapeError>(expression.dimension() == N, function, ": the ", thing, " must have ", N,
                            " dimensions, got size ", size_text(expression));
        const Array<Value, N> values = expression;
        Array<std::uint8_t, N> bytes(values.shape());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const Value value = values.data()[i];
            const bool fits = value >= Value(0) && static_cast<long double>(value) <= 255;
            const auto byte = fits ? static_cast<std::uint8_t>(value) : std::uint8_t{0};
            require<DataError>(fits && static_cast<Value>(byte) == value, function, ": the ", thing, " has the value ",
                               value, " at ", pixel_text(values, static_cast<Index>(i)),
                               "; expected whole numbers from 0 to 255");
            bytes.data()[i] = byte;
        }
        return bytes;
    }
}

/// Throws ShapeError unless both arrays have the same size.
template <class A, class B>
void require_same_size(const A& a, const B& b, std::string_view function, std::string_view a_name,
                       std::string_view b_name) {
    const bool same =
        a.dimension() == b.dimension() && std::equal(a.shape().begin(), a.shape().end(), b.shape().begin());
    require<ShapeError>(same, function, ": the ", a_name, " has size ", size_text(a), ", the ", b_name, " ",
                        size_text(b), "; they must be equal");
}

}  // namespace detail
}  // namespace mtdn
