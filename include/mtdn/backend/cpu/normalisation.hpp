#pragma once

#include <cmath>

#include <mtdn/backend/cpu/activations.hpp>
#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/workspace.hpp>

namespace mtdn::detail::cpu {

/// Sums per group and channel, in two levels: a block of some 8192 elements in float, blocks in double.
///
/// Tasks are runs of blocks inside a group; their sums are joined in order.
template <class I>
class ChannelReduction {
public:
    /// @param quantities  numbers that a task keeps per channel, as double
    ChannelReduction(Workspace& workspace, const Shape& shape, Index groups, Index quantities)
        : workspace_(workspace), groups_(groups), pixels_(shape.pixels() / std::max<Index>(groups, 1)),
          channels_(shape.channels), size_(channels_ * quantities),
          block_(std::max<Index>(16, 8192 / std::max<Index>(channels_, 1))),
          tasks_(std::clamp<Index>(ceil_div(pixels_, 4 * block_), 1, 64)),
          totals_(workspace.scratch(2 * size_ * groups * tasks_)) {}

    Index tasks() const { return tasks_; }
    /// What task `t` of group `g` found: `quantities` arrays of channels.
    double* total(Index g, Index t) const {
        return reinterpret_cast<double*>(totals_.data()) + (g * tasks_ + t) * size_;
    }
    /// Pixels of group `g`'s task `t`, counted over all groups.
    Range pixels(Index g, Index t) const {
        const Range r = part_of(pixels_, tasks_, t);
        return {g * pixels_ + r.first, g * pixels_ + r.last};
    }

    /// One block: `sums` is scratch, `total` the task's so far, over `done` pixels before these.
    struct Block {
        Index group;
        Range pixels;
        Index done;
        float* sums;
        double* total;
    };

    /// Calls `add(block)` for every block; `floats` are the sums it wants per channel.
    template <class Add>
    void run(Index floats, Add&& add) {
        workspace_.threads.run(groups_ * tasks_, [&](Index i) {
            const Index g = i / tasks_;
            const Scratch sums = workspace_.scratch(floats * channels_);
            double* own = total(g, i % tasks_);
            std::fill_n(own, size_, 0.0);
            const Range r = pixels(g, i % tasks_);
            for (Index p = r.first; p < r.last; p += block_)
                add(Block{g, {p, std::min(p + block_, r.last)}, p - r.first, sums.data(), own});
        });
    }

private:
    Workspace& workspace_;
    Index groups_, pixels_, channels_, size_, block_, tasks_;
    Scratch totals_;
};

/// Calls `body(first channel, constant)` for as many vectors of channels at a time as there are, up to `Most`, or one.
template <class I, int Most, class Body>
MTDN_ALWAYS_INLINE inline void for_channels(Index channels, Body&& body) {
    Index c = 0;
    for (; c + Most * I::floats <= channels; c += Most * I::floats) body(c, std::integral_constant<int, Most>{});
    for (; c < channels; c += I::floats) body(c, std::integral_constant<int, 1>{});
}

/// sums[c] = Σ x[c] over pixels `step` apart.
template <class I>
void sum_pixels(const float* x, Index step, Index pixels, Index channels, float* sums) {
    for_channels<I, 4>(channels, [=](Index c, auto vectors) {
        Vector<I> sum[2][vectors] = {}, a;
        const auto add = [&](Index p, auto chain) MTDN_ALWAYS_INLINE {
            unroll<vectors>([&](auto v) MTDN_ALWAYS_INLINE {
                load(x + c + p * step + v * I::floats, a, channels - c);
                sum[chain][v] += a;
            });
        };
        Index p = 0;
        for (; p + 2 <= pixels; p += 2) {
            add(p, std::integral_constant<int, 0>{});
            add(p + 1, std::integral_constant<int, 1>{});
        }
        if (p < pixels) add(p, std::integral_constant<int, 0>{});
        unroll<vectors>([&](auto v) MTDN_ALWAYS_INLINE {
            store(sum[0][v] + sum[1][v], sums + c + v * I::floats, channels - c);
        });
    });
}

/// Distances from `mean` and their squares, summed.
template <class I>
void sum_distances(const float* x, Index step, Index pixels, Index channels, const float* mean, float* sums,
                   float* squares) {
    for_channels<I, 4>(channels, [=](Index c, auto vectors) {
        Vector<I> about[vectors], sum[vectors] = {}, square[vectors] = {}, a;
        const Index lanes = channels - c;
        unroll<vectors>([&](auto v) MTDN_ALWAYS_INLINE { load(mean + c + v * I::floats, about[v], lanes); });
        for (Index p = 0; p < pixels; ++p)
            unroll<vectors>([&](auto v) MTDN_ALWAYS_INLINE {
                load(x + c + p * step + v * I::floats, a, lanes);
                a -= about[v];
                sum[v] += a;
                square[v] += a * a;
            });
        unroll<vectors>([&](auto v) MTDN_ALWAYS_INLINE {
            store(sum[v], sums + c + v * I::floats, lanes);
            store(square[v], squares + c + v * I::floats, lanes);
        });
    });
}

/// Neighbouring pixels to take as one, so that few channels fill whole vectors; 1 if that does not come out even.
template <class I, class... Views>
Index merged_pixels(const Shape& shape, Index groups, const Views&... views) {
    const bool even = shape.pixels() % (groups * I::floats) == 0 && (views.contiguous() && ...);
    return even && shape.channels < 64 && shape.channels % I::floats != 0 ? I::floats : 1;
}

/// The view with every `merged` pixels as one, group by group.
template <class V>
V merge_pixels(V view, Index merged, Index groups) {
    const Index channels = view.shape.channels * merged;
    const Shape shape{groups, 1, view.shape.pixels() / groups / merged, channels};
    return {view.data, shape, merged == 1 ? view.stride : channels};
}

/// Adds the sum over all pixels to `sums`, an array of channels.
template <class I>
void add_channel_sums(Workspace& workspace, CpuIn<I> all, float* sums) {
    const Index merged = merged_pixels<I>(all.shape, 1, all);
    const auto x = merge_pixels(all, merged, 1);
    const Index channels = x.shape.channels;
    ChannelReduction<I> reduction(workspace, x.shape, 1, 1);
    reduction.run(1, [&](const auto& b) {
        sum_pixels<I>(x.pixel(b.pixels.first), x.stride, b.pixels.size(), channels, b.sums);
        for (Index c = 0; c < channels; ++c) b.total[c] += b.sums[c];
    });
    for (Index c = 0; c < all.shape.channels; ++c) {
        double sum = 0;
        for (Index t = 0; t < reduction.tasks(); ++t)
            for (Index i = c; i < channels; i += all.shape.channels) sum += reduction.total(0, t)[i];
        sums[c] += static_cast<float>(sum);
    }
}

/// Mean and sum of squared distances from it, of blocks put together.
///
/// @source Chan, Golub and LeVeque 1979
template <class I>
void join_moments(double count, double& mean, double& squares, double more, double its_mean, double its_squares) {
    const double delta = its_mean - mean, all = count + more;
    mean += delta * (more / all);
    squares += its_squares + delta * delta * (count * more / all);
}

template <class I>
void batch_statistics(Workspace& workspace, CpuIn<I> all, CpuOut<I> mean, CpuOut<I> variance) {
    const Index groups = mean.shape.frames, merged = merged_pixels<I>(all.shape, groups, all);
    const auto x = merge_pixels(all, merged, groups);
    const Index channels = x.shape.channels;
    ChannelReduction<I> reduction(workspace, x.shape, groups, 2);
    reduction.run(3, [&](const auto& b) {
        // The block's mean first, then distances from it: exact however far the values are from 0.
        const float* from = x.pixel(b.pixels.first);
        const Index pixels = b.pixels.size();
        float *about = b.sums, *sums = about + channels, *squares = sums + channels;
        sum_pixels<I>(from, x.stride, pixels, channels, about);
        for (Index c = 0; c < channels; ++c) about[c] /= static_cast<float>(pixels);
        sum_distances<I>(from, x.stride, pixels, channels, about, sums, squares);
        const auto done = static_cast<double>(b.done), count = static_cast<double>(pixels);
        for (Index c = 0; c < channels; ++c) {
            const double shift = sums[c] / count;
            join_moments<I>(done, b.total[c], b.total[channels + c], count, about[c] + shift,
                            squares[c] - shift * sums[c]);
        }
    });
    for (Index g = 0; g < groups; ++g)
        for (Index c = 0; c < all.shape.channels; ++c) {
            double count = 0, m = 0, squares = 0;
            for (Index t = 0; t < reduction.tasks(); ++t)
                for (Index i = c; i < channels; i += all.shape.channels) {
                    const auto more = static_cast<double>(reduction.pixels(g, t).size());
                    if (more == 0) continue;
                    const double* total = reduction.total(g, t);
                    join_moments<I>(count, m, squares, more, total[i], total[channels + i]);
                    count += more;
                }
            mean.pixel(g)[c] = static_cast<float>(m);
            variance.pixel(g)[c] = static_cast<float>(squares / count);
        }
}

template <class I>
void update_running(CpuIn<I> mean, CpuIn<I> variance, Index count, double momentum, CpuOut<I> running_mean,
                    CpuOut<I> running_variance) {
    const double unbiased = count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1.0;
    for (Index g = 0; g < mean.shape.frames; ++g)
        for (Index c = 0; c < mean.shape.channels; ++c) {
            float &m = running_mean.data[c], &v = running_variance.data[c];
            m = static_cast<float>((1 - momentum) * m + momentum * mean.pixel(g)[c]);
            v = static_cast<float>((1 - momentum) * v + momentum * unbiased * variance.pixel(g)[c]);
        }
}

template <class I>
void normalisation(CpuIn<I> mean, CpuIn<I> variance, CpuIn<I> weight, CpuIn<I> bias, double epsilon, CpuOut<I> scale,
                   CpuOut<I> shift) {
    for (Index g = 0; g < mean.shape.frames; ++g)
        for (Index c = 0; c < mean.shape.channels; ++c) {
            const double factor = weight.data[c] / std::sqrt(variance.pixel(g)[c] + epsilon);
            scale.pixel(g)[c] = static_cast<float>(factor);
            shift.pixel(g)[c] = static_cast<float>(bias.data[c] - mean.pixel(g)[c] * factor);
        }
}

/// Calls `body(group, pixel)` for all pixels of equal groups, in pieces.
template <class Body>
void for_group_pixels(Workspace& workspace, const Shape& shape, Index groups, Body&& body) {
    const Index pixels = std::max<Index>(1, shape.pixels() / groups);
    workspace.for_pieces(shape.pixels(), shape.channels, [&](Range r) {
        for (Index p = r.first; p < r.last;) {
            const Index g = p / pixels;
            for (const Index end = std::min(r.last, (g + 1) * pixels); p < end; ++p) body(g, p);
        }
    });
}

/// The vectors of groups, each repeated `merged` times.
template <class I>
Scratch repeat(Workspace& workspace, CpuIn<I> vectors, Index groups, Index merged) {
    const Index channels = vectors.shape.channels;
    Scratch all = workspace.scratch(groups * channels * merged);
    for (Index g = 0; g < groups; ++g)
        for (Index i = 0; i < merged; ++i)
            std::copy_n(vectors.pixel(g), channels, all.data() + (g * merged + i) * channels);
    return all;
}

template <class I>
void normalise(Workspace& workspace, CpuIn<I> x, CpuIn<I> scale, CpuIn<I> shift, Activation activation, CpuOut<I> y) {
    const Index groups = scale.shape.frames, merged = merged_pixels<I>(x.shape, groups, x, y);
    const Index channels = x.shape.channels * merged;
    const Scratch factors = repeat<I>(workspace, scale, groups, merged);
    const Scratch terms = repeat<I>(workspace, shift, groups, merged);
    x = merge_pixels(x, merged, groups);
    y = merge_pixels(y, merged, groups);
    with_activation<I>(activation, [&](auto f) {
        for_group_pixels(workspace, x.shape, groups, [&](Index g, Index p) {
            for_vectors<I>(channels, [f](auto& out, const auto& in, const auto& factor, const auto& term) {
                out = factor * in + term;
                f.value(out);
            }, y.pixel(p), x.pixel(p), factors.data() + g * channels, terms.data() + g * channels);
        });
    });
}

/// The way back through a normalisation, on merged pixels; vectors are per group and channel.
template <class I>
struct NormalisationBackward {
    CpuIn<I> x, dy;
    Index channels;
    float* mean;
    float* inverse;       ///< 1 / √(variance + ε)
    float* scale;
    float* shift;
    float* mean_gradient;    ///< of the gradients by what the activation was applied to
    float* mean_product;  ///< of their products with the standardised x, times `inverse`

    /// Those gradients, and their products with the standardised x, summed over pixels of group g.
    template <class F>
    void sum(F f, Index g, Range r, float* sums, float* products) const {
        for_channels<I, 2>(channels, [&](Index c, auto vectors) {
            const Index lanes = channels - c, i = g * channels + c;
            Vector<I> m[vectors], a[vectors], b[vectors], sum[vectors] = {}, product[vectors] = {}, in, gradient, dz;
            unroll<vectors>([&](auto v) MTDN_ALWAYS_INLINE {
                load(mean + i + v * I::floats, m[v], lanes);
                load(scale + i + v * I::floats, a[v], lanes);
                load(shift + i + v * I::floats, b[v], lanes);
            });
            for (Index p = r.first; p < r.last; ++p)
                unroll<vectors>([&](auto v) MTDN_ALWAYS_INLINE {
                    load(x.pixel(p) + c + v * I::floats, in, lanes);
                    load(dy.pixel(p) + c + v * I::floats, gradient, lanes);
                    dz = a[v] * in + b[v];
                    f.derivative(dz);
                    dz *= gradient;
                    sum[v] += dz;
                    product[v] += dz * (in - m[v]);
                });
            unroll<vectors>([&](auto v) MTDN_ALWAYS_INLINE {
                load(inverse + i + v * I::floats, in, lanes);
                store(sum[v], sums + c + v * I::floats, lanes);
                store(product[v] * in, products + c + v * I::floats, lanes);
            });
        });
    }

    template <class F>
    void differentiate(F f, Index g, Index p, float* dx) const {
        const Index first = g * channels;
        for_vectors<I>(channels, [f](auto& out, const auto& in, const auto& gradient, const auto& m, const auto& a,
                                     const auto& b, const auto& s, const auto& q) {
            out = a * in + b;
            f.derivative(out);
            out = a * (out * gradient - s - (in - m) * q);
        }, dx, x.pixel(p), dy.pixel(p), mean + first, scale + first, shift + first, mean_gradient + first,
        mean_product + first);
    }
};

template <class I>
void normalise_backward(Workspace& workspace, CpuIn<I> x, CpuIn<I> dy, CpuIn<I> mean, CpuIn<I> variance,
                        CpuIn<I> weight, CpuIn<I> bias, double epsilon, Activation activation, bool own_statistics,
                        CpuOut<I> dx, CpuOut<I> dweight, CpuOut<I> dbias) {
    const Index own = x.shape.channels, groups = mean.shape.frames;
    const Index merged = merged_pixels<I>(x.shape, groups, x, dy, dx), channels = own * merged, all = groups * channels;
    const double count = static_cast<double>(x.shape.pixels() / groups);
    const Scratch vectors = workspace.scratch(6 * all);
    const auto vector = [&](Index i) { return vectors.data() + i * all; };
    const NormalisationBackward<I> back{merge_pixels(x, merged, groups), merge_pixels(dy, merged, groups), channels,
                                        vector(0), vector(1), vector(2), vector(3), vector(4), vector(5)};
    for (Index i = 0; i < all; ++i) {
        const Index g = i / channels, c = i % own;
        const double inverse = 1 / std::sqrt(variance.pixel(g)[c] + epsilon), factor = weight.data[c] * inverse;
        back.mean[i] = mean.pixel(g)[c];
        back.inverse[i] = static_cast<float>(inverse);
        back.scale[i] = static_cast<float>(factor);
        back.shift[i] = static_cast<float>(bias.data[c] - mean.pixel(g)[c] * factor);
        back.mean_gradient[i] = back.mean_product[i] = 0;
    }
    with_activation<I>(activation, [&](auto f) {
        if (own_statistics || dweight || dbias) {
            ChannelReduction<I> reduction(workspace, back.x.shape, groups, 2);
            reduction.run(2, [&](const auto& b) {
                back.sum(f, b.group, b.pixels, b.sums, b.sums + channels);
                for (Index c = 0; c < 2 * channels; ++c) b.total[c] += b.sums[c];
            });
            for (Index c = 0; c < own; ++c) {
                double gradients = 0, products = 0;
                for (Index g = 0; g < groups; ++g) {
                    double gradient = 0, product = 0;
                    for (Index t = 0; t < reduction.tasks(); ++t)
                        for (Index i = c; i < channels; i += own) {
                            gradient += reduction.total(g, t)[i];
                            product += reduction.total(g, t)[channels + i];
                        }
                    gradients += gradient;
                    products += product;
                    if (!own_statistics) continue;
                    for (Index i = g * channels + c; i < (g + 1) * channels; i += own) {
                        back.mean_gradient[i] = static_cast<float>(gradient / count);
                        back.mean_product[i] = static_cast<float>(product / count * back.inverse[i]);
                    }
                }
                if (dweight) dweight.data[c] += static_cast<float>(products);
                if (dbias) dbias.data[c] += static_cast<float>(gradients);
            }
        }
        const auto to = merge_pixels(dx, merged, groups);
        for_group_pixels(workspace, to.shape, groups,
                         [&](Index g, Index p) { back.differentiate(f, g, p, to.pixel(p)); });
    });
}

}  // namespace mtdn::detail::cpu
