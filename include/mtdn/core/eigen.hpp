#pragma once

// The one place that includes Eigen.
#include <Eigen/Core>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// A row-major matrix of Eigen.
template <class T>
using RowMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The last dimension of a host array as an Eigen matrix's columns, all others as its rows; shares the memory.
template <class T, std::size_t N>
Eigen::Map<RowMatrix<T>> as_matrix(Array<T, N>& array) {
    static_assert(N >= 1);
    const Index columns = extent(array, N - 1);
    return {array.data(), columns == 0 ? 0 : static_cast<Index>(array.size()) / columns, columns};
}

/// @overload
template <class T, std::size_t N>
Eigen::Map<const RowMatrix<T>> as_matrix(const Array<T, N>& array) {
    static_assert(N >= 1);
    const Index columns = extent(array, N - 1);
    return {array.data(), columns == 0 ? 0 : static_cast<Index>(array.size()) / columns, columns};
}

/// A copy of an Eigen matrix, of any storage order, as a host array (rows, columns).
template <class Derived>
Array<typename Derived::Scalar, 2> as_array(const Eigen::MatrixBase<Derived>& matrix) {
    auto array = make_array<typename Derived::Scalar>(matrix.rows(), matrix.cols());
    as_matrix(array) = matrix;
    return array;
}

}  // namespace mtdn
