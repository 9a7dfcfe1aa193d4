#pragma once

#include <algorithm>
#include <span>

#include <mtdn/backend/bfloat16.hpp>
#include <mtdn/backend/cpu/activations.hpp>
#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/workspace.hpp>

namespace mtdn::detail::cpu {

/// Calls `body(count, y, x...)` for runs of elements that are contiguous in all views: pieces of the whole, or pixels.
template <class I, class T, class Body, class... X>
void for_runs(Workspace& workspace, View<CpuFor<I>, T> y, Body&& body, X... x) {
    const Index channels = y.shape.channels;
    if (y.contiguous() && (x.contiguous() && ...))
        workspace.for_pieces(y.shape.size(), 1,
                             [&](Range r) { body(r.size(), y.data + r.first, x.data + r.first...); });
    else
        workspace.for_pieces(y.shape.pixels(), channels, [&](Range r) {
            for (Index p = r.first; p < r.last; ++p) body(channels, y.pixel(p), x.pixel(p)...);
        });
}

/// y = body(x...) vector by vector, over all elements; y may be any of x. `body(out, in...)` takes references.
template <class I, class Body, class... X>
void for_elements(Workspace& workspace, CpuOut<I> y, Body&& body, X... x) {
    for_runs<I>(workspace, y, [&](Index n, float* to, auto... from) { for_vectors<I>(n, body, to, from...); }, x...);
}

template <class I>
void fill(Workspace& workspace, CpuOut<I> y, double value) {
    for_runs<I>(workspace, y, [v = static_cast<float>(value)](Index n, float* to) { std::fill_n(to, n, v); });
}

template <class I>
void copy(Workspace& workspace, CpuIn<I> x, CpuOut<I> y) {
    for_runs<I>(workspace, y, [](Index n, float* to, const float* from) {
        if (to != from) std::copy_n(from, n, to);
    }, x);
}

template <class I>
void accumulate(Workspace& workspace, CpuIn<I> x, CpuOut<I> y) {
    for_elements<I>(workspace, y, [](auto& out, const auto& a, const auto& b) { out = a + b; }, CpuIn<I>(y), x);
}

template <class I>
void scale(Workspace& workspace, CpuOut<I> y, double factor) {
    for_elements<I>(workspace, y, [f = static_cast<float>(factor)](auto& out, const auto& a) { out = f * a; },
                    CpuIn<I>(y));
}

template <class I>
void combine(Workspace& workspace, double alpha, CpuIn<I> a, double beta, CpuIn<I> b, CpuOut<I> y) {
    const auto fa = static_cast<float>(alpha), fb = static_cast<float>(beta);
    for_elements<I>(workspace, y, [fa, fb](auto& out, const auto& va, const auto& vb) { out = fa * va + fb * vb; }, a,
                    b);
}

template <class I>
void multiply(Workspace& workspace, CpuIn<I> a, CpuIn<I> b, CpuOut<I> y) {
    for_elements<I>(workspace, y, [](auto& out, const auto& va, const auto& vb) { out = va * vb; }, a, b);
}

template <class I>
void multiply_add(Workspace& workspace, CpuIn<I> a, CpuIn<I> b, CpuOut<I> y) {
    for_elements<I>(workspace, y, [](auto& out, const auto& before, const auto& va, const auto& vb) {
        out = before + va * vb;
    }, CpuIn<I>(y), a, b);
}

template <class I>
void activate(Workspace& workspace, CpuIn<I> x, Activation activation, CpuOut<I> y) {
    with_activation<I>(activation, [&](auto f) {
        for_elements<I>(workspace, y, [f](auto& out, const auto& in) {
            out = in;
            f.value(out);
        }, x);
    });
}

template <class I>
void activate_backward(Workspace& workspace, CpuIn<I> x, CpuIn<I> dy, Activation activation, CpuOut<I> dx) {
    with_activation<I>(activation, [&](auto f) {
        for_elements<I>(workspace, dx, [f](auto& out, const auto& in, const auto& gradient) {
            out = in;
            f.derivative(out);
            out *= gradient;
        }, x, dy);
    });
}

template <class I>
void round(Workspace& workspace, CpuIn<I> x, View<CpuFor<I>, BFloat16> z) {
    for_runs<I>(workspace, z, [](Index n, BFloat16* to, const float* from) {
        for (Index i = 0; i < n; ++i) to[i] = BFloat16::nearest(from[i]);
    }, x);
}

template <class I>
void widen(Workspace& workspace, View<CpuFor<I>, const BFloat16> z, CpuOut<I> y) {
    for_runs<I>(workspace, y, [](Index n, float* to, const BFloat16* from) {
        for (Index i = 0; i < n; ++i) to[i] = from[i].value();
    }, z);
}

/// Contiguous host values into a view and back, of any element type.
template <class B, class T>
void upload(std::span<const T> values, View<B, T> y) {
    const Index channels = y.shape.channels;
    const Index run = y.contiguous() ? y.shape.size() : channels;
    for (Index i = 0; i < y.shape.size(); i += run) std::copy_n(values.data() + i, run, y.pixel(i / channels));
}
template <class B, class T>
void download(View<B, const T> x, std::span<T> values) {
    const Index channels = x.shape.channels;
    const Index run = x.contiguous() ? x.shape.size() : channels;
    for (Index i = 0; i < x.shape.size(); i += run) std::copy_n(x.pixel(i / channels), run, values.data() + i);
}

template <class I>
void gather_frames(Workspace& workspace, CpuIn<I> x, std::span<const Index> indices, CpuOut<I> y) {
    const Index frame = x.shape.height * x.shape.width, channels = x.shape.channels;
    workspace.for_pieces(y.shape.pixels(), channels, [&](Range r) {
        for (Index p = r.first; p < r.last; ++p)
            std::copy_n(x.pixel(indices[static_cast<std::size_t>(p / frame)] * frame + p % frame), channels,
                        y.pixel(p));
    });
}

template <class I>
void gather_frames_backward(Workspace& workspace, CpuIn<I> dy, std::span<const Index> indices, CpuOut<I> dx) {
    const Index frame = dx.shape.height * dx.shape.width, channels = dx.shape.channels;
    workspace.for_pieces(frame, channels * dy.shape.frames, [&](Range r) {
        for (Index f = 0; f < dy.shape.frames; ++f)
            for (Index p = r.first; p < r.last; ++p) {
                const float* from = dy.pixel(f * frame + p);
                float* to = dx.pixel(indices[static_cast<std::size_t>(f)] * frame + p);
                for_vectors<I>(channels, [](auto& out, const auto& a, const auto& b) { out = a + b; }, to, to, from);
            }
    });
}

template <class I>
void combine_frames(Workspace& workspace, double alpha, CpuIn<I> a, std::span<const Index> of_a, double beta,
                    CpuIn<I> b, std::span<const Index> of_b, CpuIn<I> shift, Activation activation, CpuOut<I> y) {
    const Index frame = y.shape.height * y.shape.width, channels = y.shape.channels;
    const auto fa = static_cast<float>(alpha), fb = static_cast<float>(beta);
    const bool whole = !shift && a.contiguous() && b.contiguous() && y.contiguous();
    with_activation<I>(activation, [&](auto f) {
        const auto sum = [&](Index count, float* to, const float* from_a, const float* from_b) {
            for_vectors<I>(count, [&](auto& out, const auto& va, const auto& vb) {
                out = fa * va + fb * vb;
                f.value(out);
            }, to, from_a, from_b);
        };
        workspace.for_pieces(y.shape.pixels(), channels, [&](Range r) {
            for (Index p = r.first, end = 0; p < r.last; p = end) {  // the pixels of one frame
                const Index i = p / frame;
                end = std::min(r.last, (i + 1) * frame);
                const float* from_a = a.pixel(of_a[static_cast<std::size_t>(i)] * frame + p - i * frame);
                const float* from_b = b.pixel(of_b[static_cast<std::size_t>(i)] * frame + p - i * frame);
                if (whole) {
                    sum((end - p) * channels, y.pixel(p), from_a, from_b);
                    continue;
                }
                for (Index at = p; at < end; ++at, from_a += a.stride, from_b += b.stride) {
                    if (!shift)
                        sum(channels, y.pixel(at), from_a, from_b);
                    else
                        for_vectors<I>(channels, [&](auto& out, const auto& va, const auto& vb, const auto& term) {
                            out = fa * va + fb * vb + term;
                            f.value(out);
                        }, y.pixel(at), from_a, from_b, shift.data);
                }
            }
        });
    });
}

}  // namespace mtdn::detail::cpu
