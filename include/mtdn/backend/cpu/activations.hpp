#pragma once

#include <cmath>
#include <numbers>
#include <utility>

#include <mtdn/backend/cpu/exponential.hpp>
#include <mtdn/backend/options.hpp>

namespace mtdn::detail::cpu {

/// x ← f(x), lane by lane, for functions that have no vector form here.
template <class I, class F>
MTDN_ALWAYS_INLINE inline void each_lane(Vector<I>& x, F&& f) {
    float lanes[I::floats];
    store(x, lanes);
    for (float& lane : lanes) lane = f(lane);
    load(lanes, x);
}

/// One activation and its derivative, both of the operand and in its place.
template <class I, Activation A>
struct Activate {
    using V = Vector<I>;

    MTDN_ALWAYS_INLINE static void value(V& x) {
        if constexpr (A == Activation::relu) x = x < 0.0F ? V{} : x;
        else if constexpr (A == Activation::leaky_relu) x = x > 0.0F ? x : 0.01F * x;
        else if constexpr (A == Activation::sigmoid) logistic<I>(x);
        else if constexpr (A == Activation::tanh) each_lane<I>(x, [](float a) { return std::tanh(a); });
        else if constexpr (A == Activation::silu) {
            V s = x;
            logistic<I>(s);
            x *= s;
        } else if constexpr (A == Activation::gelu) each_lane<I>(x, [](float a) { return a * normal(a); });
        else if constexpr (A == Activation::absolute) x = x < 0.0F ? -x : x;
    }

    MTDN_ALWAYS_INLINE static void derivative(V& x) {
        if constexpr (A == Activation::identity) x = V{} + 1.0F;
        else if constexpr (A == Activation::relu) x = x > 0.0F ? V{} + 1.0F : V{};
        else if constexpr (A == Activation::leaky_relu) x = x > 0.0F ? V{} + 1.0F : V{} + 0.01F;
        else if constexpr (A == Activation::sigmoid) {
            logistic<I>(x);
            x *= 1.0F - x;
        } else if constexpr (A == Activation::tanh) {
            value(x);
            x = 1.0F - x * x;
        } else if constexpr (A == Activation::silu) {
            V s = x;
            logistic<I>(s);
            x = s * (1.0F + x * (1.0F - s));
        } else if constexpr (A == Activation::gelu) {
            constexpr auto density = static_cast<float>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
            each_lane<I>(x, [](float a) { return normal(a) + a * density * std::exp(-0.5F * a * a); });
        } else if constexpr (A == Activation::absolute) {
            x = x > 0.0F ? V{} + 1.0F : (x < 0.0F ? V{} - 1.0F : V{});
        }
    }

private:
    static float normal(float x) { return 0.5F * std::erfc(-x * static_cast<float>(1 / std::numbers::sqrt2)); }
};

/// An activation that is looked up for every vector, which costs little beside its arithmetic.
template <class I>
struct ActivateAny {
    Activation activation;

    MTDN_ALWAYS_INLINE void value(Vector<I>& x) const {
        const Vector<I> in = x;
        Vector<I> out;
        find(in, out, false);
        x = out;
    }
    MTDN_ALWAYS_INLINE void derivative(Vector<I>& x) const {
        const Vector<I> in = x;
        Vector<I> out;
        find(in, out, true);
        x = out;
    }

private:
    __attribute__((noinline)) void find(const Vector<I>& in, Vector<I>& out, bool derivative) const {
        const auto take = [&](auto f) {
            Vector<I> x = in;
            derivative ? f.derivative(x) : f.value(x);
            out = x;
        };
        switch (activation) {
            case Activation::identity: return take(Activate<I, Activation::identity>{});
            case Activation::relu: return take(Activate<I, Activation::relu>{});
            case Activation::leaky_relu: return take(Activate<I, Activation::leaky_relu>{});
            case Activation::sigmoid: return take(Activate<I, Activation::sigmoid>{});
            case Activation::tanh: return take(Activate<I, Activation::tanh>{});
            case Activation::silu: return take(Activate<I, Activation::silu>{});
            case Activation::gelu: return take(Activate<I, Activation::gelu>{});
            case Activation::absolute: return take(Activate<I, Activation::absolute>{});
        }
    }
};

/// Calls `body(f)` for the activation that is asked for. The two that networks are full of have code of their own.
template <class I, class Body>
void with_activation(Activation activation, Body&& body) {
    if (activation == Activation::identity) return body(Activate<I, Activation::identity>{});
    if (activation == Activation::relu) return body(Activate<I, Activation::relu>{});
    body(ActivateAny<I>{activation});
}

/// Applies the activation in place to `pixels` pixels of `channels` values, `step` apart.
template <class I>
void activate_pixels(float* values, Index pixels, Index step, Index channels, Activation activation) {
    if (step == channels) channels *= std::exchange(pixels, 1);
    with_activation<I>(activation, [&](auto f) {
        for (Index p = 0; p < pixels; ++p, values += step)
            for_vectors<I>(channels, [f](auto& out, const auto& in) {
                out = in;
                f.value(out);
            }, values, values);
    });
}

}  // namespace mtdn::detail::cpu
