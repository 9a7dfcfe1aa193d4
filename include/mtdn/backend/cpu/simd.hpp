#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <mtdn/core/shape.hpp>

#define MTDN_ALWAYS_INLINE __attribute__((always_inline))

namespace mtdn::detail::cpu {

// Vectors of the compiler (GCC, clang): `+`, `*`, … work on all lanes, and a vector wider than the machine's registers
// is split by the compiler. Only references to vectors are passed around: by value they would change the ABI.
template <int Floats>
struct Simd;

template <>
struct Simd<4> {
    typedef float Vector __attribute__((vector_size(16)));
    typedef std::int32_t Integers __attribute__((vector_size(16)));
};
template <>
struct Simd<8> {
    typedef float Vector __attribute__((vector_size(32)));
    typedef std::int32_t Integers __attribute__((vector_size(32)));
};
template <>
struct Simd<16> {
    typedef float Vector __attribute__((vector_size(64)));
    typedef std::int32_t Integers __attribute__((vector_size(64)));
};

template <class I>
using Vector = typename Simd<I::floats>::Vector;
template <class I>
using Integers = typename Simd<I::floats>::Integers;

/// Reads and writes a vector at any alignment.
template <class V>
MTDN_ALWAYS_INLINE inline void load(const float* from, V& vector) {
    __builtin_memcpy(&vector, from, sizeof(V));
}
template <class V>
MTDN_ALWAYS_INLINE inline void store(const V& vector, float* to) {
    __builtin_memcpy(to, &vector, sizeof(V));
}

/// Copies `count` < `Limit` floats, in pieces of powers of two. `Limit` is at most 32.
template <int Limit>
MTDN_ALWAYS_INLINE inline void copy_few(const float* from, Index count, float* to) {
    const auto piece = [&](auto size) MTDN_ALWAYS_INLINE {
        if constexpr (size < Limit)
            if ((count & size) != 0) {
                __builtin_memcpy(to, from, size * sizeof(float));
                from += size;
                to += size;
            }
    };
    piece(std::integral_constant<int, 16>{});
    piece(std::integral_constant<int, 8>{});
    piece(std::integral_constant<int, 4>{});
    piece(std::integral_constant<int, 2>{});
    piece(std::integral_constant<int, 1>{});
}

// What is left at the end of a row: not worth writing out wherever it is needed.
template <class V>
__attribute__((noinline)) void load_some(const float* from, V& vector, Index lanes) {
    constexpr int all = sizeof(V) / sizeof(float);
    alignas(V) float values[all] = {};
    copy_few<all>(from, lanes, values);
    __builtin_memcpy(&vector, values, sizeof(V));
}
template <class V>
__attribute__((noinline)) void store_some(const V& vector, float* to, Index lanes) {
    constexpr int all = sizeof(V) / sizeof(float);
    alignas(V) float values[all];
    __builtin_memcpy(values, &vector, sizeof(V));
    copy_few<all>(values, lanes, to);
}

/// The same for the first `lanes` lanes; the others are read as 0.
template <class V>
MTDN_ALWAYS_INLINE inline void load(const float* from, V& vector, Index lanes) {
    if (lanes >= static_cast<Index>(sizeof(V) / sizeof(float))) return load(from, vector);
    V some;  // a copy, or the vector could not stay in a register
    load_some(from, some, lanes);
    vector = some;
}
template <class V>
MTDN_ALWAYS_INLINE inline void store(const V& vector, float* to, Index lanes) {
    if (lanes >= static_cast<Index>(sizeof(V) / sizeof(float))) return store(vector, to);
    const V some = vector;
    store_some(some, to, lanes);
}

/// y = body(x...) vector by vector, over `count` elements; y may be any of x. `body(out, in...)` takes references.
template <class I, class Body, class... X>
MTDN_ALWAYS_INLINE inline void for_vectors(Index count, Body&& body, float* y, const X*... x) {
    for (Index i = 0; i < count; i += I::floats) {
        const Index lanes = count - i;
        [&]<int... k>(std::integer_sequence<int, k...>) MTDN_ALWAYS_INLINE {
            Vector<I> out{}, in[sizeof...(x) + 1];
            (load(x + i, in[k], lanes), ...);
            body(out, in[k]...);
            store(out, y + i, lanes);
        }(std::make_integer_sequence<int, sizeof...(x)>{});
    }
}

/// Calls `body(integral_constant<int, i>)` for i in [0, Count), written out, so that arrays of vectors stay registers.
template <int Count, class Body>
MTDN_ALWAYS_INLINE inline void unroll(Body&& body) {
    [&]<int... i>(std::integer_sequence<int, i...>) MTDN_ALWAYS_INLINE {
        (body(std::integral_constant<int, i>{}), ...);
    }(std::make_integer_sequence<int, Count>{});
}

}  // namespace mtdn::detail::cpu
