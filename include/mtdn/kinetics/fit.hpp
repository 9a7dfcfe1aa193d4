#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>
#include <mtdn/kinetics/interval.hpp>
#include <mtdn/kinetics/rate_law.hpp>

namespace mtdn {

/// What of a curve is fitted, and how.
struct FitOptions {
    double from = -std::numeric_limits<double>::infinity();  ///< s; earlier points are left out
    double to = std::numeric_limits<double>::infinity();     ///< s; later points are left out
    std::optional<double> onset{};  ///< s at which the reaction begins; none: at the first point
    bool fit_onset = false;         ///< makes the onset a parameter, not before the first point
    double confidence = 0.9;        ///< of the parameters' intervals
};

/// A fitted parameter with its interval; without error and interval, NaN, where the points do not determine it.
struct FitParameter {
    std::string name;  ///< `volume`, `rate` (1/s), `exponent` (Avrami) or `onset` (s)
    double value = 0;
    double error = 0;  ///< standard error
    double low = 0, high = 0;
};

/// A rate law V(t) = V₀ (1 − X(t − t₀)) fitted to volumes.
struct RateFit {
    RateLaw law{};
    std::vector<FitParameter> parameters;
    double onset = 0;                        ///< t₀, fitted or given, s
    bool converged = false;                  ///< whether the solver ended before its limit of steps
    std::vector<double> seconds, residuals;  ///< of the points that were fitted: measured less fitted volume
    double sum_of_squares = 0;               ///< of the residuals, each divided by its error where errors were given
    double r_squared = 0;                    ///< 1 − sum of squares / that about the (weighted) mean
    double aicc = 0;                         ///< Akaike's criterion, corrected for few points; the lower, the better

    /// @throws OptionError if the law has no such parameter, or it was not fitted
    const FitParameter& parameter(std::string_view name) const {
        for (const auto& p : parameters)
            if (p.name == name) return p;
        fail<OptionError>("RateFit: ", name_of(law), " has no fitted parameter \"", name, "\"");
    }
    /// The fitted volume at a time.
    double volume(double at) const {
        const double exponent = law == RateLaw::avrami ? parameter("exponent").value : 1;
        return parameter("volume").value * (1 - conversion(law, parameter("rate").value, exponent, at - onset).value);
    }
};

namespace detail {

/// Fits one law to one set of points. Avrami's rate and exponent are sought by their logarithms, so that they stay
/// positive; errors are those of the parameters themselves.
class RateFitter {
public:
    RateFitter(RateLaw law, std::span<const double> times, std::span<const double> volumes,
               std::span<const double> errors)
        : times_(times), volumes_(volumes), errors_(errors), law_(law) {}

    struct Result {
        LeastSquares best;
        Eigen::MatrixXd derivatives;  // of the weighted residuals by the parameters themselves
        double onset = 0;
        bool onset_fitted = false;
    };

    /// @param onset none: a parameter
    Result fit(std::optional<double> onset) const {
        const bool free = !onset;
        const double first = times_.front(), last = times_.back();
        Result result{{}, {}, onset.value_or(first), free};
        const Residuals residuals = [&](const Eigen::VectorXd& x, Eigen::VectorXd& values,
                                        Eigen::MatrixXd* derivatives) {
            evaluate(x, onset, values, derivatives, true);
        };
        std::vector<double> onsets{onset.value_or(first)};
        if (free)  // residuals have kinks where the onset passes a point: begin between all of them
            for (std::size_t i = 0; i + 2 < times_.size(); ++i) onsets.push_back((times_[i] + times_[i + 1]) / 2);
        for (const double begin : onsets)
            for (const double factor : {1.0, 2.0, 4.0})
                for (const double exponent : law_ == RateLaw::avrami ? std::vector{1.0, 2.5} : std::vector{1.0}) {
                    if (!(begin < last)) continue;
                    const auto found = minimise(residuals, start(begin, factor, exponent, free), points());
                    const bool inside =
                        !free || (found.parameters.tail(1)[0] > first && found.parameters.tail(1)[0] < last);
                    if (inside && found.sum_of_squares < result.best.sum_of_squares) result.best = found;
                }
        if (result.best.parameters.size() == 0) return result;
        if (free) result.onset = result.best.parameters.tail(1)[0];
        Eigen::VectorXd values(points());
        result.derivatives.resize(points(), result.best.parameters.size());
        evaluate(result.best.parameters, onset, values, &result.derivatives, false);
        if (law_ != RateLaw::avrami) return result;
        auto& x = result.best.parameters;
        x[1] = std::exp(x[1]), x[2] = std::exp(x[2]);
        // An exponent whose own size makes no difference to the volumes is not known at all.
        if (x[2] * result.derivatives.col(2).norm() < 1e-8 * std::abs(x[0]) * result.derivatives.col(0).norm())
            result.derivatives.col(2).setZero();
        return result;
    }

private:
    Eigen::Index points() const { return static_cast<Eigen::Index>(times_.size()); }

    Eigen::VectorXd start(double onset, double factor, double exponent, bool free) const {
        const double left = std::clamp(volumes_.back() / volumes_.front(), 0.02, 0.98), span = times_.back() - onset;
        const double rate = law_ == RateLaw::zeroth_order     ? 1 - left
                            : law_ == RateLaw::first_order    ? -std::log(left)
                            : law_ == RateLaw::shrinking_core ? 1 - std::sqrt(left)
                                                              : std::pow(-std::log(left), 1 / exponent);
        std::vector<double> x{volumes_.front(), factor * rate / span};
        if (law_ == RateLaw::avrami) x = {volumes_.front(), std::log(factor * rate / span), std::log(exponent)};
        if (free) x.push_back(onset);
        return Eigen::Map<Eigen::VectorXd>(x.data(), static_cast<Eigen::Index>(x.size()));
    }

    // By the logarithms of Avrami's rate and exponent, which the parameters hold, or by these themselves.
    void evaluate(const Eigen::VectorXd& x, std::optional<double> onset, Eigen::VectorXd& values,
                  Eigen::MatrixXd* derivatives, bool by_logarithms) const {
        const bool avrami = law_ == RateLaw::avrami;
        const double volume = x[0], rate = avrami ? std::exp(x[1]) : x[1], exponent = avrami ? std::exp(x[2]) : 1;
        const double begin = onset.value_or(x[x.size() - 1]);
        for (Eigen::Index i = 0; i < points(); ++i) {
            const auto at = static_cast<std::size_t>(i);
            const Conversion c = conversion(law_, rate, exponent, times_[at] - begin);
            const double weight = errors_.empty() ? 1 : 1 / errors_[at];
            values[i] = weight * (volume * (1 - c.value) - volumes_[at]);
            if (!derivatives) continue;
            (*derivatives)(i, 0) = weight * (1 - c.value);
            (*derivatives)(i, 1) = -weight * volume * c.by_rate * (avrami && by_logarithms ? rate : 1);
            if (avrami) (*derivatives)(i, 2) = -weight * volume * c.by_exponent * (by_logarithms ? exponent : 1);
            if (!onset) (*derivatives)(i, x.size() - 1) = weight * volume * c.by_time;
        }
    }

    std::span<const double> times_, volumes_, errors_;
    RateLaw law_;
};

}  // namespace detail

/// Fits a rate law to volumes by least squares.
///
/// Intervals are Student's, from the covariance s²(JᵀJ)⁻¹ at the minimum with s² the sum of squares over the points
/// less the parameters: errors, where they are given, count as weights alone. An onset that is to be fitted, but would
/// not come after the first point, is held there: nothing before it could tell volume from onset.
///
/// @param seconds rising
/// @param error   standard errors of the volumes, positive; empty: equal
/// @throws DataError for too few points, a first volume that is not positive, or values that are not finite; ShapeError
inline RateFit fit_rate_law(RateLaw law, std::span<const double> seconds, std::span<const double> volume,
                            const FitOptions& options = {}, std::span<const double> error = {}) {
    require<ShapeError>(seconds.size() == volume.size() && (error.empty() || error.size() == volume.size()),
                        "fit_rate_law: ", seconds.size(), " times, ", volume.size(), " volumes and ", error.size(),
                        " errors");
    require<OptionError>(!(options.onset && options.fit_onset), "fit_rate_law: the onset is either given or fitted");
    std::vector<double> times, volumes, errors;
    for (std::size_t i = 0; i < seconds.size(); ++i) {
        if (seconds[i] < options.from || seconds[i] > options.to) continue;
        require<DataError>(std::isfinite(seconds[i]) && std::isfinite(volume[i]), "fit_rate_law: point ", i, " is (",
                           seconds[i], ", ", volume[i], "); expected finite numbers");
        require<DataError>(times.empty() || seconds[i] > times.back(), "fit_rate_law: time does not rise at point ", i);
        require<DataError>(error.empty() || (error[i] > 0 && std::isfinite(error[i])),
                           "fit_rate_law: the error of point ", i, " is not positive");
        times.push_back(seconds[i]);
        volumes.push_back(volume[i]);
        if (!error.empty()) errors.push_back(error[i]);
    }
    const std::size_t unknowns = 2 + (law == RateLaw::avrami) + options.fit_onset;
    require<DataError>(times.size() > unknowns, "fit_rate_law: ", name_of(law), " has ", unknowns, " parameters, and ",
                       times.size(), " points are too few; expected at least ", unknowns + 1);
    require<DataError>(volumes.front() > 0, "fit_rate_law: the first volume is ", volumes.front(),
                       "; expected a positive one");
    require<OptionError>(!options.onset || *options.onset < times.back(), "fit_rate_law: the onset, ",
                         options.onset.value_or(0), " s, is not before the last point, ", times.back(), " s");

    // In units of the first volume and of the time covered, for the solver's sake.
    const double volume_unit = volumes.front(), origin = times.front(), time_unit = times.back() - origin;
    for (auto& v : volumes) v /= volume_unit;
    for (auto& t : times) t = (t - origin) / time_unit;
    for (auto& e : errors) e /= volume_unit;
    const detail::RateFitter fitter(law, times, volumes, errors);
    const auto held = options.onset ? (*options.onset - origin) / time_unit : 0;
    auto found = fitter.fit(held);
    if (options.fit_onset) {
        double squares = 0;
        for (std::size_t i = 0; i < volumes.size(); ++i)
            squares += volumes[i] * volumes[i] / (errors.empty() ? 1 : errors[i] * errors[i]);
        const double rounding = 1e-24 * squares;
        if (auto free = fitter.fit(std::nullopt); free.best.sum_of_squares + rounding < found.best.sum_of_squares)
            found = free;
    }
    require<DataError>(found.best.parameters.size() > 0, "fit_rate_law: ", name_of(law), " could not be fitted");

    RateFit fit;
    fit.law = law;
    fit.converged = found.best.converged;
    fit.onset = origin + found.onset * time_unit;
    const auto n = static_cast<double>(times.size()), p = static_cast<double>(found.best.parameters.size());
    const auto covariance = detail::unscaled_covariance(found.derivatives);
    const double scale = std::sqrt(found.best.sum_of_squares / (n - p)),
                 reach = interval_factor(options.confidence, n - p);
    std::vector<std::pair<std::string, double>> units{{"volume", volume_unit}, {"rate", 1 / time_unit}};
    if (law == RateLaw::avrami) units.emplace_back("exponent", 1);
    if (found.onset_fitted) units.emplace_back("onset", time_unit);
    for (std::size_t i = 0; i < units.size(); ++i) {
        const auto& [name, unit] = units[i];
        const auto at = static_cast<Eigen::Index>(i);
        const double value = (name == "onset" ? origin : 0) + found.best.parameters[at] * unit;
        const double deviation = scale * std::sqrt(covariance(at, at)) * unit;
        fit.parameters.push_back({name, value, deviation, value - reach * deviation, value + reach * deviation});
    }
    double weights = 0, mean = 0, about_mean = 0;
    const auto weight = [&](std::size_t i) { return errors.empty() ? 1 : 1 / (errors[i] * errors[i]); };
    for (std::size_t i = 0; i < times.size(); ++i) weights += weight(i), mean += weight(i) * volumes[i];
    mean /= weights;
    for (std::size_t i = 0; i < times.size(); ++i) {
        about_mean += weight(i) * (volumes[i] - mean) * (volumes[i] - mean);
        fit.seconds.push_back(origin + times[i] * time_unit);
        fit.residuals.push_back(volumes[i] * volume_unit - fit.volume(fit.seconds.back()));
    }
    fit.r_squared =
        about_mean > 0 ? 1 - found.best.sum_of_squares / about_mean : std::numeric_limits<double>::quiet_NaN();
    fit.sum_of_squares = found.best.sum_of_squares * (errors.empty() ? volume_unit * volume_unit : 1);
    const double k = p + 1;  // the residuals' variance is estimated, too
    fit.aicc = n > k + 1 ? n * std::log(fit.sum_of_squares / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
                         : std::numeric_limits<double>::quiet_NaN();
    return fit;
}

}  // namespace mtdn
