#pragma once

#include <cstdint>

#include <mtdn/backend/operand.hpp>
#include <mtdn/core/error.hpp>

namespace mtdn {

/// Instruction sets that the kernels of `CpuFor` are shaped for.
///
/// `floats`: width of a vector; `pixels`: rows of the register block of a convolution, two vectors wide, chosen so
/// that sums, weights and one broadcast value fill the registers.
namespace isa {

struct Baseline {
    static constexpr const char* name = "baseline (SSE2)";
    static constexpr int level = 0;
    static constexpr int floats = 4;
    static constexpr int pixels = 4;
};
struct Avx2 {
    static constexpr const char* name = "AVX2";
    static constexpr int level = 1;
    static constexpr int floats = 8;
    static constexpr int pixels = 6;
};
struct Avx512 {
    static constexpr const char* name = "AVX-512";
    static constexpr int level = 2;
    static constexpr int floats = 16;
    static constexpr int pixels = 14;
};
struct Avx512Bf16 : Avx512 {
    static constexpr const char* name = "AVX-512 with BF16";
    static constexpr int level = 3;
};

/// The best that the includer's flags allow.
#if defined(__AVX512BF16__) && defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
using Current = Avx512Bf16;
#elif defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
using Current = Avx512;
#elif defined(__AVX2__) && defined(__FMA__)
using Current = Avx2;
#else
using Current = Baseline;
#endif

}  // namespace isa

template <class I>
class CpuFor;

namespace detail::cpu {

/// The best instruction set that the processor has, as the level of its tag.
///
/// @tparam I makes the function the unit's own: units built with other flags have another one
template <class I>
int processor_level() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    if (!avx512) return avx2 ? 1 : 0;
    return __builtin_cpu_supports("avx512bf16") ? 3 : 2;
#else
    return 0;
#endif
}

inline const char* isa_name(int level) {
    constexpr const char* names[] = {isa::Baseline::name, isa::Avx2::name, isa::Avx512::name, isa::Avx512Bf16::name};
    return names[level];
}

/// @throws BackendError if a processor of level `processor` lacks what this unit was compiled for
template <class I>
void require_processor(int processor) {
    require<BackendError>(processor >= I::level, "Cpu: built for ", I::name, ", but the processor offers ",
                          isa_name(processor), " only; build with flags for the processor that runs it, or without "
                          "-march");
}

// Views of a `CpuFor<I>` from which functions deduce `I`.
template <class I>
using CpuIn = View<CpuFor<I>, const float>;
template <class I>
using CpuOut = View<CpuFor<I>, float>;
template <class I>
using CpuOperand = Operand<CpuFor<I>>;
template <class I>
using CpuLabels = View<CpuFor<I>, const std::uint8_t>;
template <class I>
using CpuCodes = View<CpuFor<I>, std::uint8_t>;

}  // namespace detail::cpu
}  // namespace mtdn
