#pragma once

#include <cstdint>

#include <mtdn/backend/cuda.hpp>

// What every kernel is made of. A kernel's body is an object with a function of a block:
//
//   struct Body {
//       static constexpr int threads = 256;  // of a block
//       struct Shared { ... };               // only where the threads of a block work together
//       static constexpr int resident = 2;   // if so many blocks are to fit into a multiprocessor together
//       template <class Block> MTDN_DEVICE void operator()(Block& block) const;
//   };
//
// and `launch(queue, blocks, body)` calls it once for every thread of every block. A block has
//
//   block.number()   the block, from 0 on            block.sync()     waits for all of the block's threads
//   block.thread()   the thread in it, from 0 on     block.shared()   the block's Shared, uninitialised
//   block.lower(place, value)   *place = min(*place, value), whoever comes first
//
// and, for tensor cores, from compute capability 8.0 on,
//
//   block.bf16(low, high)  two numbers rounded to bfloat16, in one word    block.tf32(x)  one rounded to TF32
//   block.copy(to, from, bytes)  16 bytes into shared memory, `bytes` of them from memory, then zeros, while the thread
//                                goes on                     (both at multiples of 16 bytes)
//   block.wait_for_copies()      until this thread's are there; the others see them after the next sync()
//
// The 32 threads of a warp do together, lane l being thread l of it,
//
//   block.load_rows(row, words)     four matrices of 8 rows of 16 bytes from shared memory: lane l says where row
//                                   l % 8 of matrix l / 8 lies and gets word l % 4 of row l / 4 of each
//   block.load_columns(row, words)  the same of the matrices of 8 × 8 16-bit numbers transposed
//   block.multiply_bf16(sum, a, low, high)  sum (16 × 8) += a (16 × 16) · b (16 × 8)
//   block.multiply_tf32(sum, a, low, high)  sum (16 × 8) += a (16 × 8) · b (8 × 8)
//
// where lane l has of the sum row l / 4 (first two) and l / 4 + 8 (last two), columns 2 (l % 4) and one on; of a what
// load_rows gives of its quarters, upper left, lower left, upper right, lower right; of b's transpose, likewise, what
// load_rows gives of the left half and of the right.
//
// @source PTX ISA 9.0, §9.7.14.5, "Matrix multiply-accumulate operation using mma instruction"
//
// nvcc compiles bodies for the device (`gpu.cuh`), every other compiler for the host (`testing/emulator.hpp`).
#ifdef __CUDACC__
#define MTDN_DEVICE __device__
#define MTDN_UNROLL _Pragma("unroll")  // the loop after it, so that its arrays are registers
#define MTDN_ROLL _Pragma("unroll 1")   // the loop after it, which would cost registers
// Code built for different architectures must not be exchanged by the linker: the namespace of kernels, and of whatever
// launches them, is named after the list, as kernels_750_900.
#define MTDN_KERNELS [[gnu::visibility("hidden")]] MTDN_KERNELS_FOR(__CUDA_ARCH_LIST__, , , , , , , )
#define MTDN_KERNELS_FOR(...) MTDN_KERNELS_NAMED(__VA_ARGS__)
#define MTDN_KERNELS_NAMED(a, b, c, d, e, f, g, h, ...) kernels_##a##_##b##_##c##_##d##_##e##_##f##_##g##_##h
#else
#define MTDN_DEVICE
#define MTDN_UNROLL
#define MTDN_ROLL
#define MTDN_KERNELS kernels_on_host
#endif

namespace mtdn::detail::cuda {

using Word = std::uint32_t;

/// a ÷ b rounded up.
constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
constexpr Index least(Index a, Index b) { return a < b ? a : b; }
constexpr Index most(Index a, Index b) { return a < b ? b : a; }

/// Bytes of shared memory that a block has without asking, and that it may ask for, by compute capability.
inline constexpr std::size_t static_shared = 48 << 10, shared_of_80 = 163 << 10, shared_of_86 = 99 << 10;

/// What is copied between the host, where it is contiguous, and a device: rows of bytes, `step` apart on the device.
struct Rows {
    std::size_t bytes, step, count = 1;

    explicit Rows(std::size_t all) : bytes(all), step(all) {}
    /// A view: one row of all, or one a pixel where it is a slice.
    template <class B, class T>
    explicit Rows(View<B, T> view)
        : bytes(static_cast<std::size_t>(view.contiguous() ? view.shape.size() : view.shape.channels) * sizeof(T)),
          step(view.contiguous() ? bytes : static_cast<std::size_t>(view.stride) * sizeof(T)),
          count(view.contiguous() ? 1 : static_cast<std::size_t>(view.shape.pixels())) {}
};

inline namespace MTDN_KERNELS {

/// Pixels of a view as kernels see them.
template <class T>
struct Pixels {
    T* data = nullptr;
    Index stride = 0;

    Pixels() = default;
    template <class B>
    Pixels(View<B, T> view) : data(view.data), stride(view.stride) {}
    template <class B>
        requires std::is_const_v<T>
    Pixels(View<B, std::remove_const_t<T>> view) : data(view.data), stride(view.stride) {}

    MTDN_DEVICE T& at(Index pixel, Index channel) const { return data[pixel * stride + channel]; }
};

/// An array in shared memory. The host checks what is asked of it.
template <class T, int N>
struct SharedArray {
    T values[N];

    MTDN_DEVICE T& operator[](int i) {
#ifndef __CUDACC__
        require<BackendError>(i >= 0 && i < N, "shared memory: element ", i, " of ", N);
#endif
        return values[i];
    }
};

/// The value, of which the compiler does not know that it is always the same: so what is made of it, such as addresses,
/// is made anew instead of taking up a register each for the whole kernel.
MTDN_DEVICE inline int computed_here(int value) {
#ifdef __CUDA_ARCH__
    asm volatile("" : "+r"(value));
#endif
    return value;
}

/// Quotient and remainder.
struct Split {
    Index quotient, rest;
};
MTDN_DEVICE inline Split split(Index i, Index by) {
    // Devices divide 32 bits several times as fast as 64.
    if ((i | by) <= INT32_MAX) {
        const auto a = static_cast<std::uint32_t>(i), b = static_cast<std::uint32_t>(by), q = a / b;
        return {q, a - q * b};
    }
    return {i / by, i % by};
}

/// Rows and columns of frames, and where a pixel lies in them.
struct Extent {
    Index height = 1, width = 1;

    Extent() = default;
    Extent(const Shape& shape) : height(shape.height), width(shape.width) {}

    struct Place {
        Index frame, row, column;
    };
    MTDN_DEVICE Place place(Index pixel) const {
        const Split row = split(pixel, width), frame = split(row.quotient, height);
        return {frame.quotient, frame.rest, row.rest};
    }
    MTDN_DEVICE Index pixel(Index frame, Index row, Index column) const {
        return (frame * height + row) * width + column;
    }
};

/// Calls f(i) for every i in [0, count), each in a thread of its own.
template <class F>
struct ForEach {
    static constexpr int threads = 256;
    F f;
    Index count;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const Index i = block.number() * threads + block.thread();
        if (i < count) f(i);
    }
};

template <class D, class F>
void for_each(Queue<D>& queue, Index count, const F& f) {
    launch(queue, ceil_div(count, ForEach<F>::threads), ForEach<F>{f, count});
}

/// Sets an element of y, the i-th, to f(pixel, channel).
template <class F>
struct Assign {
    F f;
    Pixels<float> y;
    Index channels;

    MTDN_DEVICE void operator()(Index i) const {
        const Split at = split(i, channels);
        y.at(at.quotient, at.rest) = f(at.quotient, at.rest);
    }
};

/// Sets every element of y to f(pixel, channel).
template <class D, class F>
void for_each_element(Queue<D>& queue, View<CudaFor<D>, float> y, const F& f) {
    for_each(queue, y.shape.size(), Assign<F>{f, y, y.shape.channels});
}

}  // namespace MTDN_KERNELS
}  // namespace mtdn::detail::cuda
