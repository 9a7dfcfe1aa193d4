// What is around a library's convolutions, with a library that the host plays: the same as every backend's.
#include <mtdn/backend/cuda/testing/emulator.hpp>

#include "cuda/exact_convolutions.hpp"
#include "cuda/rounded_convolutions.hpp"
#include "support/catch.hpp"

namespace mtdn::testing {

/// The emulated device with a library of plain loops.
struct EmulatedLibrary {
    using Options = EmulatorOptions;
};

}  // namespace mtdn::testing

namespace mtdn::detail::cuda {

template <>
class Queue<testing::EmulatedLibrary> : public Queue<testing::Emulator> {
public:
    explicit Queue(const testing::EmulatorOptions& options)
        : Queue<testing::Emulator>(options), uses_library_(!options.simple) {}

    bool uses_library() const { return uses_library_; }

    template <class T>
    void convolve(const DenseConvolution& c, const T* x, const T* w, T* y) {
        overwrite(c, c.y.size(), y, [&](Index in, Index weight, Index out, float* sums) {
            sums[out] += widened(x[in]) * widened(w[weight]);
        });
    }
    template <class T>
    void convolve_backward_data(const DenseConvolution& c, const T* dy, const T* w, T* dx) {
        overwrite(c, c.x.size(), dx, [&](Index in, Index weight, Index out, float* sums) {
            sums[in] += widened(dy[out]) * widened(w[weight]);
        });
    }
    template <class T>
    void convolve_backward_weights(const DenseConvolution& c, const T* x, const T* dy, T* dw) {
        const Index count = c.y.channels * c.window.kernel * c.window.kernel * c.x.channels;
        overwrite(c, count, dw, [&](Index in, Index weight, Index out, float* sums) {
            sums[weight] += widened(x[in]) * widened(dy[out]);
        });
    }

private:
    /// Sums up what `add` adds for each element of x, of w and of y that belong together.
    template <class T, class Add>
    void overwrite(const DenseConvolution& c, Index count, T* to, const Add& add) {
        const Running running(*this);
        std::vector<float> sums(static_cast<std::size_t>(count));
        const Extent input(c.x), output(c.y);
        for (Index pixel = 0; pixel < c.y.pixels(); ++pixel) {
            const auto at = output.place(pixel);
            for (Index tap = 0; tap < c.window.kernel * c.window.kernel; ++tap) {
                const Index row = at.row * c.window.stride + tap / c.window.kernel - c.window.padding;
                const Index column = at.column * c.window.stride + tap % c.window.kernel - c.window.padding;
                if (row < 0 || row >= c.x.height || column < 0 || column >= c.x.width) continue;
                const Index in = input.pixel(at.frame, row, column) * c.x.channels;
                for (Index o = 0; o < c.y.channels; ++o)
                    for (Index i = 0; i < c.x.channels; ++i)
                        add(in + i, (o * c.window.kernel * c.window.kernel + tap) * c.x.channels + i,
                            pixel * c.y.channels + o, sums.data());
            }
        }
        for (Index i = 0; i < count; ++i) to[i] = converted<T>(sums[static_cast<std::size_t>(i)]);
    }

    bool uses_library_;
};

}  // namespace mtdn::detail::cuda

using namespace mtdn;
using WithLibrary = CudaFor<testing::EmulatedLibrary>;

TEST_CASE("operands of a library's convolutions, and its results, are handed over whole") {
    WithLibrary backend;
    CHECK(testing::check_exact_convolutions(backend) == std::vector<std::string>{});
}

TEST_CASE("a library gets numbers of the precision that was asked for, and simple kernels take no library") {
    const testing::cases::Convolution c{.x = {2, 9, 8, 6}, .out = 17, .window = {.stride = 2, .padding = 1}};
    Reference<double> exact;
    const auto failures = [&](const testing::EmulatorOptions& options, Precision rounded_to, double bound) {
        WithLibrary backend(options);
        return testing::check_rounded_convolution(backend, exact, c, rounded_to, {bound, bound}).size();
    };
    CHECK(failures({}, Precision::single, 1e-6) == 0);
    // Results are rounded too, which is 1.1e-3 of their size.
    CHECK(failures({.precision = Precision::bfloat16}, Precision::bfloat16, 2e-3) == 0);
    CHECK(failures({.precision = Precision::bfloat16}, Precision::single, 2e-3) == 3);
    CHECK(failures({.precision = Precision::bfloat16, .simple = true}, Precision::single, 1e-6) == 0);
}
