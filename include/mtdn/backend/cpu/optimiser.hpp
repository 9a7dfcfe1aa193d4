#pragma once

#include <cmath>

#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/simd.hpp>
#include <mtdn/backend/cpu/workspace.hpp>
#include <mtdn/backend/options.hpp>

namespace mtdn::detail::cpu {

template <class I>
void adamw(Workspace& workspace, const AdamWStep& step, CpuIn<I> gradient, CpuOut<I> parameter, CpuOut<I> first_moment,
           CpuOut<I> second_moment) {
    const auto times = static_cast<double>(step.step);
    const double correction1 = 1 - std::pow(step.beta1, times), correction2 = 1 - std::pow(step.beta2, times);
    const auto b1 = static_cast<float>(step.beta1), b2 = static_cast<float>(step.beta2);
    const auto c1 = static_cast<float>(1 - step.beta1), c2 = static_cast<float>(1 - step.beta2);
    const auto kept = static_cast<float>(1 - step.rate * step.decay);
    const auto rate = static_cast<float>(step.rate / correction1);
    const auto root = static_cast<float>(1 / std::sqrt(correction2)), epsilon = static_cast<float>(step.epsilon);
    workspace.for_pieces(gradient.shape.size(), 2, [&](Range r) {
        const float* g = gradient.data;
        float *p = parameter.data, *m = first_moment.data, *v = second_moment.data;
        for (Index i = r.first; i < r.last; ++i) {
            m[i] = b1 * m[i] + c1 * g[i];
            v[i] = b2 * v[i] + c2 * g[i] * g[i];
            p[i] = kept * p[i] - rate * m[i] / (std::sqrt(v[i]) * root + epsilon);
        }
    });
}

template <class I>
void sgd(Workspace& workspace, const SgdStep& step, CpuIn<I> gradient, CpuOut<I> parameter, CpuOut<I> velocity) {
    const auto rate = static_cast<float>(step.rate), momentum = static_cast<float>(step.momentum);
    const auto decay = static_cast<float>(step.decay);
    const float kept = step.first ? 0.0F : momentum, ahead = step.nesterov ? momentum : 0.0F;
    workspace.for_pieces(gradient.shape.size(), 2, [&](Range r) {
        const float* g = gradient.data;
        float *p = parameter.data, *v = velocity.data;
        if (!v) {
            for (Index i = r.first; i < r.last; ++i) {
                const float decayed = g[i] + decay * p[i];
                p[i] -= rate * (decayed + ahead * decayed);
            }
            return;
        }
        // What a velocity held before its first step may be anything, NaN too.
        if (step.first) std::fill(v + r.first, v + r.last, 0.0F);
        for (Index i = r.first; i < r.last; ++i) {
            const float decayed = g[i] + decay * p[i];
            v[i] = kept * v[i] + decayed;
            p[i] -= rate * (step.nesterov ? decayed + ahead * v[i] : v[i]);
        }
    });
}

template <class I>
double sum_of_squares(Workspace& workspace, CpuIn<I> x) {
    const Index size = x.shape.size(), piece = 16384, count = ceil_div(size, piece);
    const Scratch sums = workspace.scratch(2 * std::max<Index>(count, 1));
    auto* own = reinterpret_cast<double*>(sums.data());
    workspace.threads.run(count, [&](Index i) {
        constexpr Index lanes = 16;
        double lane[lanes] = {};
        const float* from = x.data + i * piece;
        const Index n = std::min(piece, size - i * piece);
        Index j = 0;
        for (; j + lanes <= n; j += lanes)
            for (Index l = 0; l < lanes; ++l) lane[l] += static_cast<double>(from[j + l]) * from[j + l];
        for (Index l = 0; j < n; ++j, ++l) lane[l] += static_cast<double>(from[j]) * from[j];
        join<I>(lane, lanes, 1, 1);
        own[i] = lane[0];
    });
    join<I>(own, count, 1, 1);
    return count == 0 ? 0.0 : own[0];
}

}  // namespace mtdn::detail::cpu
