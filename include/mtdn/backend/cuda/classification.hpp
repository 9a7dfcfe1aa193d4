#pragma once

#include <cmath>

#include <mtdn/backend/cuda/channel_sums.hpp>
#include <mtdn/backend/cuda/label_checks.hpp>

namespace mtdn {

namespace detail::cuda {
inline namespace MTDN_KERNELS {

/// Softmax of one pixel, from its logits whenever asked for: nothing is kept by channel.
struct PixelSoftmax {
    const float* logits;
    int channels;
    float top = 0, sum = 0;

    MTDN_DEVICE PixelSoftmax(const Pixels<const float>& x, Index pixel, int count)
        : logits(&x.at(pixel, 0)), channels(count), top(logits[0]) {
        for (int c = 1; c < channels; ++c) top = logits[c] > top ? logits[c] : top;
        for (int c = 0; c < channels; ++c) sum += std::exp(logits[c] - top);
    }
    MTDN_DEVICE float probability(int c) const { return std::exp(logits[c] - top) / sum; }
    MTDN_DEVICE float log_probability(int c) const { return logits[c] - top - std::log(sum); }
    /// 1 − probability, without cancellation.
    MTDN_DEVICE float rest(int channel) const {
        float others = 0;
        for (int c = 0; c < channels; ++c) others += c == channel ? 0.0F : std::exp(logits[c] - top);
        return others / sum;
    }
};

struct Softmax {
    Pixels<const float> x;
    int channels;
    bool log;
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const PixelSoftmax pixel(x, p, channels);
        return log ? pixel.log_probability(static_cast<int>(c)) : pixel.probability(static_cast<int>(c));
    }
};

// The ways back run a pixel a thread: the sum is taken once.
struct SoftmaxBackward {
    Pixels<const float> y, dy;
    Pixels<float> dx;
    Index channels;
    MTDN_DEVICE void operator()(Index p) const {
        float sum = 0;
        for (Index c = 0; c < channels; ++c) sum += y.at(p, c) * dy.at(p, c);
        for (Index c = 0; c < channels; ++c) dx.at(p, c) = y.at(p, c) * (dy.at(p, c) - sum);
    }
};
struct LogSoftmaxBackward {
    Pixels<const float> y, dy;
    Pixels<float> dx;
    Index channels;
    MTDN_DEVICE void operator()(Index p) const {
        float sum = 0;
        for (Index c = 0; c < channels; ++c) sum += dy.at(p, c);
        for (Index c = 0; c < channels; ++c) dx.at(p, c) = dy.at(p, c) - std::exp(y.at(p, c)) * sum;
    }
};

struct ArgMax {
    Pixels<const float> x;
    Pixels<std::uint8_t> codes;
    int channels;
    MTDN_DEVICE void operator()(Index p) const {
        int best = 0;
        for (int c = 1; c < channels; ++c) best = x.at(p, c) > x.at(p, best) ? c : best;
        codes.at(p, 0) = static_cast<std::uint8_t>(best);
    }
};

/// Labels below `classes`; others, `ignore_label` among them, do not count.
struct Labels {
    Pixels<const std::uint8_t> labels;
    int classes;
    /// Label of a pixel, or −1 if it does not count.
    MTDN_DEVICE int operator()(Index p) const {
        const int label = labels.at(p, 0);
        return label < classes ? label : -1;
    }
};

/// Lowers a word to the first pixel whose label is neither a class nor `ignore_label`, as `LabelChecks` reads it.
struct FirstWrongLabel {
    static constexpr int threads = 256;
    Labels labels;
    Index count, check;
    Index* wrong;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const Index p = block.number() * threads + block.thread();
        if (p >= count || labels(p) >= 0) return;
        const Index label = labels.labels.at(p, 0);
        if (label != ignore_label)
            block.lower(wrong, ((check << LabelChecks::pixel_bits) + p) * (1 << LabelChecks::label_bits) + label);
    }
};

/// Has labels looked at; a wrong one is a DataError when the host meets the device next.
template <class D>
void check_labels(Queue<D>& queue, const char* operation, View<CudaFor<D>, const std::uint8_t> labels, Index classes) {
    const Index count = labels.shape.pixels();
    launch(queue, ceil_div(count, FirstWrongLabel::threads),
           FirstWrongLabel{{labels, static_cast<int>(classes)},
                           count,
                           queue.label_checks().number(operation, labels.shape, classes),
                           queue.wrong_label()});
}

/// Focal loss of a pixel without its class weight, −(1 − q)^γ log q, q the probability p of its label.
///
/// With smoothing s, q = s + t + (1 − s − t) p, t = s/(C − 1) the other classes' target, so that
/// 1 − q = (1 − s − t)(1 − p), which is exact near 0.
struct FocalPixel {
    PixelSoftmax softmax;
    int label;
    float gamma;
    bool smoothed;
    float p, others, spread, q, rest, log_q, power;

    MTDN_DEVICE FocalPixel(const PixelSoftmax& of, int with_label, float exponent, float s)
        : softmax(of), label(with_label), gamma(exponent), smoothed(s > 0), p(of.probability(label)),
          others(of.rest(label)) {
        const float target = smoothed ? s / static_cast<float>(of.channels - 1) : 0.0F;
        spread = 1 - s - target;
        q = s + target + spread * p;
        rest = spread * others;
        if (!smoothed) log_q = of.log_probability(label);
        else log_q = rest < 0.5F ? std::log1p(-rest) : std::log(q);
        power = gamma == 2 ? rest * rest : std::pow(rest, gamma);
    }

    MTDN_DEVICE float loss() const { return -power * log_q; }
    /// The derivative by the logit of channel c.
    MTDN_DEVICE float gradient(int c) const {
        const float ratio = rest > 0 ? log_q / rest : -1.0F;  // its limit
        const float by_log_q = -power * (1 - gamma * q * ratio);
        // dq/dlogit is p (one-hot − p_c) times the spread; without smoothing q is p and cancels, for it may be 0.
        const float by_p = smoothed ? by_log_q * spread * p / q : by_log_q;
        return by_p * (c == label ? others : -softmax.probability(c));
    }
};

struct FocalLoss {
    static constexpr int quantities = 2;
    Pixels<const float> logits, weights;
    Labels labels;
    float gamma, smoothing;
    Reduction reduction;

    MTDN_DEVICE FocalPixel pixel(Index p, int label) const {
        return {PixelSoftmax(logits, p, labels.classes), label, gamma, smoothing};
    }
    MTDN_DEVICE float weight(int label) const { return weights.data ? weights.at(0, label) : 1.0F; }
    /// The pixel's loss, and what it adds to the divisor.
    MTDN_DEVICE void operator()(Index p, Index, float (&numbers)[2]) const {
        const int label = labels(p);
        numbers[0] = label < 0 ? 0.0F : weight(label) * pixel(p, label).loss();
        numbers[1] = label < 0 || reduction == Reduction::none ? 0.0F
                     : reduction == Reduction::pixels          ? 1.0F
                                                               : weight(label);
    }
};

template <class D>
FocalLoss focal_of(View<CudaFor<D>, const float> logits, View<CudaFor<D>, const std::uint8_t> labels,
                   View<CudaFor<D>, const float> weights, const FocalOptions& options) {
    return {logits,
            weights,
            {labels, static_cast<int>(logits.shape.channels)},
            static_cast<float>(options.gamma),
            static_cast<float>(options.smoothing),
            options.reduction};
}

struct FocalResult {
    const double* totals;
    Pixels<float> loss, divisor;
    MTDN_DEVICE void operator()(Index) const {
        const double count = totals[1] == 0 ? 1 : totals[1];
        loss.at(0, 0) = static_cast<float>(totals[0] / count);
        divisor.at(0, 0) = static_cast<float>(count);
    }
};

struct FocalBackward {
    FocalLoss focal;
    Pixels<const float> divisor, dloss;
    MTDN_DEVICE float share() const { return dloss.at(0, 0) / divisor.at(0, 0); }
    MTDN_DEVICE float operator()(Index p, Index c) const {
        const int label = focal.labels(p);
        if (label < 0) return 0;
        return share() * focal.weight(label) * focal.pixel(p, label).gradient(static_cast<int>(c));
    }
};

/// Of one class: p·y, p and y, y the one-hot label.
struct Overlap {
    static constexpr int quantities = 3;
    Pixels<const float> logits;
    Labels labels;
    MTDN_DEVICE void operator()(Index p, Index c, float (&numbers)[3]) const {
        const int label = labels(p);
        numbers[1] = label < 0 ? 0.0F : PixelSoftmax(logits, p, labels.classes).probability(static_cast<int>(c));
        numbers[2] = label == c ? 1.0F : 0.0F;
        numbers[0] = numbers[1] * numbers[2];
    }
};

/// The Tversky loss of sums by class, and its gradients by the first two of them; in double precision, the host's way.
struct OverlapResult {
    Pixels<const float> sums;
    int classes;
    double false_positives, false_negatives, smoothing;
    Pixels<float> loss, gradients;

    MTDN_DEVICE void operator()(Index) const {
        int present = 0;
        for (int c = 0; c < classes; ++c) present += sums.at(2, c) > 0 ? 1 : 0;
        const double a = 2 * false_positives, b = 2 * false_negatives;
        double total = 0;
        for (int c = 0; c < classes; ++c) {
            const double overlap = sums.at(0, c), predicted = sums.at(1, c), labelled = sums.at(2, c);
            const double above = 2 * overlap + smoothing;
            const double below = (2 - a - b) * overlap + a * predicted + b * labelled + smoothing;
            const bool counts = labelled > 0;
            const double factor = counts ? -1 / (below * below * present) : 0.0;
            if (counts) total += (1 - above / below) / present;
            gradients.at(0, c) = counts ? static_cast<float>(factor * (2 * below - (2 - a - b) * above)) : 0.0F;
            gradients.at(1, c) = counts ? static_cast<float>(factor * (-a * above)) : 0.0F;
        }
        loss.at(0, 0) = static_cast<float>(total);
    }
};

struct OverlapBackward {
    Pixels<const float> logits, gradients, dloss;  // without the last one it is 1
    Labels labels;
    MTDN_DEVICE float gradient(int c, int label) const {
        return gradients.at(1, c) + (c == label ? gradients.at(0, c) : 0.0F);
    }
    MTDN_DEVICE float operator()(Index p, Index channel) const {
        const int label = labels(p), c = static_cast<int>(channel);
        if (label < 0) return 0;
        const PixelSoftmax softmax(logits, p, labels.classes);
        float above = 0;  // the gradient less its mean, without cancellation where one probability is nearly 1
        for (int k = 0; k < labels.classes; ++k)
            above += softmax.probability(k) * (gradient(c, label) - gradient(k, label));
        return (dloss.data ? dloss.at(0, 0) : 1.0F) * softmax.probability(c) * above;
    }
};

}  // namespace MTDN_KERNELS
}  // namespace detail::cuda

template <class D>
void CudaFor<D>::softmax(In x, Out y) {
    using namespace detail::cuda;
    for_each_element(*queue_, y, Softmax{x, static_cast<int>(x.shape.channels), false});
}
template <class D>
void CudaFor<D>::softmax_backward(In y, In dy, Out dx) {
    using namespace detail::cuda;
    for_each(*queue_, y.shape.pixels(), SoftmaxBackward{y, dy, dx, y.shape.channels});
}
template <class D>
void CudaFor<D>::log_softmax(In x, Out y) {
    using namespace detail::cuda;
    for_each_element(*queue_, y, Softmax{x, static_cast<int>(x.shape.channels), true});
}
template <class D>
void CudaFor<D>::log_softmax_backward(In y, In dy, Out dx) {
    using namespace detail::cuda;
    for_each(*queue_, y.shape.pixels(), LogSoftmaxBackward{y, dy, dx, y.shape.channels});
}
template <class D>
void CudaFor<D>::arg_max(In x, OutLabels codes) {
    using namespace detail::cuda;
    for_each(*queue_, x.shape.pixels(), ArgMax{x, codes, static_cast<int>(x.shape.channels)});
}

template <class D>
void CudaFor<D>::focal_loss(In logits, InLabels labels, In weights, const FocalOptions& options, Out loss,
                            Out divisor) {
    using namespace detail::cuda;
    check_labels(*queue_, "focal_loss", labels, logits.shape.channels);
    const FocalLoss focal = focal_of<D>(logits, labels, weights, options);
    const auto totals = channel_sums(*queue_, 1, logits.shape.pixels(), 1, focal);
    for_each(*queue_, 1, FocalResult{totals.data(), loss, divisor});
}
template <class D>
void CudaFor<D>::focal_loss_backward(In logits, InLabels labels, In weights, const FocalOptions& options, In divisor,
                                     In dloss, Out dlogits) {
    using namespace detail::cuda;
    const FocalLoss focal = focal_of<D>(logits, labels, weights, options);
    for_each_element(*queue_, dlogits, FocalBackward{focal, divisor, dloss});
}
template <class D>
void CudaFor<D>::overlap_sums(In logits, InLabels labels, Out sums) {
    using namespace detail::cuda;
    const Index channels = logits.shape.channels;
    check_labels(*queue_, "overlap_sums", labels, channels);
    const auto totals = channel_sums(*queue_, 1, logits.shape.pixels(), channels,
                                     Overlap{logits, {labels, static_cast<int>(channels)}});
    for_each_element(*queue_, sums, Mean{totals.data(), channels, 1});
}
template <class D>
void CudaFor<D>::overlap_loss(In sums, const TverskyOptions& options, Out loss, Out gradients) {
    using namespace detail::cuda;
    for_each(*queue_, 1,
             OverlapResult{sums, static_cast<int>(sums.shape.channels), options.false_positives,
                           options.false_negatives, options.smoothing, loss, gradients});
}
template <class D>
void CudaFor<D>::overlap_backward(In logits, InLabels labels, In gradients, In dloss, Out dlogits) {
    using namespace detail::cuda;
    for_each_element(*queue_, dlogits,
                     OverlapBackward{logits, gradients, dloss, {labels, static_cast<int>(logits.shape.channels)}});
}
template <class D>
void CudaFor<D>::overlap_backward(In logits, InLabels labels, In gradients, Out dlogits) {
    overlap_backward(logits, labels, gradients, In{}, dlogits);
}

}  // namespace mtdn
