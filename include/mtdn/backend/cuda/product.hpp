#pragma once

#include <mtdn/backend/cuda/block.hpp>

namespace mtdn::detail::cuda {

/// How a product of matrices is cut: tiles of the result, and pieces of the sum over `inner`. By the shape alone.
struct ProductPlan {
    static constexpr int height = 64;             // rows of a tile
    static constexpr int depth = 16;              // terms of the sum that a block has in shared memory at a time
    static constexpr Index long_sum = 4096;       // terms that one piece may have
    static constexpr Index enough_blocks = 1024;  // that keep any GPU busy

    int width;  // columns of a tile: 16, 32 or 64
    int rows, columns, inner;
    int row_tiles, column_tiles;
    int pieces, piece;  // pieces of the sum, and the terms of one, a multiple of `depth`

    constexpr Index blocks() const { return Index{row_tiles} * column_tiles * pieces; }
};

/// @param cut  whether the sum may be cut, so that there are enough blocks and no sum is long
constexpr ProductPlan product_plan(Index rows, Index columns, Index inner, bool cut) {
    require<BackendError>(rows <= INT32_MAX / 2 && columns <= INT32_MAX / 2 && inner <= INT32_MAX / 2,
                          "a convolution of ", rows, " x ", inner, " by ", inner, " x ", columns,
                          " is larger than the CUDA kernels count; lower the batch or the size");
    const Index width = columns <= 16 ? 16 : columns <= 32 ? 32 : 64;
    const Index row_tiles = ceil_div(rows, ProductPlan::height), column_tiles = ceil_div(columns, width);
    Index pieces = 1;
    if (cut) {
        const Index busy = ceil_div(ProductPlan::enough_blocks, most(row_tiles * column_tiles, 1));
        pieces = most(least(busy, ceil_div(inner, 512)), ceil_div(inner, ProductPlan::long_sum));
    }
    const Index piece = most(ceil_div(ceil_div(inner, most(pieces, 1)), ProductPlan::depth), 1) * ProductPlan::depth;
    pieces = most(ceil_div(inner, piece), 1);
    const auto narrow = [](Index i) { return static_cast<int>(i); };
    return {narrow(width),     narrow(rows),         narrow(columns), narrow(inner),
            narrow(row_tiles), narrow(column_tiles), narrow(pieces),  narrow(piece)};
}

inline namespace MTDN_KERNELS {

// Matrices are read by what they say of a row and of a column: `m.at(m.row(i), m.column(j))`, so that what depends on
// one index alone, such as where a pixel lies, is computed once. `along_rows`: whether neighbours in a row are
// neighbours in memory, which neighbouring threads then read.

/// A matrix in memory.
struct Plain {
    static constexpr bool along_rows = true;
    const float* data;
    Index stride;

    using Row = const float*;
    using Column = int;
    MTDN_DEVICE Row row(int i) const { return data + i * stride; }
    MTDN_DEVICE Column column(int j) const { return j; }
    MTDN_DEVICE float at(Row row, Column column) const { return row[column]; }
};

template <class M>
struct Transposed {
    static constexpr bool along_rows = !M::along_rows;
    M matrix;

    using Row = typename M::Column;
    using Column = typename M::Row;
    MTDN_DEVICE Row row(int i) const { return matrix.column(i); }
    MTDN_DEVICE Column column(int j) const { return matrix.row(j); }
    MTDN_DEVICE float at(const Row& row, const Column& column) const { return matrix.at(column, row); }
};

/// Reads tiles of Height × `depth` elements of a matrix, each thread Height/16 of them.
template <class M, int Height, int Threads>
class TileReader {
    static constexpr int depth = ProductPlan::depth, reads = Height * depth / Threads;
    static constexpr int rows = M::along_rows ? reads : 1;  // of one thread

public:
    MTDN_DEVICE TileReader(const M& matrix, int first, int limit, int thread)
        : matrix_(matrix), row_(M::along_rows ? thread / depth : thread % Height),
          column_(M::along_rows ? thread % depth : thread / Height), limit_(limit - first) {
        for (int r = 0; r < rows; ++r)
            if (tile_row(r) < limit_) row_of_[r] = matrix.row(first + tile_row(r));
    }

    /// Columns [k, k + depth) of the tile, zeros where the matrix ends.
    template <class Tile>
    MTDN_DEVICE void read(int k, int end, Tile& tile) const {
        typename M::Column column{};
        if (M::along_rows && k + column_ < end) column = matrix_.column(k + column_);
        for (int r = 0; r < reads; ++r) {
            const int at = tile_row(r), deep = M::along_rows ? column_ : column_ + r * (Threads / Height);
            const bool there = at < limit_ && k + deep < end;
            if (!M::along_rows && there) column = matrix_.column(k + deep);
            tile[deep][at] = there ? matrix_.at(row_of_[M::along_rows ? r : 0], column) : 0.0F;
        }
    }

private:
    MTDN_DEVICE int tile_row(int r) const { return M::along_rows ? row_ + r * (Threads / depth) : row_; }

    const M& matrix_;
    int row_, column_, limit_;
    typename M::Row row_of_[rows] = {};
};

/// store(i, j, Σ_k left(i, k) · right(k, j), piece) for each piece of the sum.
///
/// A block makes a tile of 64 × Width sums, each of its threads 4 × Width/16, from `depth` columns of left and rows of
/// right at a time. Sums of 512 terms are added up on their own, so that rounding grows with the root of 512 and of
/// their number, not of that of all terms.
///
/// @source Volkov and Demmel 2008, "Benchmarking GPUs to tune dense linear algebra", on tiles held in registers
template <int Width, class Left, class Right, class Store>
struct Product {
    static constexpr int threads = 256, height = ProductPlan::height, depth = ProductPlan::depth;
    static constexpr int rows = 4, columns = Width / 16;  // of a thread

    // Four elements more than a row needs: threads that write a column meet more banks, and rows stay aligned.
    struct Shared {
        SharedArray<SharedArray<float, height + 4>, depth> left;
        SharedArray<SharedArray<float, Width + 4>, depth> right;
    };

    ProductPlan plan;
    Left left;
    Transposed<Right> right;  // its columns are read like left's rows
    Store store;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        Shared& shared = block.shared();
        const int thread = block.thread();
        const Split tile = split(block.number(), Index{plan.row_tiles} * plan.column_tiles);
        const Split at = split(tile.rest, plan.column_tiles);
        const int piece = static_cast<int>(tile.quotient);
        const int first_row = static_cast<int>(at.quotient) * height, first_column = static_cast<int>(at.rest) * Width;
        const int begin = piece * plan.piece;
        const int end = begin + plan.piece < plan.inner ? begin + plan.piece : plan.inner;

        const TileReader<Left, height, threads> left_reader(left, first_row, plan.rows, thread);
        const TileReader<Transposed<Right>, Width, threads> right_reader(right, first_column, plan.columns, thread);
        const int own_row = thread / 16 * rows, own_column = thread % 16 * columns;
        float total[rows][columns] = {}, sum[rows][columns] = {};
        for (int k = begin; k < end; k += depth) {
            left_reader.read(k, end, shared.left);
            right_reader.read(k, end, shared.right);
            block.sync();
            for (int d = 0; d < depth; ++d) {
                float a[rows], b[columns];
                for (int r = 0; r < rows; ++r) a[r] = shared.left[d][own_row + r];
                for (int c = 0; c < columns; ++c) b[c] = shared.right[d][own_column + c];
                for (int r = 0; r < rows; ++r)
                    for (int c = 0; c < columns; ++c) sum[r][c] += a[r] * b[c];
            }
            block.sync();
            if ((k - begin) % 512 == 512 - depth || k + depth >= end)
                for (int r = 0; r < rows; ++r)
                    for (int c = 0; c < columns; ++c) {
                        total[r][c] += sum[r][c];
                        sum[r][c] = 0;
                    }
        }
        MTDN_UNROLL
        for (int r = 0; r < rows; ++r)
            MTDN_UNROLL
            for (int c = 0; c < columns; ++c) {
                const int i = first_row + own_row + r, j = first_column + own_column + c;
                if (i < plan.rows && j < plan.columns) store(i, j, total[r][c], piece);
            }
    }
};

template <class D, class Left, class Right, class Store>
void multiply_matrices(Queue<D>& queue, const ProductPlan& plan, const Left& left, const Right& right,
                       const Store& store) {
    const Transposed<Right> columns{right};
    if (plan.width == 16) launch(queue, plan.blocks(), Product<16, Left, Right, Store>{plan, left, columns, store});
    else if (plan.width == 32)
        launch(queue, plan.blocks(), Product<32, Left, Right, Store>{plan, left, columns, store});
    else launch(queue, plan.blocks(), Product<64, Left, Right, Store>{plan, left, columns, store});
}

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
