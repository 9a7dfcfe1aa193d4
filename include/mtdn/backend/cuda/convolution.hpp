#pragma once

#include <mtdn/backend/cuda/channel_sums.hpp>
#include <mtdn/backend/cuda/library_convolution.hpp>
#include <mtdn/backend/cuda/operand.hpp>
#include <mtdn/backend/cuda/product.hpp>
#include <mtdn/backend/cuda/tiled_convolution.hpp>
#include <mtdn/backend/cuda/tiled_weight_gradient.hpp>

// Convolutions as products of matrices that are never stored: the reader of a matrix finds each element where it lies.
// A tap is one of a window's k·k elements; a pair (tap, c) is counted as tap · C + c.

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

/// Rows: output pixels. Columns: (tap, channel) of the input. Zero outside of the input.
struct Patches {
    static constexpr bool along_rows = true;
    Parts x;
    Extent input, output;
    int channels, kernel, stride, padding;

    struct Row {
        int frame, row, column;  // of the window's first element
    };
    struct Column {
        int row, column, channel;  // in the window
    };
    MTDN_DEVICE Row row(int i) const {
        const auto at = output.place(i);
        return {static_cast<int>(at.frame), static_cast<int>(at.row) * stride - padding,
                static_cast<int>(at.column) * stride - padding};
    }
    MTDN_DEVICE Column column(int j) const {
        const int tap = j / channels;
        return {tap / kernel, tap % kernel, j % channels};
    }
    MTDN_DEVICE float at(const Row& at, const Column& tap) const {
        const int row = at.row + tap.row, column = at.column + tap.column;
        if (row < 0 || row >= input.height || column < 0 || column >= input.width) return 0;
        return x.at(at.frame, input.pixel(at.frame, row, column), tap.channel);
    }
};

/// Rows: input pixels. Columns: (tap, channel) of the output pixel that sees the input pixel by that tap.
struct SpreadPatches {
    static constexpr bool along_rows = true;
    Pixels<const float> dy;
    Extent input, output;
    int channels, kernel, stride, padding;

    struct Row {
        int frame, row, column;
    };
    using Column = Patches::Column;
    MTDN_DEVICE Row row(int i) const {
        const auto at = input.place(i);
        return {static_cast<int>(at.frame), static_cast<int>(at.row) + padding, static_cast<int>(at.column) + padding};
    }
    MTDN_DEVICE Column column(int j) const {
        const int tap = j / channels;
        return {tap / kernel, tap % kernel, j % channels};
    }
    MTDN_DEVICE float at(const Row& at, const Column& tap) const {
        const int row = at.row - tap.row, column = at.column - tap.column;
        if (row < 0 || column < 0 || row % stride != 0 || column % stride != 0) return 0;
        if (row / stride >= output.height || column / stride >= output.width) return 0;
        return dy.at(output.pixel(at.frame, row / stride, column / stride), tap.channel);
    }
};

/// Weights (k, k, in, out) with rows (tap, out) and columns in.
struct WeightsByOutput {
    static constexpr bool along_rows = false;
    Pixels<const float> w;
    int in, out;

    struct Row {
        int tap, out;
    };
    using Column = int;
    MTDN_DEVICE Row row(int i) const { return {i / out, i % out}; }
    MTDN_DEVICE Column column(int j) const { return j; }
    MTDN_DEVICE float at(const Row& row, Column column) const { return w.at(Index{row.tap} * in + column, row.out); }
};

/// Column (tap, o) of a pixel to the pixel of twice the rows and columns that the tap stands for.
struct StoreTransposed {
    Pixels<float> y;
    const float* bias;  // or null
    Extent input;
    int out;
    MTDN_DEVICE void operator()(int i, int j, float sum, int) const {
        const int tap = j / out, o = j % out;
        const auto at = input.place(i);
        const Index row = 2 * at.row + tap / 2, column = 2 * at.column + tap % 2;
        y.at((at.frame * 2 * input.height + row) * 2 * input.width + column, o) = bias ? sum + bias[o] : sum;
    }
};

struct StoreSlab {
    float* slabs;  // (pieces, rows, columns)
    Index rows, columns;
    MTDN_DEVICE void operator()(int i, int j, float sum, int piece) const {
        slabs[(piece * rows + i) * columns + j] = sum;
    }
};

/// Adds slabs, in order, to weights (k, k, rows or rows/k², out): column j of a slab is (tap, o), o < out.
struct AddSlabs {
    const float* slabs;
    int pieces;
    Index rows, columns, out;
    Pixels<float> dw;
    MTDN_DEVICE void operator()(Index i) const {
        double sum = 0;
        for (Index s = 0; s < pieces; ++s) sum += slabs[s * rows * columns + i];
        const Split at = split(i, columns), tap = split(at.rest, out);
        dw.at(tap.quotient * rows + at.quotient, tap.rest) += static_cast<float>(sum);
    }
};

inline Patches patches_of(const Parts& x, const Shape& input, const Shape& output, const Window& window) {
    return {x, input, output, static_cast<int>(input.channels), static_cast<int>(window.kernel),
            static_cast<int>(window.stride), static_cast<int>(window.padding)};
}

/// Adds left · right to dw, its columns being (tap, o).
template <class D, class Left, class Right>
void add_weight_gradient(Queue<D>& queue, Index rows, Index columns, Index pixels, const Left& left,
                         const Right& right, View<CudaFor<D>, float> dw) {
    const ProductPlan plan = product_plan(rows, columns, pixels, true);
    const Scratch<float> slabs(queue, plan.pieces * rows * columns);
    multiply_matrices(queue, plan, left, right, StoreSlab{slabs.data(), rows, columns});
    for_each(queue, rows * columns, AddSlabs{slabs.data(), plan.pieces, rows, columns, dw.shape.channels, dw});
}

/// The same by tensor cores, of operands that can be read by fours; dy being (frames, height, width, columns) of a grid
/// of such a step.
template <class D, class Gradients>
void add_tiled_weight_gradient(Queue<D>& queue, const Operand<CudaFor<D>>& x, const Gradients& dy, const Shape& output,
                               int step, const Window& window, View<CudaFor<D>, float> dw) {
    const Index in = x.shape().channels, columns = output.channels, rows = window.kernel * window.kernel * in;
    const GradientPlan plan(output, in);
    const Scratch<float> slabs(queue, plan.pieces * rows * columns);
    by_cores(queue, [&](auto cores) {
        tiled_weight_gradient<decltype(cores)>(queue, plan, Parts(x), x.shape(), dy, output, step, window,
                                               slabs.data());
    });
    for_each(queue, rows * columns, AddSlabs{slabs.data(), plan.pieces, rows, columns, dw.shape.channels, dw});
}

template <class D>
TiledJob<D> job_of(const Operand<CudaFor<D>>& x, View<CudaFor<D>, const float> w, const Window& window,
                   const StoreActivated& store, View<CudaFor<D>, float> y) {
    const auto taps = static_cast<int>(window.kernel * window.kernel);
    return {Parts(x), x.shape(), {w, taps, w.shape.width, w.shape.channels, TapWeights::Kind::forward}, window.padding,
            y.shape, store};
}

inline constexpr Window transposed_window{.kernel = 2, .stride = 2, .padding = 0};

/// The pixels of y that the four taps of a transposed convolution's window stand for, side by side: of a grid of
/// step 2.
///
/// @shape y (N, 2H, 2W, C), read → (N, H, W, 4C)
template <class D>
Operand<CudaFor<D>> taps_of(View<CudaFor<D>, const float> y) {
    const Shape part{y.shape.frames, y.shape.height / 2, y.shape.width / 2, y.shape.channels};
    OperandPart<CudaFor<D>> parts[4];
    for (Index tap = 0; tap < 4; ++tap)
        parts[tap].x = {y.data + (tap / 2 * y.shape.width + tap % 2) * y.stride, part, y.stride};
    return Operand<CudaFor<D>>(parts);
}

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
void CudaFor<D>::convolve(const Operand<CudaFor>& x, In w, In scale, In bias, const Window& window,
                          Activation activation, Out y) {
    convolve(x, w, scale, bias, window, activation, y, SquareExtremes<CudaFor>{});
}
template <class D>
void CudaFor<D>::convolve(const Operand<CudaFor>& x, In w, In scale, In bias, const Window& window,
                          Activation activation, Out y, const SquareExtremes<CudaFor>& extremes) {
    using namespace detail::cuda;
    if (x.parts().size() > Parts::capacity)
        return convolve(whole(x), w, scale, bias, window, activation, y, extremes);
    const StoreActivated store{y, scale.data, bias.data, activation};
    if (by_library(*queue_, [&](auto number) {
            convolve_by_library<decltype(number)>(*queue_, x, w, window, store, y);
        }))
        return;
    if (tiled(queue_->precision(), window)) {
        if (!by_fours(x)) return convolve(whole(x), w, scale, bias, window, activation, y, extremes);
        auto job = job_of(x, w, window, store, y);
        job.extremes = extremes;
        return convolve_tiled(*queue_, job);
    }
    const ProductPlan plan = product_plan(y.shape.pixels(), y.shape.channels, w.shape.pixels(), false);
    multiply_matrices(*queue_, plan, patches_of(Parts(x), x.shape(), y.shape, window), Plain{w.data, w.stride},
                      store);
}

template <class D>
void CudaFor<D>::convolve_with_statistics(const Operand<CudaFor>& x, In w, const Window& window, Out y, Out mean,
                                          Out variance) {
    convolve_with_statistics(x, w, window, y, mean, variance, SquareExtremes<CudaFor>{});
}
template <class D>
void CudaFor<D>::convolve_with_statistics(const Operand<CudaFor>& x, In w, const Window& window, Out y, Out mean,
                                          Out variance, const SquareExtremes<CudaFor>& extremes) {
    using namespace detail::cuda;
    const bool library = by_library(*queue_, [](auto) {});
    if (library || !tiled(queue_->precision(), window)) {
        convolve(x, w, In{}, In{}, window, Activation::identity, y);
        return batch_statistics(y, mean, variance);
    }
    if (!by_fours(x)) return convolve_with_statistics(whole(x), w, window, y, mean, variance, extremes);
    auto job = job_of(x, w, window, StoreActivated{y, nullptr, nullptr, Activation::identity}, y);
    job.mean = mean;
    job.variance = variance;
    job.extremes = extremes;
    convolve_tiled(*queue_, job);
}

template <class D>
bool CudaFor<D>::pools_convolution(In, const Window& window, Activation activation) const {
    using namespace detail::cuda;
    return !by_library(*queue_, [](auto) {}) && tiled(queue_->precision(), window) && window.kernel == 3 &&
           never_decreases(activation);
}

template <class D>
bool CudaFor<D>::joins_convolution(In w, const Window& window) const {
    using namespace detail::cuda;
    // Of other channels the next convolution could not read those of one by fours.
    return !by_library(*queue_, [](auto) {}) && tiled(queue_->precision(), window) && w.shape.channels % 4 == 0;
}

template <class D>
void CudaFor<D>::convolve_backward_data(In dy, In w, const Window& window, Out dx) {
    convolve_backward_data(dy, w, window, dx, GradientSums<CudaFor>{});
}
template <class D>
bool CudaFor<D>::convolve_backward_data(In dy, In w, const Window& window, Out dx, const GradientSums<CudaFor>& norm) {
    using namespace detail::cuda;
    const auto in = static_cast<int>(w.shape.width), out = static_cast<int>(w.shape.channels);
    const Index taps = w.shape.frames * w.shape.height;
    const StoreActivated store{dx, nullptr, nullptr, Activation::identity};
    if (by_library(*queue_, [&](auto number) {
            convolve_backward_data_by_library<decltype(number)>(*queue_, dy, w, window, store, dx);
        }))
        return false;
    if (tiled(queue_->precision(), window)) {
        // The convolution of the gradients with the taps in reverse.
        const Operand<CudaFor> gradients(dy);
        if (!by_fours(gradients)) return convolve_backward_data(whole(gradients), w, window, dx, norm);
        const TapWeights reversed{w, static_cast<int>(taps), out, in, TapWeights::Kind::back};
        TiledJob<D> job{Parts(gradients), dy.shape, reversed, window.kernel - 1 - window.padding, dx.shape, store};
        job.norm = taken_by_tiles(norm);
        convolve_tiled(*queue_, job);
        return bool(job.norm);
    }
    const ProductPlan plan = product_plan(dx.shape.pixels(), in, taps * out, false);
    multiply_matrices(*queue_, plan,
                      SpreadPatches{dy, dx.shape, dy.shape, out, static_cast<int>(window.kernel),
                                    static_cast<int>(window.stride), static_cast<int>(window.padding)},
                      WeightsByOutput{w, in, out}, store);
    return false;
}

template <class D>
void CudaFor<D>::convolve_backward_weights(const Operand<CudaFor>& x, In dy, const Window& window, Out dw, Out dbias) {
    using namespace detail::cuda;
    if (x.parts().size() > Parts::capacity) return convolve_backward_weights(whole(x), dy, window, dw, dbias);
    const bool library = by_library(*queue_, [&](auto number) {
        add_library_weight_gradient<decltype(number)>(*queue_, x, dy, window, dw);
    });
    const bool cores = !library && tiled(queue_->precision(), window);
    if (cores && !by_fours(x)) return convolve_backward_weights(whole(x), dy, window, dw, dbias);
    if (cores && !by_fours(Operand<CudaFor>(dy)))
        return convolve_backward_weights(x, whole(Operand<CudaFor>(dy)), window, dw, dbias);
    if (cores)
        add_tiled_weight_gradient(*queue_, x, Parts(Operand<CudaFor>(dy)), dy.shape, 1, window, dw);
    else if (!library)
        add_weight_gradient(*queue_, dw.shape.pixels(), dw.shape.channels, dy.shape.pixels(),
                            Transposed<Patches>{patches_of(Parts(x), x.shape(), dy.shape, window)},
                            Plain{dy.data, dy.stride}, dw);
    if (dbias) add_channel_sums(*queue_, dy, dbias);
}

template <class D>
bool CudaFor<D>::reads_pending(const PendingGradients<CudaFor>& gradients, const Window& window) const {
    using namespace detail::cuda;
    return !by_library(*queue_, [](auto) {}) && reads_late(queue_->precision(), window, gradients);
}

template <class D>
bool CudaFor<D>::convolve_backward_data(const PendingGradients<CudaFor>& dy, In w, const Window& window, Out dx,
                                        const GradientSums<CudaFor>& norm) {
    using namespace detail::cuda;
    const Index in = w.shape.width, out = w.shape.channels;
    const TapWeights reversed{w, 9, out, in, TapWeights::Kind::back};
    TiledJob<D, LateGradients> job{LateGradients(dy), dy.x.shape, reversed, 2 - window.padding, dx.shape,
                                {dx, nullptr, nullptr, Activation::identity}};
    job.norm = taken_by_tiles(norm);
    convolve_tiled(*queue_, job);
    return bool(job.norm);
}

template <class D>
void CudaFor<D>::convolve_backward_weights(const Operand<CudaFor>& x, const PendingGradients<CudaFor>& dy,
                                           const Window& window, Out dw, Out dbias) {
    using namespace detail::cuda;
    if (!by_fours(x)) return convolve_backward_weights(whole(x), dy, window, dw, dbias);
    const LateGradients gradients(dy);
    add_tiled_weight_gradient(*queue_, x, gradients, dy.x.shape, 1, window, dw);
    if (!dbias) return;
    const auto totals =
        channel_sums(*queue_, 1, dy.x.shape.pixels(), dy.x.shape.channels, LateGradientValue{gradients});
    for_each_element(*queue_, dbias, AddTotals{dbias, totals.data()});
}

template <class D>
void CudaFor<D>::transposed_convolve(In x, In w, In bias, Out y) {
    using namespace detail::cuda;
    const auto in = static_cast<int>(x.shape.channels), out = static_cast<int>(y.shape.channels);
    if (queue_->precision() != Precision::single) {
        const Operand<CudaFor> operand(x);
        if (!by_fours(operand)) return transposed_convolve(whole(operand), w, bias, y);
        require_countable(y.shape);
        return convolve_tiled(*queue_, TiledJob<D>{.x = Parts(operand),
                                                   .input = x.shape,
                                                   .weights = {w, 1, in, 4 * out, TapWeights::Kind::spread},
                                                   .padding = 0,
                                                   .output = x.shape.with_channels(4 * out),
                                                   .store = {y, nullptr, bias.data, Activation::identity},
                                                   .output_step = 2});
    }
    multiply_matrices(*queue_, product_plan(x.shape.pixels(), 4 * out, in, false), Plain{x.data, x.stride},
                      Transposed<WeightsByOutput>{{w, in, out}}, StoreTransposed{y, bias.data, x.shape, out});
}

template <class D>
void CudaFor<D>::transposed_convolve_backward_data(In dy, In w, Out dx) {
    transposed_convolve_backward_data(dy, w, dx, GradientSums<CudaFor>{});
}
template <class D>
bool CudaFor<D>::transposed_convolve_backward_data(In dy, In w, Out dx, const GradientSums<CudaFor>& norm) {
    using namespace detail::cuda;
    const auto in = static_cast<int>(dx.shape.channels), out = static_cast<int>(dy.shape.channels);
    // Channels that are not read by fours come one by one.
    const Operand<CudaFor> taps = taps_of<D>(dy);
    if (queue_->precision() != Precision::single && by_fours(taps)) {
        require_countable(dy.shape);
        const TiledJob<D> job{.x = Parts(taps),
                              .input = taps.shape(),
                              .weights = {w, 1, 4 * out, in, TapWeights::Kind::gather},
                              .padding = 0,
                              .output = dx.shape,
                              .store = {dx, nullptr, nullptr, Activation::identity},
                              .input_step = 2,
                              .norm = taken_by_tiles(norm)};
        convolve_tiled(*queue_, job);
        return bool(job.norm);
    }
    multiply_matrices(*queue_, product_plan(dx.shape.pixels(), in, 4 * out, false),
                      patches_of(Parts(Operand<CudaFor>(dy)), dy.shape, dx.shape, transposed_window),
                      WeightsByOutput{w, in, out}, StoreActivated{dx, nullptr, nullptr, Activation::identity});
    return false;
}

template <class D>
void CudaFor<D>::transposed_convolve_backward_weights(In x, In dy, Out dw, Out dbias) {
    using namespace detail::cuda;
    const Operand<CudaFor> operand(x), taps = taps_of<D>(dy);
    const bool cores = queue_->precision() != Precision::single && by_fours(taps);
    if (cores && !by_fours(operand)) return transposed_convolve_backward_weights(whole(operand), dy, dw, dbias);
    if (cores) {
        require_countable(dy.shape);
        add_tiled_weight_gradient(*queue_, operand, Parts(taps), taps.shape(), 2, Window{.kernel = 1}, dw);
    } else {
        add_weight_gradient(*queue_, x.shape.channels, 4 * dy.shape.channels, x.shape.pixels(),
                            Transposed<Plain>{{x.data, x.stride}},
                            patches_of(Parts(Operand<CudaFor>(dy)), dy.shape, x.shape, transposed_window), dw);
    }
    if (dbias) add_channel_sums(*queue_, dy, dbias);
}

}  // namespace mtdn
