#pragma once

#include <cstdint>
#include <limits>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/masks.hpp>

namespace mtdn {

/// What a class scores that occurs neither in the truth nor in the prediction.
enum class AbsentClass {
    zero,  ///< 0, the paper's rule: a perfect empty frame has a macro score of ½
    one,   ///< 1: nothing there and nothing found is right
    skip,  ///< left out of means over classes and over frames; on its own NaN
    nan,   ///< NaN, and so is every mean that it enters
};

/// How the pixels of a prediction and of the truth agree; "positive" is feature.
struct BinaryConfusion {
    std::int64_t true_positive = 0;
    std::int64_t false_positive = 0;
    std::int64_t false_negative = 0;
    std::int64_t true_negative = 0;

    /// Pixels that count.
    constexpr std::int64_t total() const { return true_positive + false_positive + false_negative + true_negative; }

    /// The same pixels with background as the class that is looked for.
    constexpr BinaryConfusion of_background() const {
        return {true_negative, false_negative, false_positive, true_positive};
    }

    constexpr BinaryConfusion& operator+=(const BinaryConfusion& other) {
        true_positive += other.true_positive;
        false_positive += other.false_positive;
        false_negative += other.false_negative;
        true_negative += other.true_negative;
        return *this;
    }

    friend constexpr bool operator==(const BinaryConfusion&, const BinaryConfusion&) = default;
};

/// Confusion of `count` pixels; those that are `ignore_label` in either do not count. Values are 0, 1 or ignore.
inline BinaryConfusion confusion(const std::uint8_t* prediction, const std::uint8_t* truth, Index count) {
    std::int64_t both = 0, predicted = 0, true_ones = 0, counted = 0;
    for (Index i = 0; i < count; ++i) {
        const bool counts = (prediction[i] != ignore_label) & (truth[i] != ignore_label);
        counted += counts;
        predicted += counts & (prediction[i] == 1);
        true_ones += counts & (truth[i] == 1);
        both += counts & (prediction[i] == 1) & (truth[i] == 1);
    }
    return {both, predicted - both, true_ones - both, counted - predicted - true_ones + both};
}

/// Confusion of masks; pixels that are `ignore_label` in either do not count.
///
/// @shape  both (height, width) or both (frames, height, width)
/// @throws ShapeError if the sizes differ, DataError, naming the pixel, if a value is not 0, 1 or `ignore_label`
template <ArrayExpression P, ArrayExpression T>
BinaryConfusion confusion(const P& prediction, const T& truth) {
    constexpr std::size_t rank = detail::mask_rank<P>;
    detail::require_same_size(prediction, truth, "confusion", "prediction", "truth");
    const auto& a = detail::as_bytes<rank>(prediction, "confusion", "prediction");
    const auto& b = detail::as_bytes<rank>(truth, "confusion", "truth");
    detail::require_codes(a, 1, "confusion", "prediction");
    detail::require_codes(b, 1, "confusion", "truth");
    return confusion(a.data(), b.data(), static_cast<Index>(a.size()));
}

namespace detail {

constexpr double absent_score(AbsentClass rule) {
    switch (rule) {
        case AbsentClass::zero:
            return 0;
        case AbsentClass::one:
            return 1;
        default:
            return std::numeric_limits<double>::quiet_NaN();
    }
}

/// numerator / denominator where the class occurs; 0 / 0 of a class that occurs is 0.
constexpr double class_score(const BinaryConfusion& c, AbsentClass rule, std::int64_t numerator,
                             std::int64_t denominator) {
    if (c.true_positive + c.false_positive + c.false_negative == 0) return absent_score(rule);
    return denominator == 0 ? 0.0 : static_cast<double>(numerator) / static_cast<double>(denominator);
}

/// Mean over feature and background.
template <class Score>
constexpr double macro(Score score, const BinaryConfusion& c, AbsentClass rule) {
    const double feature = score(c, rule), background = score(c.of_background(), rule);
    if (rule == AbsentClass::skip) {
        if (feature != feature) return background;
        if (background != background) return feature;
    }
    return (feature + background) / 2;
}

}  // namespace detail

/// F1 of the feature, 2TP / (2TP + FP + FN). @source paper Eq. 2
constexpr double f1(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    return detail::class_score(c, absent, 2 * c.true_positive,
                               2 * c.true_positive + c.false_positive + c.false_negative);
}

/// Intersection over union of the feature, TP / (TP + FP + FN). @source paper Eq. 3
constexpr double iou(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    return detail::class_score(c, absent, c.true_positive, c.true_positive + c.false_positive + c.false_negative);
}

/// Precision of the feature, TP / (TP + FP); 0 if it is in the truth but never predicted.
constexpr double precision(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    return detail::class_score(c, absent, c.true_positive, c.true_positive + c.false_positive);
}

/// Recall of the feature, TP / (TP + FN); 0 if it is predicted but nowhere in the truth.
constexpr double recall(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    return detail::class_score(c, absent, c.true_positive, c.true_positive + c.false_negative);
}

/// Mean of the F1 of feature and background: the score that the paper prints.
constexpr double macro_f1(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    return detail::macro(f1, c, absent);
}

/// Mean of the IoU of feature and background.
constexpr double macro_iou(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    return detail::macro(iou, c, absent);
}

/// Mean of the precision of feature and background.
constexpr double macro_precision(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    return detail::macro(precision, c, absent);
}

/// Mean of the recall of feature and background.
constexpr double macro_recall(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    return detail::macro(recall, c, absent);
}

/// Share of pixels that are right; without any pixel, the absent class's score.
constexpr double accuracy(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    if (c.total() == 0) return detail::absent_score(absent);
    return static_cast<double>(c.true_positive + c.true_negative) / static_cast<double>(c.total());
}

/// Cohen's kappa, agreement beyond chance; where one class is all there is, the absent class's score.
///
/// @source Cohen 1960, "A coefficient of agreement for nominal scales"
constexpr double kappa(const BinaryConfusion& c, AbsentClass absent = AbsentClass::zero) {
    const auto tp = static_cast<double>(c.true_positive), fp = static_cast<double>(c.false_positive);
    const auto fn = static_cast<double>(c.false_negative), tn = static_cast<double>(c.true_negative);
    const double chance = (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn);
    return chance == 0 ? detail::absent_score(absent) : 2 * (tp * tn - fp * fn) / chance;
}

}  // namespace mtdn
