#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>
#include <mtdn/metric/confusion.hpp>

namespace mtdn {

/// Confusion of C classes: how many pixels of a true class (row) were predicted as another (column).
///
/// With the four categories its macro F1 is the score by which training selects.
class CategoryMatrix {
public:
    explicit CategoryMatrix(Index classes = 4) : classes_(classes) {
        require<OptionError>(classes >= 1 && classes <= 255, "CategoryMatrix: expected 1 to 255 classes, got ",
                             classes);
        counts_.assign(static_cast<std::size_t>(classes * classes), 0);
    }

    Index classes() const { return classes_; }

    /// Pixels of class `truth` predicted as `prediction`.
    std::int64_t operator()(Index truth, Index prediction) const { return counts_[at(truth, prediction)]; }

    /// Counts `count` pixels; those that are `ignore_label` in either do not count.
    ///
    /// @throws DataError, and counts nothing, if a value is neither a class nor `ignore_label`
    void add(const std::uint8_t* prediction, const std::uint8_t* truth, Index count) {
        const auto highest = static_cast<std::uint8_t>(classes_ - 1);
        for (const auto& [values, thing] : {std::pair{prediction, "prediction"}, std::pair{truth, "truth"}}) {
            const Index wrong = detail::first_outside(values, count, highest);
            if (wrong >= 0)
                fail<DataError>("CategoryMatrix: the ", thing, " has the value ", int{values[wrong]}, " at element ",
                                wrong, "; expected 0 to ", classes_ - 1, " or ", int{ignore_label}, " (ignore)");
        }
        for (Index i = 0; i < count; ++i)
            if (prediction[i] != ignore_label && truth[i] != ignore_label) ++counts_[at(truth[i], prediction[i])];
    }

    /// Counts the pixels of label arrays, both (height, width) or both (frames, height, width).
    ///
    /// @throws ShapeError if the sizes differ, DataError as above
    template <ArrayExpression P, ArrayExpression T>
    void add(const P& prediction, const T& truth) {
        constexpr std::size_t rank = detail::mask_rank<P>;
        detail::require_same_size(prediction, truth, "CategoryMatrix", "prediction", "truth");
        const auto& a = detail::as_bytes<rank>(prediction, "CategoryMatrix", "prediction");
        const auto& b = detail::as_bytes<rank>(truth, "CategoryMatrix", "truth");
        add(a.data(), b.data(), static_cast<Index>(a.size()));
    }

    /// @throws ShapeError if the numbers of classes differ
    CategoryMatrix& operator+=(const CategoryMatrix& other) {
        require<ShapeError>(classes_ == other.classes_, "CategoryMatrix: a matrix of ", other.classes_,
                            " classes cannot be added to one of ", classes_);
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
        return *this;
    }

    /// Pixels that count.
    std::int64_t total() const {
        std::int64_t sum = 0;
        for (const std::int64_t count : counts_) sum += count;
        return sum;
    }

    /// One class against all others.
    BinaryConfusion one_against_rest(Index c) const {
        BinaryConfusion result;
        result.true_positive = (*this)(c, c);
        for (Index other = 0; other < classes_; ++other) {
            if (other == c) continue;
            result.false_positive += (*this)(other, c);
            result.false_negative += (*this)(c, other);
        }
        result.true_negative = total() - result.true_positive - result.false_positive - result.false_negative;
        return result;
    }

    friend bool operator==(const CategoryMatrix&, const CategoryMatrix&) = default;

private:
    std::size_t at(Index row, Index column) const { return static_cast<std::size_t>(row * classes_ + column); }

    Index classes_;
    std::vector<std::int64_t> counts_;
};

/// Mean of the classes' F1; with `AbsentClass::skip` of those that occur, NaN if none does.
inline double macro_f1(const CategoryMatrix& matrix, AbsentClass absent = AbsentClass::zero) {
    double sum = 0;
    Index classes = 0;
    for (Index c = 0; c < matrix.classes(); ++c) {
        const double score = f1(matrix.one_against_rest(c), absent);
        if (absent == AbsentClass::skip && score != score) continue;
        sum += score;
        ++classes;
    }
    return classes == 0 ? detail::absent_score(absent) : sum / static_cast<double>(classes);
}

/// Share of pixels that are right; without any pixel, the absent class's score.
inline double accuracy(const CategoryMatrix& matrix, AbsentClass absent = AbsentClass::zero) {
    std::int64_t right = 0;
    for (Index c = 0; c < matrix.classes(); ++c) right += matrix(c, c);
    const std::int64_t total = matrix.total();
    return total == 0 ? detail::absent_score(absent) : static_cast<double>(right) / static_cast<double>(total);
}

/// Cohen's kappa; where one class is all there is, the absent class's score.
inline double kappa(const CategoryMatrix& matrix, AbsentClass absent = AbsentClass::zero) {
    const auto total = static_cast<double>(matrix.total());
    double right = 0, chance = 0;
    for (Index c = 0; c < matrix.classes(); ++c) {
        double row = 0, column = 0;
        for (Index other = 0; other < matrix.classes(); ++other) {
            row += static_cast<double>(matrix(c, other));
            column += static_cast<double>(matrix(other, c));
        }
        right += static_cast<double>(matrix(c, c));
        chance += row * column;
    }
    const double beyond = total * total - chance;
    return beyond == 0 ? detail::absent_score(absent) : (right * total - chance) / beyond;
}

}  // namespace mtdn
