#pragma once

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/kinetics/fit.hpp>
#include <mtdn/kinetics/kinetics.hpp>

namespace mtdn {

/// The areas of an ensemble's members as a table: `frame`, `partner` (its name), and a column of px a task.
///
/// @param partners names of the frames that each frame was compared with, in the order of the areas
inline CsvTable areas_table(const EnsembleAreas& areas, const std::vector<std::string>& frames,
                            const std::vector<std::vector<std::string>>& partners) {
    CsvTable table{{"frame", "partner"}, {}};
    for (const auto& entry : areas) table.header.push_back(entry.first);
    for (std::size_t i = 0; i < frames.size(); ++i)
        for (std::size_t n = 0; n < partners[i].size(); ++n) {
            table.rows.push_back({frames[i], partners[i][n]});
            for (const auto& entry : areas) table.rows.back().push_back(number_text(entry.second[i][n]));
        }
    return table;
}

/// Reads the areas of an ensemble's members, by the frames' names without their endings.
///
/// @throws IoError, DataError for a frame that is missing or unknown, or a task without a column
inline EnsembleAreas read_areas(const std::filesystem::path& path, const std::vector<std::string>& frames,
                                const std::vector<std::string>& tasks) {
    const auto stem = [](const std::string& name) { return std::filesystem::path(name).stem().string(); };
    const CsvTable table = read_csv(path);
    require<DataError>(!table.header.empty() && table.header.front() == "frame", path.string(),
                       ": expected the first column \"frame\"");
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < frames.size(); ++i) places[stem(frames[i])] = i;
    EnsembleAreas areas;
    for (const auto& task : tasks) {
        std::vector<double> values;
        try {
            values = table.numbers(task);
        } catch (const DataError& error) {
            fail<DataError>(path.string(), ": ", error.what());
        }
        auto& of_task = areas[task];
        of_task.resize(frames.size());
        for (std::size_t row = 0; row < values.size(); ++row) {
            const auto place = places.find(stem(table.rows[row].front()));
            require<DataError>(place != places.end(), path.string(), ": row ", row + 1, " is of frame \"",
                               table.rows[row].front(), "\", which the sequence lacks");
            require<DataError>(values[row] >= 0 && std::isfinite(values[row]), path.string(), ": row ", row + 1,
                               ": expected an area of ", task, ", found ", values[row]);
            of_task[place->second].push_back(values[row]);
        }
        for (std::size_t i = 0; i < frames.size(); ++i)
            require<DataError>(!of_task[i].empty(), path.string(), ": no row is of frame \"", frames[i], "\"");
    }
    return areas;
}

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
inline void add_kinetics_rows(CsvTable& table, const std::string& sequence, const std::vector<std::string>& frames,
                              const FilamentKinetics& kinetics, const IntervalFactors& factors, double pixel_nm,
                              const std::vector<double>& truth = {}) {
    const bool first = table.header.empty();
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
        if (first && i == 0) table.header = header;
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
