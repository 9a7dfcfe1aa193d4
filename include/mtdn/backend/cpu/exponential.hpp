#pragma once

#include <mtdn/backend/cpu/simd.hpp>

namespace mtdn::detail::cpu {

/// x ← exp(x) within 2 units in the last place, for all floats.
///
/// x = n ln 2 + r, |r| ≤ ln 2 / 2; exp(r) by its Taylor polynomial of degree 7, times 2ⁿ in two steps that reach the
/// subnormal numbers and infinity.
template <class I>
MTDN_ALWAYS_INLINE inline void exponential(Vector<I>& x) {
    x = x < -104.0F ? Vector<I>{} - 104.0F : x;
    x = x > 89.0F ? Vector<I>{} + 89.0F : x;
    const Vector<I> shifted = x * 1.44269504F + 12582912.0F;  // 1.5 · 2²³: rounds to an integer in the low bits
    const Vector<I> n = shifted - 12582912.0F;
    const Integers<I> whole = (Integers<I>)shifted - 0x4B400000;
    const Vector<I> r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
    Vector<I> sum = r * (1.0F / 5040) + 1.0F / 720;
    sum = sum * r + 1.0F / 120;
    sum = sum * r + 1.0F / 24;
    sum = sum * r + 1.0F / 6;
    sum = sum * r + 0.5F;
    sum = sum * r + 1.0F;
    sum = sum * r + 1.0F;
    const Integers<I> half = whole >> 1;
    x = sum * (Vector<I>)((half + 127) << 23) * (Vector<I>)((whole - half + 127) << 23);
}

/// x ← 1 / (1 + exp(-x)).
template <class I>
MTDN_ALWAYS_INLINE inline void logistic(Vector<I>& x) {
    x = -x;
    exponential<I>(x);
    x = 1.0F / (1.0F + x);
}

}  // namespace mtdn::detail::cpu
