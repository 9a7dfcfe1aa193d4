#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include <mtdn/backend/cuda/block.hpp>
#include <mtdn/backend/cuda/testing/fibers.hpp>

// What a warp's tensor cores do, on the host.

namespace mtdn::detail::cuda {

/// The nearest number of 11 significant bits, of two equally near ones the larger.
inline Word nearest_tf32(float value) {
    const auto all = std::bit_cast<Word>(value);
    return (std::isnan(value) ? all | 0x400000 : all + 0x1000) & 0xffffe000U;
}

/// What the 32 lanes of a warp gave an operation that they do together.
struct Lanes {
    struct Lane {
        const void* row = nullptr;  // of load_rows, load_columns
        Word* words = nullptr;
        float* sum = nullptr;  // of multiply_bf16, multiply_tf32
        const Word* a = nullptr;
        Word b[2] = {};
    };
    Lane lanes[32];

    static void load_rows(const Lanes& all) {
        all.require_banks();
        for (int lane = 0; lane < 32; ++lane)
            for (int matrix = 0; matrix < 4; ++matrix)
                std::memcpy(&all.lanes[lane].words[matrix], all.row(matrix, lane / 4) + 4 * (lane % 4), 4);
    }
    static void load_columns(const Lanes& all) {
        all.require_banks();
        for (int lane = 0; lane < 32; ++lane)
            for (int matrix = 0; matrix < 4; ++matrix) {
                std::uint16_t halves[2];
                for (int i = 0; i < 2; ++i)
                    std::memcpy(&halves[i], all.row(matrix, lane % 4 * 2 + i) + 2 * (lane / 4), 2);
                all.lanes[lane].words[matrix] = Word{halves[0]} | Word{halves[1]} << 16;
            }
    }
    static void multiply_bf16(const Lanes& all) {
        multiply<16>(all, [](Word two, int i) { return std::bit_cast<float>(i == 0 ? two << 16 : two & 0xffff0000U); });
    }
    static void multiply_tf32(const Lanes& all) {
        multiply<8>(all, [](Word word, int) { return std::bit_cast<float>(word & 0xffffe000U); });
    }

private:
    /// The rows of a matrix are read at once if they lie in different banks, of which there are 32 of four bytes.
    void require_banks() const {
        for (int matrix = 0; matrix < 4; ++matrix) {
            unsigned met = 0;
            for (int i = 0; i < 8; ++i) met |= 1U << (reinterpret_cast<std::uintptr_t>(row(matrix, i)) / 16 % 8);
            require<BackendError>(met == 0xff, "rows of a matrix share banks of shared memory");
        }
    }
    const unsigned char* row(int matrix, int i) const {
        return static_cast<const unsigned char*>(lanes[8 * matrix + i].row);
    }

    /// What a tensor core makes of a sum: cut off, not rounded, which is the worst that has been reported of them (by
    /// Fasi and others; Valpey and others found otherwise).
    ///
    /// @source Fasi, Higham, Mikaitis and Pranesh 2021, "Numerical behavior of NVIDIA tensor cores"; Valpey, Li, Pai
    ///   and Gopalakrishnan 2025, "An SMT formalization of mixed-precision matrix multiplication"
    static float cut_off(double sum) {
        const auto nearest = static_cast<float>(sum);
        return std::abs(double{nearest}) > std::abs(sum) ? std::nextafter(nearest, 0.0F) : nearest;
    }

    /// sum (16 × 8) += a (16 × Depth) · b (Depth × 8). A word holds Depth/8 numbers.
    template <int Depth, class Value>
    static void multiply(const Lanes& all, Value value) {
        constexpr int in_word = Depth / 8;
        double a[16][Depth], b[Depth][8], sum[16][8];
        for (int lane = 0; lane < 32; ++lane) {
            const Lane& own = all.lanes[lane];
            const int row = lane / 4, column = lane % 4;
            for (int i = 0; i < in_word; ++i) {
                const int k = column * in_word + i;
                for (int quarter = 0; quarter < 4; ++quarter)
                    a[row + quarter % 2 * 8][k + quarter / 2 * (Depth / 2)] = value(own.a[quarter], i);
                for (int half = 0; half < 2; ++half) b[k + half * (Depth / 2)][row] = value(own.b[half], i);
            }
            for (int i = 0; i < 4; ++i) sum[row + i / 2 * 8][2 * column + i % 2] = own.sum[i];
        }
        for (int i = 0; i < 16; ++i)
            for (int k = 0; k < Depth; ++k)
                for (int j = 0; j < 8; ++j) sum[i][j] += a[i][k] * b[k][j];
        for (int lane = 0; lane < 32; ++lane)
            for (int i = 0; i < 4; ++i)
                all.lanes[lane].sum[i] = cut_off(sum[lane / 4 + i / 2 * 8][2 * (lane % 4) + i % 2]);
    }
};

using Fibers = FibersOf<Lanes>;

}  // namespace mtdn::detail::cuda
