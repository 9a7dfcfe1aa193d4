#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/kinetics/fit.hpp>
#include <mtdn/kinetics/kinetics.hpp>

namespace mtdn {

/// Half the widths of intervals, in standard errors.
struct IntervalFactors {
    double outer_area = 1, core_area = 1, volume = 1, conversion = 1, rate = 1;
};

/// Adds a filament's rows, one a frame, and the header to an empty table.
///
/// Columns are in px and, where the pixel's size is known, in nm; `_low` and `_high` bound the interval.
///
/// @param pixel_nm side of a pixel in nm; 0: unknown
/// @param truth    true volumes in px³; empty: unknown, and cells stay empty
/// @throws ShapeError if names, figures and truth are not of as many frames, or the table has other columns
inline void add_kinetics_rows(CsvTable& table, const std::string& sequence, const std::vector<std::string>& frames,
                              const FilamentKinetics& kinetics, const IntervalFactors& factors, double pixel_nm,
                              const std::vector<double>& truth = {}) {
    const auto has = [&](const MeasuredCurve& curve) {
        return curve.value.size() == frames.size() && curve.error.size() == frames.size();
    };
    require<ShapeError>(kinetics.seconds.size() == frames.size() && kinetics.stray.size() == frames.size() &&
                            kinetics.length.size() == frames.size() && has(kinetics.outer_area) &&
                            has(kinetics.core_area) && has(kinetics.volume) && has(kinetics.conversion) &&
                            has(kinetics.rate),
                        "add_kinetics_rows: sequence \"", sequence, "\" has ", frames.size(),
                        " frame names, and figures of ", kinetics.seconds.size(), " frames; expected as many of all");
    require<ShapeError>(truth.empty() || truth.size() == frames.size(), "add_kinetics_rows: sequence \"", sequence,
                        "\" has ", frames.size(), " frames, but ", truth.size(), " true volumes");
    const auto text = [](double value) { return std::isnan(value) ? std::string() : number_text(value); };
    for (std::size_t i = 0; i < frames.size(); ++i) {
        std::vector<std::string> header, row;
        const auto cell = [&](const std::string& name, const std::string& value) {
            header.push_back(name);
            row.push_back(value);
        };
        const auto interval = [&](const std::string& name, const MeasuredCurve& curve, double factor, double unit) {
            cell(name, text(curve.value[i] * unit));
            cell(name + "_low", text((curve.value[i] - factor * curve.error[i]) * unit));
            cell(name + "_high", text((curve.value[i] + factor * curve.error[i]) * unit));
        };
        cell("sequence", sequence);
        cell("frame", frames[i]);
        cell("seconds", text(kinetics.seconds[i]));
        cell("stray_core_px", std::to_string(kinetics.stray[i]));
        interval("conversion", kinetics.conversion, factors.conversion, 1);
        for (const bool nm : {false, true}) {
            if (nm && !(pixel_nm > 0)) continue;
            const std::string unit = nm ? "nm" : "px";
            const double scale = nm ? pixel_nm : 1, cube = scale * scale * scale;
            interval("outer_area_" + unit + "2", kinetics.outer_area, factors.outer_area, scale * scale);
            interval("core_area_" + unit + "2", kinetics.core_area, factors.core_area, scale * scale);
            cell("length_" + unit, text(kinetics.length[i] * scale));
            interval("volume_" + unit + "3", kinetics.volume, factors.volume, cube);
            interval("rate_" + unit + "3_per_s", kinetics.rate, factors.rate, cube);
            cell("true_volume_" + unit + "3", truth.empty() ? "" : text(truth[i] * cube));
        }
        if (table.header.empty()) table.header = header;
        require<ShapeError>(table.header == header, "add_kinetics_rows: the table has other columns than sequence \"",
                            sequence, "\": is the pixel's size known of some alone?");
        table.rows.push_back(std::move(row));
    }
}

/// A fit with its parameters, their intervals, and its residuals.
inline Json fit_json(const RateFit& fit) {
    Json json{{"law", name_of(fit.law)}, {"converged", fit.converged}};
    for (const auto& p : fit.parameters)
        json["parameters"][p.name] = {{"value", p.value}, {"error", p.error}, {"low", p.low}, {"high", p.high}};
    json["onset"] = fit.onset;
    json["r_squared"] = fit.r_squared;
    json["aicc"] = fit.aicc;
    json["seconds"] = fit.seconds;
    json["residuals"] = fit.residuals;
    return json;
}

}  // namespace mtdn
