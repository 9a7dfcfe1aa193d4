#pragma once

#include <cstdint>

#include <mtdn/change/category.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

namespace detail {

inline void require_code_run(const std::uint8_t* values, Index count, std::uint8_t highest, const char* function,
                             const char* thing) {
    const Index wrong = first_outside(values, count, highest);
    if (wrong < 0) return;
    fail<DataError>(function, ": the ", thing, " has the value ", int{values[wrong]}, " at element ", wrong,
                    "; expected 0 to ", int{highest}, " or ", int{ignore_label}, " (ignore)");
}

inline void label_pixels(const std::uint8_t* query, const std::uint8_t* partner, std::uint8_t* labels, Index count) {
    for (Index i = 0; i < count; ++i) {
        const bool ignored = (query[i] == ignore_label) | (partner[i] == ignore_label);
        const auto label = static_cast<std::uint8_t>(2 * query[i] + partner[i]);
        labels[i] = ignored ? ignore_label : label;
    }
}

inline void recover_pixels(const std::uint8_t* labels, int bit, std::uint8_t* mask, Index count) {
    for (Index i = 0; i < count; ++i) {
        const auto value = static_cast<std::uint8_t>((labels[i] >> bit) & 1);
        mask[i] = labels[i] == ignore_label ? ignore_label : value;
    }
}

template <ArrayExpression L>
Array<std::uint8_t, mask_rank<L>> recover(const L& labels, int bit, const char* function) {
    const auto& codes = as_bytes<mask_rank<L>>(labels, function, "change map");
    require_codes(codes, 3, function, "change map");
    Array<std::uint8_t, mask_rank<L>> mask(codes.shape());
    recover_pixels(codes.data(), bit, mask.data(), static_cast<Index>(codes.size()));
    return mask;
}

}  // namespace detail

/// Categories of `count` pixels from two masks: `labels[i]` is overwritten; a pixel ignored in either is ignored.
///
/// @throws DataError if a mask's value is not 0, 1 or `ignore_label`
inline void change_labels(const std::uint8_t* query, const std::uint8_t* partner, std::uint8_t* labels, Index count) {
    detail::require_code_run(query, count, 1, "change_labels", "query mask");
    detail::require_code_run(partner, count, 1, "change_labels", "partner mask");
    detail::label_pixels(query, partner, labels, count);
}

/// Categories of every pixel from the masks of query frames and of their partners.
///
/// @shape  both (height, width) or both (frames, height, width) → the same
/// @throws ShapeError if the sizes differ, DataError, naming the pixel, if a value is not 0, 1 or `ignore_label`
/// @source paper §2.1.2
template <ArrayExpression Q, ArrayExpression P>
Array<std::uint8_t, detail::mask_rank<Q>> change_labels(const Q& query, const P& partner) {
    constexpr std::size_t rank = detail::mask_rank<Q>;
    detail::require_same_size(query, partner, "change_labels", "query mask", "partner mask");
    const auto& a = detail::as_bytes<rank>(query, "change_labels", "query mask");
    const auto& b = detail::as_bytes<rank>(partner, "change_labels", "partner mask");
    detail::require_codes(a, 1, "change_labels", "query mask");
    detail::require_codes(b, 1, "change_labels", "partner mask");
    Array<std::uint8_t, rank> labels(a.shape());
    detail::label_pixels(a.data(), b.data(), labels.data(), static_cast<Index>(a.size()));
    return labels;
}

/// The query frames' masks that a change map implies: disappearing and overlapping pixels.
///
/// @shape  (height, width) or (frames, height, width) → the same; ignored pixels stay ignored
/// @throws DataError, naming the pixel, if a value is neither a category nor `ignore_label`
template <ArrayExpression L>
Array<std::uint8_t, detail::mask_rank<L>> recover_query(const L& labels) {
    return detail::recover(labels, 1, "recover_query");
}

/// The partners' masks that a change map implies: appearing and overlapping pixels. Otherwise as `recover_query`.
template <ArrayExpression L>
Array<std::uint8_t, detail::mask_rank<L>> recover_partner(const L& labels) {
    return detail::recover(labels, 0, "recover_partner");
}

}  // namespace mtdn
