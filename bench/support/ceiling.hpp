#pragma once

// What a machine can do at most, by work that does nothing else.
#include <algorithm>
#include <vector>

#include <mtdn/core/threads.hpp>

namespace mtdn::bench {

#if defined(__AVX512F__)
inline constexpr int ceiling_width = 16;
#elif defined(__AVX__)
inline constexpr int ceiling_width = 8;
#else
inline constexpr int ceiling_width = 4;
#endif
inline constexpr int ceiling_chains = 12;  // independent ones: enough to hide the latency, few enough for the registers

/// Keeps a value from being computed at compile time, or seen to be equal to another.
template <class T>
void opaque(T& value) {
    asm volatile("" : "+m"(value) : : "memory");
}

/// Floating-point operations of `multiply_adds`.
inline double multiply_add_operations(const ThreadPool& pool, int rounds) {
    return 2.0 * ceiling_width * ceiling_chains * rounds * pool.size();
}

/// `rounds` multiply-adds in each chain of every thread, in vectors as wide as the includer's flags allow.
inline void multiply_adds(ThreadPool& pool, int rounds) {
    typedef float Vector __attribute__((vector_size(4 * ceiling_width)));
    pool.run(pool.size(), [rounds](Index) {
        Vector sums[ceiling_chains] = {};
        for (Vector& sum : sums) opaque(sum);
        for (int round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
            for (int i = 0; i < ceiling_chains; ++i) sums[i] = sums[i] * 0.999F + 0.5F;
        }
        for (Vector& sum : sums) opaque(sum);
    });
}

/// Copies `from` to `to`, each thread its part.
inline void copy(ThreadPool& pool, const std::vector<float>& from, std::vector<float>& to) {
    const auto part = static_cast<Index>(from.size()) / pool.size();
    pool.run(pool.size(),
             [&](Index piece) { std::copy_n(from.data() + piece * part, part, to.data() + piece * part); });
    opaque(to[0]);
}

}  // namespace mtdn::bench
