#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <mtdn/change/category.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>

namespace mtdn {

/// Where the frame that is being segmented stands in a pair.
enum class Slot : std::uint8_t {
    query,    ///< in the first slot: disappearing and overlapping pixels are feature
    partner,  ///< in the second slot: appearing and overlapping pixels are feature
};

/// Category of the largest of four logits; the lowest index of equal ones.
inline std::uint8_t largest_logit(const float* logits) {
    return static_cast<std::uint8_t>(std::max_element(logits, logits + category_count) - logits);
}

/// Entropy of a yes that has probability p, bits: 0 where it is certain, 1 at one half.
inline double binary_entropy(double p) {
    const auto term = [](double x) { return x > 0 ? -x * std::log2(x) : 0.0; };
    return term(p) + term(1 - p);
}

/// The name of what two tasks' features have in common, whichever comes first: `A1&A2`.
inline std::string shared_name(const std::string& a, const std::string& b) { return a < b ? a + '&' + b : b + '&' + a; }

/// Whether a category says that the frame in this slot shows the feature: 1 or 0.
constexpr std::uint8_t shows_feature(std::uint8_t category, Slot slot) {
    return static_cast<std::uint8_t>((category >> (slot == Slot::query ? 1 : 0)) & 1);
}

/// What one pair after the other says about one frame: the average of feature (1) and background (0) in each pixel.
///
/// A pair counts as a vote, its arg-max category reduced to feature or background, or, if `soft`, as the probability
/// of feature. The average is kept in fixed point, so the order of pairs changes no bit.
class PredictionAccumulator {
public:
    PredictionAccumulator(Index height, Index width, bool soft = false) : height_(height), width_(width), soft_(soft) {
        require<ShapeError>(height >= 0 && width >= 0, "PredictionAccumulator: size (", height, ", ", width,
                            ") is negative");
        sums_.assign(static_cast<std::size_t>(height * width), 0);
    }

    Index height() const { return height_; }
    Index width() const { return width_; }
    /// Whether probabilities are averaged instead of votes.
    bool soft() const { return soft_; }
    /// Pairs taken so far.
    Index count() const { return count_; }

    /// Takes one pair's categories, height × width values.
    ///
    /// @throws DataError if a value is no category, OptionError if probabilities are averaged
    void add_categories(const std::uint8_t* categories, Slot slot = Slot::query) {
        require<OptionError>(!soft_, "PredictionAccumulator: an average of probabilities takes logits, not categories");
        const int bit = bit_of(slot);
        const auto wrong = std::find_if(categories, categories + sums_.size(), [](std::uint8_t c) { return c > 3; });
        if (wrong != categories + sums_.size())
            fail<DataError>("PredictionAccumulator: category ", int{*wrong}, " at ", place(wrong - categories),
                            "; expected 0 to 3");
        last_ = 0;
        for (std::size_t i = 0; i < sums_.size(); ++i) add(i, one * ((categories[i] >> bit) & 1));
        ++count_;
    }

    /// Takes one pair's logits, height × width × 4 values.
    ///
    /// @throws DataError if a pixel's logits are NaN or have no finite maximum
    void add_logits(const float* logits, Slot slot = Slot::query) {
        check(logits);
        last_ = 0;
        const int bit = bit_of(slot);
        for (std::size_t i = 0; i < sums_.size(); ++i, logits += category_count)
            add(i, soft_ ? fixed_point(feature_probability(logits, bit)) : one * ((largest_logit(logits) >> bit) & 1));
        ++count_;
    }

    /// The feature's area in pixels by the last pair alone: its votes, or its probabilities, summed.
    double last_area() const { return static_cast<double>(last_) / static_cast<double>(one); }

    /// The average in each pixel: the share of votes for feature, or its mean probability.
    ///
    /// @throws OptionError before the first pair
    Image share() const {
        const double scale = 1 / (static_cast<double>(one) * static_cast<double>(counted()));
        return each_pixel<float>(
            [scale](std::uint64_t sum) { return static_cast<float>(static_cast<double>(sum) * scale); });
    }

    /// Feature where the average is above one half; a tie is background.
    ///
    /// @throws OptionError before the first pair
    Mask mask() const {
        const std::uint64_t all = one * counted();
        return each_pixel<std::uint8_t>([all](std::uint64_t sum) { return static_cast<std::uint8_t>(2 * sum > all); });
    }

    /// Entropy of the average in bits: 0 where all agree, 1 at a tie.
    ///
    /// @throws OptionError before the first pair
    Image uncertainty() const {
        const double scale = 1 / (static_cast<double>(one) * static_cast<double>(counted()));
        return each_pixel<float>([scale](std::uint64_t sum) {
            return static_cast<float>(binary_entropy(std::min(1.0, static_cast<double>(sum) * scale)));
        });
    }

    /// Forgets what it took.
    void reset() {
        std::fill(sums_.begin(), sums_.end(), 0);
        count_ = 0;
        last_ = 0;
    }

private:
    static constexpr std::uint64_t one = std::uint64_t{1} << 32;

    void add(std::size_t i, std::uint64_t part) {
        sums_[i] += part;
        last_ += part;
    }

    static int bit_of(Slot slot) { return slot == Slot::query ? 1 : 0; }

    static std::uint64_t fixed_point(double probability) {
        return static_cast<std::uint64_t>(std::llround(probability * static_cast<double>(one)));
    }

    /// Softmax over four logits, summed over the two categories with the slot's bit.
    static double feature_probability(const float* logits, int bit) {
        const float largest = logits[largest_logit(logits)];
        std::array<double, 4> powers{};
        for (std::size_t c = 0; c < 4; ++c) powers[c] = std::exp(static_cast<double>(logits[c]) - largest);
        const double feature = powers[3] + powers[bit == 1 ? 2 : 1];
        const double background = powers[0] + powers[bit == 1 ? 1 : 2];
        return feature / (feature + background);
    }

    void check(const float* logits) const {
        for (std::size_t i = 0; i < sums_.size(); ++i, logits += category_count) {
            const float largest = logits[largest_logit(logits)];
            const float sum = (logits[0] + logits[1]) + (logits[2] + logits[3]);
            if (std::isfinite(sum) || (std::isfinite(largest) && !std::isnan(sum))) continue;
            fail<DataError>("PredictionAccumulator: the logits at ", place(static_cast<Index>(i)), " are ", logits[0],
                            ", ", logits[1], ", ", logits[2], ", ", logits[3], "; expected finite numbers");
        }
    }

    std::uint64_t counted() const {
        require<OptionError>(count_ > 0, "PredictionAccumulator: no pair was added, so there is nothing to average");
        return static_cast<std::uint64_t>(count_);
    }

    std::string place(Index i) const { return concatenate("row ", i / width_, ", column ", i % width_); }

    template <class T, class Function>
    Array<T, 2> each_pixel(Function function) const {
        auto result = make_array<T>(height_, width_);
        std::transform(sums_.begin(), sums_.end(), result.data(), function);
        return result;
    }

    Index height_ = 0, width_ = 0;
    bool soft_ = false;
    Index count_ = 0;
    std::uint64_t last_ = 0;           // what the last pair added, as `sums_`
    std::vector<std::uint64_t> sums_;  // in units of 2⁻³²
};

}  // namespace mtdn
