#pragma once

// Convolution as most would write it: the neighbourhoods copied to the rows of a matrix, and a library's product.
#include <atomic>

#ifdef PEERS_OPENBLAS
#include <cblas.h>
extern "C" void openblas_set_num_threads(int);
#endif

#include <mtdn/core/eigen.hpp>
#include <mtdn/core/threads.hpp>

#include "layer.hpp"
#include "openmp.hpp"

namespace peers::gemm {

/// Copies the neighbourhoods of one image row's pixels to the rows of a matrix (side, kernel² · in).
inline void gather_row(const Layer& layer, const std::vector<float>& x, Index frame, Index row, float* to) {
    const Index run = layer.in, padding = layer.padding();
    for (Index column = 0; column < layer.side; ++column) {
        for (Index a = 0; a < layer.kernel; ++a) {
            for (Index b = 0; b < layer.kernel; ++b, to += run) {
                const Index i = row + a - padding, j = column + b - padding;
                if (i < 0 || j < 0 || i >= layer.side || j >= layer.side)
                    std::fill_n(to, run, 0.0F);
                else
                    std::copy_n(x.data() + ((frame * layer.side + i) * layer.side + j) * run, run, to);
            }
        }
    }
}

/// Forward convolution by `product(rows, inner, columns, a, b, c)`: c = a · b, all row-major, of one thread.
template <class Product>
Contestant contestant(const std::string& name, const Layer& layer, const Operands& operands, mtdn::ThreadPool& pool,
                      Product product) {
    auto y = std::make_shared<std::vector<float>>(operands.dy.size());
    // As many image rows at once as make a product worth its while, and a matrix that stays in a core's cache.
    const Index inner = layer.kernel * layer.kernel * layer.in;
    const Index at_once = std::clamp<Index>((Index{1} << 18) / (inner * layer.side), 1, layer.side);
    auto run = [=, &layer, &operands, &pool] {
        const Index pieces = (layer.side + at_once - 1) / at_once;
        pool.run(layer.frames * pieces, [&](Index piece) {
            thread_local std::vector<float> matrix;
            matrix.resize(static_cast<std::size_t>(at_once * layer.side * inner));
            const Index frame = piece / pieces, first = piece % pieces * at_once;
            const Index rows = std::min(at_once, layer.side - first);
            for (Index row = 0; row < rows; ++row)
                gather_row(layer, operands.x, frame, first + row, matrix.data() + row * layer.side * inner);
            product(rows * layer.side, inner, layer.out, matrix.data(), operands.w.data(),
                    y->data() + (frame * layer.side + first) * layer.side * layer.out);
        });
    };
    return {name, run, [y] { return *y; }};
}

inline Contestant eigen(const Layer& layer, const Operands& operands, mtdn::ThreadPool& pool) {
    using Matrix = mtdn::RowMatrix<float>;
    const auto product = [](Index rows, Index inner, Index columns, const float* a, const float* b, float* c) {
        Eigen::Map<Matrix>(c, rows, columns).noalias() =
            Eigen::Map<const Matrix>(a, rows, inner) * Eigen::Map<const Matrix>(b, inner, columns);
    };
    return contestant("Eigen, im2col", layer, operands, pool, product);
}

#ifdef PEERS_OPENBLAS
inline Contestant openblas(const Layer& layer, const Operands& operands, mtdn::ThreadPool& pool) {
    const auto product = [](Index rows, Index inner, Index columns, const float* a, const float* b, float* c) {
        openblas_set_num_threads(1);  // of this thread, in an OpenMP build
        const auto n = [](Index value) { return static_cast<int>(value); };
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n(rows), n(columns), n(inner), 1, a, n(inner), b,
                    n(columns), 0, c, n(columns));
    };
    Contestant that = contestant("OpenBLAS, im2col", layer, operands, pool, product);
    that.run = [run = that.run, &pool] {
        run();
        set_openmp_threads(pool.size());  // else oneDNN, which comes next, would have one
    };
    return that;
}
#endif

}  // namespace peers::gemm
