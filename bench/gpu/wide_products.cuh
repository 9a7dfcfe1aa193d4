#pragma once

#include <mtdn/cuda_kernels.cuh>

// Hopper's products of four warps, which our kernels do not use yet: how fast they would be.

namespace mtdn::ceilings {

using namespace detail::cuda;

constexpr int threads_of_a_block = 256, rounds = 256;

// A product of 64 rows with `columns` columns from shared memory; the rows from shared memory too, or from registers.
// In the text the sums come first, then the operands a and b; here the sums are last.
#define MTDN_SHARED(columns, sums, a, b, ...)                                                                        \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32.bf16.bf16 {" sums "}, " a ", " b              \
                 ", 1, 1, 1, 0, 0;" : __VA_ARGS__ : "l"(left), "l"(right))
#define MTDN_REGISTERS(columns, sums, a, b, ...)                                                                     \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32.bf16.bf16 {" sums "}, {" a "}, " b            \
                 ", 1, 1, 1, 0;" : __VA_ARGS__ : "r"(word), "r"(word), "r"(word), "r"(word), "l"(right))
#define MTDN_8(i)                                                                                                    \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]),      \
        "+f"(d[i + 7])
#define MTDN_32(i) MTDN_8(i), MTDN_8(i + 8), MTDN_8(i + 16), MTDN_8(i + 24)
#define MTDN_SUMS_16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define MTDN_SUMS_32 MTDN_SUMS_16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define MTDN_SUMS_64                                                                                                 \
    MTDN_SUMS_32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55," \
                 "%56,%57,%58,%59,%60,%61,%62,%63"

template <int Columns, bool Registers>
struct WideProducts {
    static constexpr int threads = threads_of_a_block;
    static constexpr double operations = 2.0 * 64 * Columns * 16 * 8 * rounds * threads / 128;
    struct Shared {
        SharedArray<Unit, 128 + 2 * Columns> units;
    };
    float* result;  // set to 1 where there are such products

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
        Shared& shared = block.shared();
        for (int i = block.thread(); i < 128 + 2 * Columns; i += threads)
            shared.units[i] = {0x3f803f80, 0x3fa03f91, 0x3f8a3f83, 0x3fb73fa0};
        asm volatile("fence.proxy.async;" ::: "memory");
        block.sync();
        // Matrices of 8 rows of 16 bytes: the next of the sum is 128 bytes on, that of the rows 256; not swizzled.
        const auto describe = [](const Unit* at) {
            return std::uint64_t{shared_address(at) / 16} | std::uint64_t{8} << 16 | std::uint64_t{16} << 32;
        };
        [[maybe_unused]] const std::uint64_t left = describe(&shared.units[0]), right = describe(&shared.units[128]);
        [[maybe_unused]] const Word word = 0x3f803f80 + static_cast<Word>(block.thread());
        float d[Columns / 2] = {};
#pragma unroll 1
        for (int r = 0; r < rounds; ++r) {
            asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
            MTDN_UNROLL
            for (int k = 0; k < 8; ++k) {
                if constexpr (Columns == 32 && Registers)
                    MTDN_REGISTERS(32, MTDN_SUMS_16, "%16,%17,%18,%19", "%20", MTDN_8(0), MTDN_8(8));
                else if constexpr (Columns == 32) MTDN_SHARED(32, MTDN_SUMS_16, "%16", "%17", MTDN_8(0), MTDN_8(8));
                else if constexpr (Columns == 64 && Registers)
                    MTDN_REGISTERS(64, MTDN_SUMS_32, "%32,%33,%34,%35", "%36", MTDN_32(0));
                else if constexpr (Columns == 64) MTDN_SHARED(64, MTDN_SUMS_32, "%32", "%33", MTDN_32(0));
                else if constexpr (Registers)
                    MTDN_REGISTERS(128, MTDN_SUMS_64, "%64,%65,%66,%67", "%68", MTDN_32(0), MTDN_32(32));
                else MTDN_SHARED(128, MTDN_SUMS_64, "%64", "%65", MTDN_32(0), MTDN_32(32));
            }
            asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory");
        }
        float all = 0;
        for (const float value : d) all += value;
        if (block.number() == 0 && block.thread() == 0) *result = all == -1 ? 2 : 1;
#endif
    }
};

}  // namespace mtdn::ceilings
