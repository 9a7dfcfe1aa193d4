#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <utility>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>
#include <mtdn/metric/boundary.hpp>
#include <mtdn/metric/confusion.hpp>

namespace mtdn {

/// `metric.add(prediction, truth)`: takes one frame's masks.
template <class M>
concept takes_one_frame_at_a_time = requires(M& metric, const Mask& prediction, const Mask& truth) {
    { metric.add(prediction, truth) } -> std::same_as<void>;
};

/// `metric += other`: takes all frames that the other took.
template <class M>
concept joins_with_its_like = requires(M& metric, const M& other) {
    { metric += other } -> std::same_as<M&>;
};

/// `metric.value()`: the score of all frames taken, or none where it is undefined.
template <class M>
concept gives_a_score_or_none = requires(const M& metric) {
    { metric.value() } -> std::same_as<std::optional<double>>;
};

/// `metric.name()`: what a table's column is headed with.
template <class M>
concept heads_a_column = requires(const M& metric) {
    { metric.name() } -> std::convertible_to<std::string>;
};

/// A score of predicted masks against true ones that is gathered frame by frame.
///
/// It is a value: a copy of an empty one is another empty one, so one metric is the pattern for every sequence and
/// task. Frames come one at a time and nothing obliges it to keep them; a score that is a ratio of sums keeps the sums,
/// one that is a mean over frames keeps sum and count. What a frame's score is undefined for (the distance to a
/// boundary that is not there) is left out and may be counted; `value()` is none if nothing is left.
///
/// Laws: with `a` and `b` gathered from two lists of frames, `a += b` has the value that one metric has after both
/// lists, whichever comes first; adding an empty metric changes nothing; `value()` changes nothing; the masks may hold
/// `ignore_label`, and such pixels do not count. `mtdn::testing::check_metric` verifies them.
template <class M>
concept Metric = takes_one_frame_at_a_time<M> && joins_with_its_like<M> && gives_a_score_or_none<M> &&
    heads_a_column<M> && std::copyable<M>;

/// A score of the summed confusion matrix: `ConfusionMetric{"macro F1", mtdn::macro_f1}`.
class ConfusionMetric {
public:
    using Score = double (*)(const BinaryConfusion&, AbsentClass);

    ConfusionMetric(std::string name, Score score, AbsentClass absent = AbsentClass::zero)
        : name_(std::move(name)), score_(score), absent_(absent) {}

    const std::string& name() const { return name_; }
    const BinaryConfusion& confusion() const { return sum_; }

    void add(const Mask& prediction, const Mask& truth) { sum_ += mtdn::confusion(prediction, truth); }
    ConfusionMetric& operator+=(const ConfusionMetric& other) {
        sum_ += other.sum_;
        return *this;
    }
    /// None where the score is NaN.
    std::optional<double> value() const {
        const double score = score_(sum_, absent_);
        return score == score ? std::optional(score) : std::nullopt;
    }

private:
    std::string name_;
    Score score_;
    AbsentClass absent_;
    BinaryConfusion sum_;
};

/// The mean over frames of a score that may be undefined: `FrameMeanMetric{"Hausdorff", mtdn::hausdorff}`.
class FrameMeanMetric {
public:
    using Score = std::optional<double> (*)(const Mask&, const Mask&);

    FrameMeanMetric(std::string name, Score score) : name_(std::move(name)), score_(score) {}

    const std::string& name() const { return name_; }
    /// Frames that the mean leaves out because their score is undefined.
    Index undefined() const { return undefined_; }

    void add(const Mask& prediction, const Mask& truth) {
        if (const auto score = score_(prediction, truth)) {
            sum_ += *score;
            ++defined_;
        } else {
            ++undefined_;
        }
    }
    FrameMeanMetric& operator+=(const FrameMeanMetric& other) {
        sum_ += other.sum_;
        defined_ += other.defined_;
        undefined_ += other.undefined_;
        return *this;
    }
    std::optional<double> value() const {
        return defined_ == 0 ? std::nullopt : std::optional(sum_ / static_cast<double>(defined_));
    }

private:
    std::string name_;
    Score score_;
    double sum_ = 0;
    Index defined_ = 0, undefined_ = 0;
};

static_assert(Metric<ConfusionMetric> && Metric<FrameMeanMetric>);

/// The metric after all frames of two sequences of masks.
///
/// @throws ShapeError if the sizes differ
template <Metric M>
M measure(M metric, const Masks& prediction, const Masks& truth) {
    detail::require_same_size(prediction, truth, "measure", "prediction", "truth");
    auto a = make_array<std::uint8_t>(extent(truth, 1), extent(truth, 2)), b = a;
    for (Index frame = 0; frame < extent(truth, 0); ++frame) {
        std::copy_n(frame_data(prediction, frame), a.size(), a.data());
        std::copy_n(frame_data(truth, frame), b.size(), b.data());
        metric.add(a, b);
    }
    return metric;
}

}  // namespace mtdn
