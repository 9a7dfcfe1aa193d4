#pragma once

#include <type_traits>
#include <vector>

#include <mtdn/backend/options.hpp>
#include <mtdn/backend/tensor.hpp>

namespace mtdn::detail::reference {

/// What sums of `T` are taken in.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

/// A result while its elements are being summed, in wide arithmetic; zero at first.
template <class T>
class Sums {
public:
    explicit Sums(const Shape& shape) : shape_(shape), values_(static_cast<std::size_t>(shape.size())) {}

    Wide<T>* pixel(Index pixel) { return values_.data() + pixel * shape_.channels; }
    Wide<T>* at(Index frame, Index row, Index column) {
        return pixel((frame * shape_.height + row) * shape_.width + column);
    }

    template <class B>
    void store(View<B, T> y) {
        for (Index p = 0; p < shape_.pixels(); ++p)
            for (Index c = 0; c < shape_.channels; ++c) y.pixel(p)[c] = static_cast<T>(pixel(p)[c]);
    }
    template <class B>
    void add_to(View<B, T> y) {
        for (Index p = 0; p < shape_.pixels(); ++p)
            for (Index c = 0; c < shape_.channels; ++c) y.pixel(p)[c] = static_cast<T>(y.pixel(p)[c] + pixel(p)[c]);
    }

private:
    Shape shape_;
    std::vector<Wide<T>> values_;
};

/// Calls `visit(frame, i, j)` for every pixel, in order.
template <class Visit>
void for_each_pixel(const Shape& shape, Visit visit) {
    for (Index n = 0; n < shape.frames; ++n)
        for (Index i = 0; i < shape.height; ++i)
            for (Index j = 0; j < shape.width; ++j) visit(n, i, j);
}

/// Calls `tap(frame, i, j, a, b, row, column)` for every pixel (i, j) of `output`, in order, and every element (a, b)
/// of its window that lies in `input`, there at (row, column).
template <class Tap>
void for_each_tap(const Shape& input, const Window& window, const Shape& output, Tap tap) {
    for_each_pixel(output, [&](Index n, Index i, Index j) {
        for (Index a = 0; a < window.kernel; ++a)
            for (Index b = 0; b < window.kernel; ++b) {
                const Index row = i * window.stride + a - window.padding;
                const Index column = j * window.stride + b - window.padding;
                if (row >= 0 && row < input.height && column >= 0 && column < input.width)
                    tap(n, i, j, a, b, row, column);
            }
    });
}

}  // namespace mtdn::detail::reference
