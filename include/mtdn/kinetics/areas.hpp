#pragma once

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/io/csv.hpp>

namespace mtdn {

/// By task, frame and member of an ensemble: areas in px²; of what two tasks have in common under `shared_name`.
using EnsembleAreas = std::map<std::string, std::vector<std::vector<double>>>;

/// The areas of an ensemble's members as a table: `frame`, `partner` (its name), and a column of px a task.
///
/// @param partners names of the frames that each frame was compared with, in the order of the areas
/// @throws ShapeError if there are not as many partners as frames, or areas as partners
inline CsvTable areas_table(const EnsembleAreas& areas, const std::vector<std::string>& frames,
                            const std::vector<std::vector<std::string>>& partners) {
    require<ShapeError>(partners.size() == frames.size(), "areas_table: ", frames.size(), " frames, but partners of ",
                        partners.size());
    CsvTable table{{"frame", "partner"}, {}};
    for (const auto& [name, of_frames] : areas) {
        require<ShapeError>(of_frames.size() == frames.size(), "areas_table: ", frames.size(), " frames, but areas of ",
                            name, " in ", of_frames.size());
        for (std::size_t i = 0; i < frames.size(); ++i)
            require<ShapeError>(of_frames[i].size() == partners[i].size(), "areas_table: frame \"", frames[i],
                                "\" has ", partners[i].size(), " partners, but ", of_frames[i].size(), " areas of ",
                                name);
        table.header.push_back(name);
    }
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

}  // namespace mtdn
