#pragma once

#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/simd.hpp>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace mtdn::detail::cpu {

/// What a kernel is shaped for that multiplies words: two bfloat16 in the place of a float, one in each half.
template <class I>
struct Pairs : I {
#ifdef __AVX512BF16__
    static constexpr bool native = I::level >= isa::Avx512Bf16::level;
#else
    static constexpr bool native = false;
#endif
    // Without the instruction, halves of words and a mask take registers too, and few kernels are quickly compiled.
    static constexpr int pixels = native ? I::pixels : 3;
};

/// The multiply-add of the kernels: of vector `a` by one value, of which a word stands for two.
template <class I>
struct Product {
    MTDN_ALWAYS_INLINE static void add(const Vector<I>& a, const float& b, Vector<I>& sum) { sum += a * b; }
};

/// The products of two bfloat16 are exact in single precision; each sum is rounded once.
///
/// The instruction is documented as two fused multiply-adds as well, which take what is below 2⁻¹²⁶ for 0; which half
/// it adds first shows in the last bit at most.
template <class I>
struct Product<Pairs<I>> {
    MTDN_ALWAYS_INLINE static void add(const Vector<I>& a, const float& b, Vector<I>& sum) {
        std::int32_t word;
        __builtin_memcpy(&word, &b, sizeof word);
        const Integers<I> words = word + Integers<I>{};
#ifdef __AVX512BF16__
        if constexpr (Pairs<I>::native) {
            sum = Vector<I>(_mm512_dpbf16_ps(__m512(sum), __m512bh(a), __m512bh(words)));
            return;
        }
#endif
        const Integers<I> halves = Integers<I>(a);
        sum += Vector<I>(halves & ~0xffff) * Vector<I>(words & ~0xffff);
        sum += Vector<I>(halves << 16) * Vector<I>(words << 16);
    }
};

/// Words of `low`, in the lower half, and `high`, rounded to the nearest, of two equally near to the even one; what is
/// no number stays none.
template <class I>
MTDN_ALWAYS_INLINE inline void pair(const Vector<I>& low, const Vector<I>& high, Vector<I>& words) {
    const auto round = [](const Vector<I>& value, Integers<I>& bits) MTDN_ALWAYS_INLINE {
        const Integers<I> number = value == value;
        bits = (Integers<I>(value) & number) | (0x7fc00000 & ~number);
        bits += 0x7fff + ((bits >> 16) & 1);
    };
    Integers<I> lower, upper;
    round(low, lower);
    round(high, upper);
    words = Vector<I>(((lower >> 16) & 0xffff) | (upper & ~0xffff));
}

/// Writes words of `count` values of `low` and as many of `high`, of which those from `some` on count as 0. `words` may
/// be `low`.
template <class I>
void pair_values(const float* low, const float* high, Index some, Index count, float* words) {
    for_vectors<I>(some, [](auto& out, const auto& a, const auto& b) { pair<I>(a, b, out); }, words, low, high);
    for_vectors<I>(count - some, [](auto& out, const auto& a) { pair<I>(a, Vector<I>{}, out); }, words + some,
                   low + some);
}

}  // namespace mtdn::detail::cpu
