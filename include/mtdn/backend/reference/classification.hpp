#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <mtdn/backend/reference/elements.hpp>
#include <mtdn/backend/reference/wide.hpp>

namespace mtdn::detail::reference {

/// log p of one pixel's channels, finite for any finite logits.
template <class T>
std::vector<Wide<T>> log_probabilities(const T* logits, Index channels) {
    const Wide<T> top = *std::max_element(logits, logits + channels);
    Wide<T> sum = 0;
    for (Index c = 0; c < channels; ++c) sum += std::exp(logits[c] - top);
    std::vector<Wide<T>> result;
    for (Index c = 0; c < channels; ++c) result.push_back(logits[c] - top - std::log(sum));
    return result;
}

template <class T>
std::vector<Wide<T>> probabilities(const T* logits, Index channels) {
    auto result = log_probabilities(logits, channels);
    for (auto& value : result) value = std::exp(value);
    return result;
}

template <class B, class T>
void softmax(View<B, const T> x, View<B, T> y) {
    for (Index p = 0; p < x.shape.pixels(); ++p) {
        const auto values = probabilities(x.pixel(p), x.shape.channels);
        std::transform(values.begin(), values.end(), y.pixel(p), [](auto value) { return static_cast<T>(value); });
    }
}

template <class B, class T>
void softmax_backward(View<B, const T> y, View<B, const T> dy, View<B, T> dx) {
    for (Index p = 0; p < y.shape.pixels(); ++p) {
        Wide<T> sum = 0;
        for (Index c = 0; c < y.shape.channels; ++c) sum += Wide<T>(y.pixel(p)[c]) * dy.pixel(p)[c];
        for (Index c = 0; c < y.shape.channels; ++c)
            dx.pixel(p)[c] = static_cast<T>(y.pixel(p)[c] * (dy.pixel(p)[c] - sum));
    }
}

template <class B, class T>
void log_softmax(View<B, const T> x, View<B, T> y) {
    for (Index p = 0; p < x.shape.pixels(); ++p) {
        const auto values = log_probabilities(x.pixel(p), x.shape.channels);
        std::transform(values.begin(), values.end(), y.pixel(p), [](auto value) { return static_cast<T>(value); });
    }
}

template <class B, class T>
void log_softmax_backward(View<B, const T> y, View<B, const T> dy, View<B, T> dx) {
    for (Index p = 0; p < y.shape.pixels(); ++p) {
        Wide<T> sum = 0;
        for (Index c = 0; c < y.shape.channels; ++c) sum += dy.pixel(p)[c];
        for (Index c = 0; c < y.shape.channels; ++c)
            dx.pixel(p)[c] = static_cast<T>(dy.pixel(p)[c] - std::exp(Wide<T>(y.pixel(p)[c])) * sum);
    }
}

template <class B, class T>
void arg_max(View<B, const T> x, View<B, std::uint8_t> codes) {
    for (Index p = 0; p < x.shape.pixels(); ++p)
        codes.pixel(p)[0] =
            static_cast<std::uint8_t>(std::max_element(x.pixel(p), x.pixel(p) + x.shape.channels) - x.pixel(p));
}

/// The label of a pixel, or −1 where it does not count.
template <class B, class T>
Index label_of(const char* operation, View<B, const T> logits, View<B, const std::uint8_t> labels, Index pixel) {
    const Index label = labels.pixel(pixel)[0];
    if (label == ignore_label) return -1;
    require<DataError>(label < logits.shape.channels, operation, ": label ", label, " in pixel ", pixel, " of ",
                       labels.shape, ", expected less than ", logits.shape.channels, " or ", int{ignore_label});
    return label;
}

/// The loss of one pixel, without its class weight, as a function of its logits, and the derivatives by them.
///
/// With q the probability of the label, or its smoothed form: loss = −(1 − q)^γ log q.
template <class T>
class FocalPixel {
public:
    FocalPixel(const T* logits, Index channels, Index label, const FocalOptions& options)
        : label_(label), gamma_(options.gamma), smoothing_(options.smoothing), p_(probabilities(logits, channels)) {
        log_q_ = log_probabilities(logits, channels)[static_cast<std::size_t>(label)];
        q_ = std::exp(log_q_);
        rest_ = -std::expm1(log_q_);
        if (smoothing_ > 0) {
            q_ = smoothing_;
            for (Index c = 0; c < channels; ++c) q_ += target(c) * p_[static_cast<std::size_t>(c)];
            log_q_ = std::log(q_);
            rest_ = std::max<Wide<T>>(1 - q_, 0);  // below 0 by rounding alone
        }
    }

    Wide<T> loss() const { return -std::pow(rest_, gamma_) * log_q_; }

    Wide<T> gradient(Index c) const {
        const Wide<T> ratio = rest_ > 0 ? log_q_ / rest_ : -1;  // its limit
        const Wide<T> p = p_[static_cast<std::size_t>(c)];
        // dq/dlogit is q (one-hot − p) without smoothing; q is divided out, it may be 0.
        const Wide<T> by_log_q = -std::pow(rest_, gamma_) * (1 - gamma_ * q_ * ratio);
        if (smoothing_ > 0) return by_log_q / q_ * p * (target(c) - (q_ - smoothing_));
        return by_log_q * ((c == label_) - p);
    }

private:
    Wide<T> target(Index c) const {
        return c == label_ ? 1 - smoothing_ : smoothing_ / static_cast<Wide<T>>(p_.size() - 1);
    }

    Index label_;
    Wide<T> gamma_, smoothing_;
    std::vector<Wide<T>> p_;
    Wide<T> q_, log_q_, rest_;
};

template <class B, class T>
void focal_loss(View<B, const T> logits, View<B, const std::uint8_t> labels, View<B, const T> weights,
                const FocalOptions& options, View<B, T> loss, View<B, T> divisor) {
    Wide<T> sum = 0, count = 0;
    for (Index p = 0; p < logits.shape.pixels(); ++p) {
        const Index label = label_of("focal_loss", logits, labels, p);
        if (label < 0) continue;
        const Wide<T> weight = weights ? weights.data[label] : T(1);
        sum += weight * FocalPixel<T>(logits.pixel(p), logits.shape.channels, label, options).loss();
        if (options.reduction != Reduction::none) count += options.reduction == Reduction::pixels ? 1 : weight;
    }
    if (count == 0) count = 1;
    *loss.data = static_cast<T>(sum / count);
    *divisor.data = static_cast<T>(count);
}

template <class B, class T>
void focal_loss_backward(View<B, const T> logits, View<B, const std::uint8_t> labels, View<B, const T> weights,
                         const FocalOptions& options, View<B, const T> divisor, View<B, const T> dloss,
                         View<B, T> dlogits) {
    fill(dlogits, 0);
    for (Index p = 0; p < logits.shape.pixels(); ++p) {
        const Index label = label_of("focal_loss_backward", logits, labels, p);
        if (label < 0) continue;
        const FocalPixel<T> pixel(logits.pixel(p), logits.shape.channels, label, options);
        const Wide<T> factor = Wide<T>(weights ? weights.data[label] : T(1)) * *dloss.data / *divisor.data;
        for (Index c = 0; c < logits.shape.channels; ++c)
            dlogits.pixel(p)[c] = static_cast<T>(factor * pixel.gradient(c));
    }
}

template <class B, class T>
void overlap_sums(View<B, const T> logits, View<B, const std::uint8_t> labels, View<B, T> sums) {
    Sums<T> total(sums.shape);
    for (Index p = 0; p < logits.shape.pixels(); ++p) {
        const Index label = label_of("overlap_sums", logits, labels, p);
        if (label < 0) continue;
        const auto probability = probabilities(logits.pixel(p), logits.shape.channels);
        total.pixel(0)[label] += probability[static_cast<std::size_t>(label)];
        for (Index c = 0; c < logits.shape.channels; ++c) total.pixel(1)[c] += probability[static_cast<std::size_t>(c)];
        total.pixel(2)[label] += 1;
    }
    total.store(sums);
}

template <class B, class T>
void overlap_backward(View<B, const T> logits, View<B, const std::uint8_t> labels, View<B, const T> gradients,
                      View<B, T> dlogits) {
    fill(dlogits, 0);
    for (Index p = 0; p < logits.shape.pixels(); ++p) {
        const Index label = label_of("overlap_backward", logits, labels, p);
        if (label < 0) continue;
        const auto probability = probabilities(logits.pixel(p), logits.shape.channels);
        const auto gradient = [&](Index c) {
            return (c == label ? gradients.pixel(0)[c] : T(0)) + Wide<T>(gradients.pixel(1)[c]);
        };
        Wide<T> mean = 0;
        for (Index c = 0; c < logits.shape.channels; ++c)
            mean += probability[static_cast<std::size_t>(c)] * gradient(c);
        for (Index c = 0; c < logits.shape.channels; ++c)
            dlogits.pixel(p)[c] = static_cast<T>(probability[static_cast<std::size_t>(c)] * (gradient(c) - mean));
    }
}

}  // namespace mtdn::detail::reference
