#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <mtdn/change/accumulator.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/kinetics/areas.hpp>
#include <mtdn/kinetics/geometry.hpp>
#include <mtdn/kinetics/slope.hpp>

namespace mtdn {

/// A quantity in each frame.
struct MeasuredCurve {
    std::vector<double> value;
    std::vector<double> error;  ///< standard errors
};

/// How masks become kinetics.
struct KineticsOptions {
    std::string outer = "A1";      ///< task of the filament's projection
    std::string core = "A2";       ///< task of the hollow core's
    std::vector<double> length{};  ///< px; empty: measured in each frame; one: of every frame; else one a frame
    bool enforce = false;          ///< takes the core as what of it lies inside the filament
    Index rate_window = 5;         ///< frames that a rate is taken from, odd, at least 3: `slope_weights`
};

/// One filament's figures, in pixels and seconds.
struct FilamentKinetics {
    std::vector<double> seconds;
    MeasuredCurve outer_area, core_area;  ///< px²
    std::vector<double> length;           ///< px; 0: nothing is left
    MeasuredCurve volume;                 ///< px³
    MeasuredCurve conversion;             ///< 1 − V(t)/V(0), V(0) that of the first frame
    MeasuredCurve rate;                   ///< −dV/dt, px³/s
    std::vector<Index> stray;             ///< pixels of the core outside the filament, before any was taken away
    Index members = 0;                    ///< of the ensemble; 0: errors are those of counting pixels alone
};

namespace detail {

/// Variance of each frame's value over the members' curves, which a function makes from their areas.
template <class Derive>
std::vector<double> variance_over_members(const std::vector<std::vector<double>>& curves, std::size_t frames,
                                          const Derive& derive) {
    std::vector<double> sum(frames, 0), squares(frames, 0), first(frames, 0);
    double count = 0;
    for (const auto& curve : curves) {
        const std::vector<double> derived = derive(curve);
        if (derived.empty()) continue;
        if (count == 0) first = derived;
        for (std::size_t i = 0; i < frames; ++i) {
            const double off = derived[i] - first[i];  // about the first, so that squares do not cancel
            sum[i] += off, squares[i] += off * off;
        }
        ++count;
    }
    std::vector<double> variance(frames, 0);
    for (std::size_t i = 0; i < frames && count > 1; ++i)
        variance[i] = std::max(0.0, (squares[i] - sum[i] * sum[i] / count) / (count - 1));
    return variance;
}

/// Lengths as `KineticsOptions::length` says, one a frame.
inline std::vector<double> lengths_asked_for(const std::vector<double>& given, const Masks& outer) {
    if (given.empty()) return lengths_along_axis(outer);
    const auto frames = static_cast<std::size_t>(extent(outer, 0));
    require<ShapeError>(given.size() == 1 || given.size() == frames, "measure_kinetics: ", frames, " frames, but ",
                        given.size(), " lengths; expected one, or one a frame");
    for (std::size_t i = 0; i < given.size(); ++i)
        require<DataError>(std::isfinite(given[i]) && given[i] >= 0, "measure_kinetics: the length in frame ", i,
                           " is ", given[i]);
    return given.size() == frames ? given : std::vector<double>(frames, given.front());
}

/// Conversion of a curve of volumes; none if it does not begin with a volume.
inline std::vector<double> conversion_of(const std::vector<double>& volume) {
    std::vector<double> result;
    if (!(volume.front() > 0)) return result;
    for (const double v : volume) result.push_back(1 - v / volume.front());
    return result;
}

inline std::vector<double> rate_of(const std::vector<double>& volume, const std::vector<SlopeWeights>& slopes) {
    std::vector<double> result;
    for (const auto& [first, weights] : slopes) {
        double slope = 0;
        for (std::size_t j = 0; j < weights.size(); ++j) slope += weights[j] * volume[first + j];
        result.push_back(-slope);
    }
    return result;
}

/// The members' areas as one curve a member; checks that every frame has as many.
inline std::vector<std::vector<double>> curves_of_members(const EnsembleAreas& areas, const std::string& task,
                                                          std::size_t frames) {
    std::vector<std::vector<double>> curves;
    const auto found = areas.find(task);
    if (found == areas.end() || found->second.empty()) return curves;
    require<DataError>(found->second.size() == frames, "measure_kinetics: ", frames,
                       " frames, but the ensemble's areas of ", task, " are of ", found->second.size());
    curves.resize(found->second.front().size());
    for (std::size_t i = 0; i < frames; ++i) {
        const auto& of_frame = found->second[i];
        require<DataError>(of_frame.size() == curves.size(), "measure_kinetics: the ensemble has ", curves.size(),
                           " areas of ", task, " in frame 0, but ", of_frame.size(), " in frame ", i);
        for (std::size_t n = 0; n < curves.size(); ++n) curves[n].push_back(of_frame[n]);
    }
    return curves;
}

}  // namespace detail

/// Areas, length, volume, conversion and rate of one filament from its masks.
///
/// Each member of an ensemble gives a curve of its own; the standard deviation of these curves is one part of a
/// quantity's error, that of counting pixels (`count_area`) the other. Members share their mistakes, so the error is
/// not divided by the root of their number, and what they have in common is not in it: `calibrated_factor` mends that.
///
/// @param areas of the ensemble's members, as `Segmentation::areas`; fewer than two a frame tell nothing
/// @throws DataError if a task has no masks, time does not rise or the first frame shows no volume; ShapeError
/// @source paper §1, Fig. 1b
inline FilamentKinetics measure_kinetics(const TaskMasks& masks, const std::vector<double>& seconds,
                                         const KineticsOptions& options = {}, const EnsembleAreas& areas = {}) {
    const auto masks_of = [&](const std::string& task) -> const Masks& {
        const auto found = masks.find(task);
        require<DataError>(found != masks.end(), "measure_kinetics: there are no masks of task \"", task, "\"");
        return found->second;
    };
    const Masks& outer = masks_of(options.outer);
    const Masks& all_core = masks_of(options.core);
    const Index height = extent(outer, 1), width = extent(outer, 2);
    const auto frames = static_cast<std::size_t>(extent(outer, 0));
    require<ShapeError>(seconds.size() == frames, "measure_kinetics: ", frames, " frames, but ", seconds.size(),
                        " times");

    FilamentKinetics result;
    result.stray = stray_core_pixels(outer, all_core);
    const Masks core = options.enforce ? core_inside(outer, all_core) : all_core;
    const auto slopes = slope_weights(seconds, options.rate_window);
    result.seconds = seconds;
    result.length = detail::lengths_asked_for(options.length, outer);

    std::vector<double> variance(frames);  // of the volume by counting
    for (std::size_t i = 0; i < frames; ++i) {
        const auto a1 = count_area(frame_data(outer, static_cast<Index>(i)), height, width);
        const auto a2 = count_area(frame_data(core, static_cast<Index>(i)), height, width);
        const double length = result.length[i];
        result.outer_area.value.push_back(a1.area);
        result.outer_area.error.push_back(a1.error);
        result.core_area.value.push_back(a2.area);
        result.core_area.error.push_back(a2.error);
        result.volume.value.push_back(hollow_cylinder_volume(a1.area, a2.area, length));
        require<DataError>(length > 0 || a1.area == 0, "measure_kinetics: frame ", i, " shows ", a1.area,
                           " px of filament, but its length is 0");
        const double slope = length > 0 ? std::numbers::pi / (2 * length) : 0;
        variance[i] =
            slope * slope * (a1.area * a1.area * a1.error * a1.error + a2.area * a2.area * a2.error * a2.error);
    }
    const auto& volume = result.volume.value;
    require<DataError>(volume.front() > 0, "measure_kinetics: the first frame's volume is ", volume.front(), " px³ (",
                       options.outer, " ", result.outer_area.value.front(), " px, ", options.core, " ",
                       result.core_area.value.front(), " px); conversion needs a positive one");
    result.conversion.value = detail::conversion_of(volume);
    result.rate.value = detail::rate_of(volume, slopes);

    auto outer_curves = detail::curves_of_members(areas, options.outer, frames);
    const auto core_name = options.enforce ? shared_name(options.outer, options.core) : options.core;
    auto core_curves = detail::curves_of_members(areas, core_name, frames);
    require<DataError>(outer_curves.size() == core_curves.size(), "measure_kinetics: the ensemble gave ",
                       outer_curves.size(), " areas of ", options.outer, ", but ", core_curves.size(), " of ",
                       core_name);
    if (outer_curves.size() >= 2) result.members = static_cast<Index>(outer_curves.size());
    auto volumes = outer_curves;
    for (std::size_t n = 0; n < volumes.size(); ++n)
        for (std::size_t i = 0; i < frames; ++i)
            volumes[n][i] = hollow_cylinder_volume(outer_curves[n][i], core_curves[n][i], result.length[i]);

    const auto itself = [](const std::vector<double>& curve) { return curve; };
    const auto spread = [&](const auto& curves, const auto& derive) {
        return detail::variance_over_members(curves, frames, derive);
    };
    const auto of_outer = spread(outer_curves, itself), of_core = spread(core_curves, itself),
               of_volume = spread(volumes, itself), of_conversion = spread(volumes, detail::conversion_of),
               of_rate = spread(volumes, [&](const auto&curve) { return detail::rate_of(curve, slopes); });
    for (std::size_t i = 0; i < frames; ++i) {
        auto& a1 = result.outer_area.error[i];
        auto& a2 = result.core_area.error[i];
        a1 = std::sqrt(a1 * a1 + of_outer[i]);
        a2 = std::sqrt(a2 * a2 + of_core[i]);
        result.volume.error.push_back(std::sqrt(variance[i] + of_volume[i]));
        const double share = volume[i] / volume.front(),
                     counted =
                         i == 0 ? 0 : (variance[i] + share * share * variance[0]) / (volume.front() * volume.front());
        result.conversion.error.push_back(std::sqrt(counted + of_conversion[i]));
        double of_slope = 0;
        for (std::size_t j = 0; j < slopes[i].weights.size(); ++j)
            of_slope += slopes[i].weights[j] * slopes[i].weights[j] * variance[slopes[i].first + j];
        result.rate.error.push_back(std::sqrt(of_slope + of_rate[i]));
    }
    return result;
}

}  // namespace mtdn
