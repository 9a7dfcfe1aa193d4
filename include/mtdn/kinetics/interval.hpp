#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>
#include <mtdn/kinetics/detail/least_squares.hpp>

namespace mtdn {

/// Half the width, in standard errors, of the interval that holds a normal quantity with this probability; Student's,
/// where the standard error has so many degrees of freedom.
///
/// @throws OptionError
inline double interval_factor(double confidence, double degrees = std::numeric_limits<double>::infinity()) {
    require<OptionError>(confidence > 0 && confidence < 1, "interval_factor: confidence must lie in (0, 1), got ",
                         confidence);
    require<OptionError>(degrees > 0, "interval_factor: degrees of freedom must be positive, got ", degrees);
    const double wanted = (1 + confidence) / 2;
    double low = 0, high = 1;
    while (detail::student_probability(high, degrees) < wanted) high *= 2;
    for (int i = 0; i < 100; ++i) {
        const double middle = (low + high) / 2;
        (detail::student_probability(middle, degrees) < wanted ? low : high) = middle;
    }
    return (low + high) / 2;
}

/// The factor for standard errors of a new frame, learned from frames whose truth is known: the ⌈(n + 1)·confidence⌉-th
/// smallest of their deviations, each in its own standard errors.
///
/// Split conformal prediction: if old and new frames are exchangeable, the interval holds the new truth with that
/// probability at least, whatever the errors' distribution and however much of them the ensemble's members share.
/// Frames of one film are less than exchangeable with another's: take them from several.
///
/// @throws DataError if there are too few frames for the confidence, if a deviation is NaN, or if so many are infinite,
///         the frame's error being 0, that the factor would be
/// @source Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018, §5.2
inline double calibrated_factor(std::vector<double> deviations, double confidence) {
    require<OptionError>(confidence > 0 && confidence < 1, "calibrated_factor: confidence must lie in (0, 1), got ",
                         confidence);
    for (std::size_t i = 0; i < deviations.size(); ++i)
        require<DataError>(!std::isnan(deviations[i]), "calibrated_factor: the deviation of frame ", i, " of ",
                           deviations.size(), " is NaN");
    const auto n = static_cast<double>(deviations.size());
    const auto rank = static_cast<std::size_t>(std::ceil((n + 1) * confidence - 1e-9));
    require<DataError>(rank <= deviations.size(), "calibrated_factor: ", deviations.size(),
                       " frames are too few for a "
                       "confidence of ",
                       confidence, "; expected at least ", std::ceil(confidence / (1 - confidence) - 1e-9));
    std::nth_element(deviations.begin(), deviations.begin() + static_cast<Index>(rank) - 1, deviations.end());
    require<DataError>(std::isfinite(deviations[rank - 1]), "calibrated_factor: the factor would be ",
                       deviations[rank - 1], ": too many of ", deviations.size(),
                       " frames miss the truth with an error of 0");
    return deviations[rank - 1];
}

}  // namespace mtdn
