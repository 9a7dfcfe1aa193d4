#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>
#include <mtdn/metric/distance.hpp>

namespace mtdn {

/// The feature's boundary: its pixels with a neighbour, of four, that is not feature; the image's outside is not.
inline Mask boundary(const Mask& mask) {
    const Index height = extent(mask, 0), width = extent(mask, 1);
    const auto feature = [&](Index y, Index x) {
        return y >= 0 && y < height && x >= 0 && x < width && mask.data()[y * width + x] == 1;
    };
    auto result = make_array<std::uint8_t>(height, width);
    for (Index y = 0; y < height; ++y)
        for (Index x = 0; x < width; ++x) {
            const bool inside = feature(y - 1, x) && feature(y + 1, x) && feature(y, x - 1) && feature(y, x + 1);
            result.data()[y * width + x] = feature(y, x) && !inside;
        }
    return result;
}

/// How far the boundaries of two masks are apart: distances in px of each boundary pixel to the other's boundary.
///
/// Pixels that are `ignore_label` in either mask are background in both.
class BoundaryDistances {
public:
    /// @shape  both (height, width)
    /// @throws ShapeError if the sizes differ, DataError, naming the pixel, if a value is not 0, 1 or `ignore_label`
    BoundaryDistances(const Mask& prediction, const Mask& truth) {
        detail::require_same_size(prediction, truth, "BoundaryDistances", "prediction", "truth");
        detail::require_codes(prediction, 1, "BoundaryDistances", "prediction");
        detail::require_codes(truth, 1, "BoundaryDistances", "truth");
        Mask a = prediction, b = truth;
        for (std::size_t i = 0; i < a.size(); ++i)
            if (a.data()[i] == ignore_label || b.data()[i] == ignore_label) a.data()[i] = b.data()[i] = 0;
        a = boundary(a);
        b = boundary(b);
        from_prediction_ = distances(a, b);
        from_truth_ = distances(b, a);
    }

    /// Of the prediction's boundary pixels to the truth's, ascending; infinite if the truth has none.
    const std::vector<double>& from_prediction() const { return from_prediction_; }
    /// Of the truth's boundary pixels to the prediction's, ascending; infinite if the prediction has none.
    const std::vector<double>& from_truth() const { return from_truth_; }

    /// Greatest of all distances: 0 if both masks are empty, none if one is.
    std::optional<double> hausdorff() const { return percentile(100); }

    /// The larger of the two directed 95th percentiles: 0 if both masks are empty, none if one is.
    std::optional<double> hausdorff95() const { return percentile(95); }

    /// The larger of the two directed percentiles, interpolated linearly between ranks.
    ///
    /// @throws OptionError unless 0 ≤ percent ≤ 100
    std::optional<double> percentile(double percent) const {
        require<OptionError>(percent >= 0 && percent <= 100, "BoundaryDistances: expected a percentile from 0 to 100, ",
                             "got ", percent);
        if (from_prediction_.empty() && from_truth_.empty()) return 0;
        if (from_prediction_.empty() || from_truth_.empty()) return std::nullopt;
        return std::max(ranked(from_prediction_, percent), ranked(from_truth_, percent));
    }

    /// F1 of the boundary pixels that lie within `tolerance` px of the other boundary: 1 if both masks are empty, 0 if
    /// one is.
    ///
    /// @throws OptionError if the tolerance is negative
    double f1(double tolerance = 2) const {
        require<OptionError>(tolerance >= 0, "BoundaryDistances: expected a tolerance of 0 px or more, got ",
                             tolerance);
        if (from_prediction_.empty() && from_truth_.empty()) return 1;
        if (from_prediction_.empty() || from_truth_.empty()) return 0;
        const double precision = share_within(from_prediction_, tolerance),
                     recall = share_within(from_truth_, tolerance);
        return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
    }

private:
    static std::vector<double> distances(const Mask& from, const Mask& to) {
        const Array<double, 2> squared = squared_distance(to);
        std::vector<double> result;
        for (std::size_t i = 0; i < from.size(); ++i)
            if (from.data()[i] == 1) result.push_back(std::sqrt(squared.data()[i]));
        std::sort(result.begin(), result.end());
        return result;
    }

    static double ranked(const std::vector<double>& ascending, double percent) {
        const double rank = percent / 100 * static_cast<double>(ascending.size() - 1);
        const auto below = static_cast<std::size_t>(rank);
        const std::size_t above = std::min(below + 1, ascending.size() - 1);
        return ascending[below] + (rank - static_cast<double>(below)) * (ascending[above] - ascending[below]);
    }

    static double share_within(const std::vector<double>& ascending, double tolerance) {
        const auto within = std::upper_bound(ascending.begin(), ascending.end(), tolerance) - ascending.begin();
        return static_cast<double>(within) / static_cast<double>(ascending.size());
    }

    std::vector<double> from_prediction_, from_truth_;
};

/// Hausdorff distance of two masks' boundaries in px: 0 if both are empty, none if one is.
inline std::optional<double> hausdorff(const Mask& prediction, const Mask& truth) {
    return BoundaryDistances(prediction, truth).hausdorff();
}

/// The larger of the two directed 95th percentiles of boundary distances in px: 0 if both are empty, none if one is.
inline std::optional<double> hausdorff95(const Mask& prediction, const Mask& truth) {
    return BoundaryDistances(prediction, truth).hausdorff95();
}

/// F1 of boundary pixels within `tolerance` px of the other boundary: 1 if both masks are empty, 0 if one is.
inline double boundary_f1(const Mask& prediction, const Mask& truth, double tolerance = 2) {
    return BoundaryDistances(prediction, truth).f1(tolerance);
}

}  // namespace mtdn
