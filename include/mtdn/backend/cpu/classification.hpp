#pragma once

#include <atomic>
#include <cmath>

#include <mtdn/backend/cpu/exponential.hpp>
#include <mtdn/backend/cpu/isa.hpp>
#include <mtdn/backend/cpu/workspace.hpp>
#include <mtdn/backend/options.hpp>
#include <mtdn/core/inline_vector.hpp>

namespace mtdn::detail::cpu {

/// Up to 64 pixels with their channels transposed, [channel][lane], so that loops over pixels vectorise.
template <class I>
class PixelTile {
public:
    static constexpr Index lanes = 64;

    PixelTile(Workspace& workspace, Index channels)
        : channels_(channels), values_(workspace.scratch(3 * channels * lanes)), logits_(values_.data()),
          shares_(logits_ + channels * lanes), results_(shares_ + channels * lanes) {}

    /// Reads pixels and computes their softmax; lanes without a pixel hold zeros.
    void load(CpuIn<I> x, Range pixels) {
        first_ = pixels.first;
        count_ = pixels.size();
        std::fill_n(logits_, channels_ * lanes, 0.0F);
        for (Index l = 0; l < count_; ++l)
            for (Index c = 0; c < channels_; ++c) logits_[c * lanes + l] = x.pixel(first_ + l)[c];
        float top[lanes], inverse[lanes];
        std::copy_n(logits_, lanes, top);
        for (Index c = 1; c < channels_; ++c)
            for (Index l = 0; l < lanes; ++l) top[l] = std::max(top[l], logits_[c * lanes + l]);
        std::fill_n(sum_, lanes, 0.0F);
        for (Index c = 0; c < channels_; ++c) {
            float *z = logits_ + c * lanes, *e = shares_ + c * lanes;
            for_vectors<I>(lanes, [](auto& out, const auto& a, const auto& b) { out = a - b; }, z, z, top);
            for_vectors<I>(lanes, [](auto& out, const auto& a) {
                out = a;
                exponential<I>(out);
            }, e, z);
            for_vectors<I>(lanes, [](auto& out, const auto& a, const auto& b) { out = a + b; }, sum_, sum_, e);
        }
        for (Index l = 0; l < lanes; ++l) inverse[l] = 1.0F / sum_[l];
        for (Index c = 0; c < channels_; ++c)
            for (Index l = 0; l < lanes; ++l) shares_[c * lanes + l] *= inverse[l];
    }

    Index first() const { return first_; }
    Index count() const { return count_; }
    Index channels() const { return channels_; }
    float probability(Index channel, Index lane) const { return shares_[channel * lanes + lane]; }
    /// log p of a channel, given the lane's `log_sum`.
    float log_probability(Index channel, Index lane, float log_sum) const {
        return logits_[channel * lanes + lane] - log_sum;
    }
    float log_sum(Index lane) const { return std::log(sum_[lane]); }
    /// 1 − probability, without cancellation.
    float rest(Index channel, Index lane) const {
        float others = 0;
        for (Index c = 0; c < channels_; ++c) others += c == channel ? 0.0F : probability(c, lane);
        return others;
    }

    /// What is to be written for a channel of a lane.
    float& result(Index channel, Index lane) { return results_[channel * lanes + lane]; }
    void store(CpuOut<I> y) const {
        for (Index l = 0; l < count_; ++l)
            for (Index c = 0; c < channels_; ++c) y.pixel(first_ + l)[c] = results_[c * lanes + l];
    }

private:
    Index channels_;
    Scratch values_;
    float *logits_, *shares_, *results_;
    Index first_ = 0, count_ = 0;
    float sum_[lanes];
};

/// Calls `body(tile, sums)` for all pixels of x, tile by tile; `sums` are `count` doubles that start as 0 for each
/// piece of the work. `join` gets each piece's in order.
template <class I, class Body, class Join>
void for_tiles(Workspace& workspace, CpuIn<I> x, Index count, Body&& body, Join&& join) {
    constexpr Index lanes = PixelTile<I>::lanes;
    const Index channels = x.shape.channels, pixels = x.shape.pixels();
    const Index piece = std::max<Index>(1, 256 / std::max<Index>(channels, 1)) * lanes;
    const Index pieces = ceil_div(pixels, piece);
    const Scratch sums = workspace.scratch(2 * pieces * count);
    auto* all = reinterpret_cast<double*>(sums.data());
    workspace.threads.run(pieces, [&](Index i) {
        PixelTile<I> tile(workspace, channels);
        std::fill_n(all + i * count, count, 0.0);
        const Index last = std::min(pixels, (i + 1) * piece);
        for (Index p = i * piece; p < last; p += lanes) {
            tile.load(x, {p, std::min(last, p + lanes)});
            body(tile, all + i * count);
        }
    });
    for (Index i = 0; i < pieces; ++i) join(static_cast<const double*>(all + i * count));
}

/// The labels of an operation's pixels, and the first one that is wrong.
template <class I>
class CheckedLabels {
public:
    CheckedLabels(const char* operation, CpuLabels<I> labels, Index classes)
        : operation_(operation), labels_(labels), classes_(classes), wrong_(labels.shape.pixels()) {}

    /// Label of a pixel, or −1 if it does not count.
    Index operator[](Index pixel) {
        const std::uint8_t label = *labels_.pixel(pixel);
        if (label == ignore_label) return -1;
        if (label < classes_) return label;
        for (Index known = wrong_; pixel < known && !wrong_.compare_exchange_weak(known, pixel);) {
        }
        return -1;
    }

    /// @throws DataError if a label was wrong
    void check() const {
        if (const Index pixel = wrong_; pixel < labels_.shape.pixels())
            fail<DataError>(operation_, ": label ", int{*labels_.pixel(pixel)}, " in pixel ", pixel, " of ",
                            labels_.shape, ", expected less than ", classes_, " or ", int{ignore_label});
    }

private:
    const char* operation_;
    CpuLabels<I> labels_;
    Index classes_;
    std::atomic<Index> wrong_;
};

template <class I>
void softmax(Workspace& workspace, CpuIn<I> x, CpuOut<I> y) {
    for_tiles<I>(workspace, x, 0, [&](PixelTile<I>& tile, double*) {
        for (Index c = 0; c < tile.channels(); ++c)
            for (Index l = 0; l < tile.lanes; ++l) tile.result(c, l) = tile.probability(c, l);
        tile.store(y);
    }, [](const double*) {});
}

template <class I>
void log_softmax(Workspace& workspace, CpuIn<I> x, CpuOut<I> y) {
    for_tiles<I>(workspace, x, 0, [&](PixelTile<I>& tile, double*) {
        for (Index l = 0; l < tile.count(); ++l) {
            const float log_sum = tile.log_sum(l);
            for (Index c = 0; c < tile.channels(); ++c) tile.result(c, l) = tile.log_probability(c, l, log_sum);
        }
        tile.store(y);
    }, [](const double*) {});
}

template <class I>
void softmax_backward(Workspace& workspace, CpuIn<I> y, CpuIn<I> dy, CpuOut<I> dx) {
    const Index channels = y.shape.channels;
    workspace.for_pieces(y.shape.pixels(), channels, [&](Range r) {
        for (Index p = r.first; p < r.last; ++p) {
            const float *share = y.pixel(p), *gradient = dy.pixel(p);
            float* to = dx.pixel(p);
            float sum = 0;
            for (Index c = 0; c < channels; ++c) sum += share[c] * gradient[c];
            for (Index c = 0; c < channels; ++c) to[c] = share[c] * (gradient[c] - sum);
        }
    });
}

template <class I>
void log_softmax_backward(Workspace& workspace, CpuIn<I> y, CpuIn<I> dy, CpuOut<I> dx) {
    const Index channels = y.shape.channels;
    workspace.for_pieces(y.shape.pixels(), channels, [&](Range r) {
        for (Index p = r.first; p < r.last; ++p) {
            const float *value = y.pixel(p), *gradient = dy.pixel(p);
            float* to = dx.pixel(p);
            float sum = 0;
            for (Index c = 0; c < channels; ++c) sum += gradient[c];
            for_vectors<I>(channels, [sum](auto& out, const auto& v, const auto& d) {
                out = v;
                exponential<I>(out);
                out = d - out * sum;
            }, to, value, gradient);
        }
    });
}

template <class I>
void arg_max(Workspace& workspace, CpuIn<I> x, CpuCodes<I> codes) {
    workspace.for_pieces(x.shape.pixels(), x.shape.channels, [&](Range r) {
        for (Index p = r.first; p < r.last; ++p) {
            const float* from = x.pixel(p);
            Index best = 0;
            for (Index c = 1; c < x.shape.channels; ++c) best = from[c] > from[best] ? c : best;
            *codes.pixel(p) = static_cast<std::uint8_t>(best);
        }
    });
}

/// Focal loss of a pixel without its class weight, −(1 − q)^γ log q, q the probability p of its label.
///
/// With smoothing s, q = s + t + (1 − s − t) p, t = s/(C − 1) the other classes' target, so that
/// 1 − q = (1 − s − t)(1 − p), which is exact near 0.
template <class I>
class FocalPixel {
public:
    FocalPixel(const PixelTile<I>& tile, const FocalOptions& options, Index lane, Index label)
        : tile_(tile), lane_(lane), label_(label), gamma_(static_cast<float>(options.gamma)),
          smoothed_(options.smoothing > 0), p_(tile.probability(label, lane)), others_(tile.rest(label, lane)) {
        const auto s = static_cast<float>(options.smoothing);
        const float target = smoothed_ ? s / static_cast<float>(tile.channels() - 1) : 0.0F;
        spread_ = 1 - s - target;
        q_ = s + target + spread_ * p_;
        rest_ = spread_ * others_;
        if (!smoothed_) log_q_ = tile.log_probability(label, lane, tile.log_sum(lane));
        else log_q_ = rest_ < 0.5F ? std::log1p(-rest_) : std::log(q_);
        power_ = gamma_ == 2 ? rest_ * rest_ : std::pow(rest_, gamma_);
    }

    float loss() const { return -power_ * log_q_; }

    /// Writes the derivatives by the logits, times `factor`.
    void differentiate(float factor, PixelTile<I>& to) const {
        const float ratio = rest_ > 0 ? log_q_ / rest_ : -1.0F;  // its limit
        const float by_log_q = -factor * power_ * (1 - gamma_ * q_ * ratio);
        // dq/dlogit is p (one-hot − p_c) times the spread; without smoothing q is p and cancels, for it may be 0.
        const float by_p = smoothed_ ? by_log_q * spread_ * p_ / q_ : by_log_q;
        for (Index c = 0; c < tile_.channels(); ++c)
            to.result(c, lane_) = by_p * (c == label_ ? others_ : -tile_.probability(c, lane_));
    }

private:
    const PixelTile<I>& tile_;
    Index lane_, label_;
    float gamma_;
    bool smoothed_;
    float p_, others_, spread_, q_, rest_, log_q_, power_;
};

template <class I>
void focal_loss(Workspace& workspace, CpuIn<I> logits, CpuLabels<I> labels, CpuIn<I> weights,
                const FocalOptions& options, CpuOut<I> loss, CpuOut<I> divisor) {
    CheckedLabels<I> checked("focal_loss", labels, logits.shape.channels);
    double sum = 0, count = 0;
    for_tiles<I>(workspace, logits, 2, [&](const PixelTile<I>& tile, double* sums) {
        for (Index l = 0; l < tile.count(); ++l) {
            const Index label = checked[tile.first() + l];
            if (label < 0) continue;
            const double weight = weights ? weights.data[label] : 1.0F;
            sums[0] += weight * static_cast<double>(FocalPixel<I>(tile, options, l, label).loss());
            if (options.reduction != Reduction::none) sums[1] += options.reduction == Reduction::pixels ? 1.0 : weight;
        }
    }, [&](const double* sums) {
        sum += sums[0];
        count += sums[1];
    });
    checked.check();
    if (count == 0) count = 1;
    *loss.data = static_cast<float>(sum / count);
    *divisor.data = static_cast<float>(count);
}

template <class I>
void focal_loss_backward(Workspace& workspace, CpuIn<I> logits, CpuLabels<I> labels, CpuIn<I> weights,
                         const FocalOptions& options, CpuIn<I> divisor, CpuIn<I> dloss, CpuOut<I> dlogits) {
    CheckedLabels<I> checked("focal_loss_backward", labels, logits.shape.channels);
    const float share = *dloss.data / *divisor.data;
    for_tiles<I>(workspace, logits, 0, [&](PixelTile<I>& tile, double*) {
        for (Index l = 0; l < tile.count(); ++l) {
            const Index label = checked[tile.first() + l];
            if (label < 0)
                for (Index c = 0; c < tile.channels(); ++c) tile.result(c, l) = 0;
            else
                FocalPixel<I>(tile, options, l, label)
                    .differentiate(share * (weights ? weights.data[label] : 1.0F), tile);
        }
        tile.store(dlogits);
    }, [](const double*) {});
    checked.check();
}

template <class I>
void overlap_sums(Workspace& workspace, CpuIn<I> logits, CpuLabels<I> labels, CpuOut<I> sums) {
    const Index channels = logits.shape.channels;
    CheckedLabels<I> checked("overlap_sums", labels, channels);
    InlineVector<double, 32> all(static_cast<std::size_t>(3 * channels));
    for_tiles<I>(workspace, logits, 3 * channels, [&](const PixelTile<I>& tile, double* own) {
        for (Index l = 0; l < tile.count(); ++l) {
            const Index label = checked[tile.first() + l];
            if (label < 0) continue;
            own[label] += tile.probability(label, l);
            for (Index c = 0; c < channels; ++c) own[channels + c] += tile.probability(c, l);
            own[2 * channels + label] += 1;
        }
    }, [&](const double* own) {
        for (std::size_t i = 0; i < all.size(); ++i) all[i] += own[i];
    });
    checked.check();
    for (Index i = 0; i < 3 * channels; ++i)
        sums.pixel(i / channels)[i % channels] = static_cast<float>(all[static_cast<std::size_t>(i)]);
}

template <class I>
void overlap_backward(Workspace& workspace, CpuIn<I> logits, CpuLabels<I> labels, CpuIn<I> gradients,
                      CpuOut<I> dlogits) {
    CheckedLabels<I> checked("overlap_backward", labels, logits.shape.channels);
    const float *product = gradients.pixel(0), *probability = gradients.pixel(1);
    for_tiles<I>(workspace, logits, 0, [&](PixelTile<I>& tile, double*) {
        for (Index l = 0; l < tile.count(); ++l) {
            const Index label = checked[tile.first() + l];
            const auto gradient = [&](Index c) { return probability[c] + (c == label ? product[c] : 0.0F); };
            for (Index c = 0; c < tile.channels(); ++c) {
                float above = 0;  // the gradient less its mean, without cancellation where one probability is nearly 1
                for (Index k = 0; k < tile.channels(); ++k)
                    above += tile.probability(k, l) * (gradient(c) - gradient(k));
                tile.result(c, l) = label < 0 ? 0.0F : tile.probability(c, l) * above;
            }
        }
        tile.store(dlogits);
    }, [](const double*) {});
    checked.check();
}

}  // namespace mtdn::detail::cpu
