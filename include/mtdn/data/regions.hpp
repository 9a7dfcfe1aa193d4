#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mtdn/data/frame_reader.hpp>
#include <mtdn/data/write_dataset.hpp>
#include <mtdn/io/csv.hpp>

namespace mtdn {

/// A rectangle that is cut out of every frame of a film, and what of it is shown.
struct Region {
    std::string name;  ///< of the sequence that it becomes
    Index x = 0;       ///< its left column in the film
    Index y = 0;       ///< its upper row
    Index width = 0;
    Index height = 0;
    /// corners (x, y) of a polygon in the film's pixels, whose outside is filled; empty: all of the rectangle is shown
    std::vector<std::pair<double, double>> outline{};
    double fill = 178;  ///< grey value of what is not shown, 0…255; the published films' is 178
};

/// Checks that a region can be cut out of frames of that size, and be a sequence of that name.
///
/// @param where what the error calls it
/// @throws DataError
inline void require_valid(const Region& region, FrameSize film, const std::string& where) {
    require<DataError>(detail::is_sequence_name(region.name), where, ": a region's name is a folder's name, not \"",
                       region.name, "\"");
    require<DataError>(region.width > 0 && region.height > 0 && region.x >= 0 && region.y >= 0 &&
                           region.width <= film.width - region.x && region.height <= film.height - region.y,
                       where, ": columns ", region.x, " to ", region.x + region.width, " and rows ", region.y, " to ",
                       region.y + region.height, " are not all in the frames, which are ", film.height, " × ",
                       film.width, " pixels (height × width)");
    require<DataError>(region.fill >= 0 && region.fill <= 255, where, ": fill: expected 0 to 255, found ", region.fill);
    require<DataError>(region.outline.empty() || region.outline.size() >= 3, where,
                       ": outline: expected \"x y x y …\" of three corners or more, found ", region.outline.size());
}

/// Which pixels of a region are shown: those whose centre lies inside its outline (even-odd rule).
inline Mask shown_pixels(const Region& region) {
    auto shown = full_array<std::uint8_t>(1, region.height, region.width);
    if (region.outline.empty()) return shown;
    for (Index row = 0; row < region.height; ++row)
        for (Index column = 0; column < region.width; ++column) {
            const double px = static_cast<double>(region.x + column) + 0.5,
                         py = static_cast<double>(region.y + row) + 0.5;
            bool inside = false;
            auto last = region.outline.back();
            for (const auto& corner : region.outline) {
                if ((corner.second > py) != (last.second > py) &&
                    px < corner.first +
                             (py - corner.second) / (last.second - corner.second) * (last.first - corner.first))
                    inside = !inside;
                last = corner;
            }
            shown(row, column) = inside;
        }
    return shown;
}

/// The region of a frame, its surroundings filled.
///
/// @param shown of `shown_pixels(region)`
/// @throws DataError if the region is not in the frame, ShapeError if `shown` is of another size
inline Image cut(const Image& frame, const Region& region, const Mask& shown) {
    require_valid(region, {extent(frame, 0), extent(frame, 1)}, concatenate("cut: region \"", region.name, "\""));
    require<ShapeError>(extent(shown, 0) == region.height && extent(shown, 1) == region.width, "cut: region \"",
                        region.name, "\" is ", region.height, " × ", region.width, " pixels, its shown pixels are ",
                        extent(shown, 0), " × ", extent(shown, 1));
    auto part = make_array<float>(region.height, region.width);
    const auto fill = static_cast<float>(region.fill / 255);
    for (Index row = 0; row < region.height; ++row) {
        const float* from = frame.data() + (region.y + row) * extent(frame, 1) + region.x;
        for (Index column = 0; column < region.width; ++column) {
            const Index i = row * region.width + column;
            part.data()[i] = shown.data()[i] ? from[column] : fill;
        }
    }
    return part;
}

/// Reads regions from a CSV file with the columns name, x, y, width, height and, where wanted, fill (grey value,
/// 0…255) and outline (`x y x y …`, at least three corners).
///
/// @param film size of the frames that they are cut from
/// @throws DataError naming file, region, expected and found; IoError
[[gnu::cold]] inline std::vector<Region> read_regions(const std::filesystem::path& path, FrameSize film) {
    const auto table = read_csv(path);
    const auto column = [&](std::string_view name) {
        const auto found = std::find(table.header.begin(), table.header.end(), name);
        return static_cast<std::size_t>(found - table.header.begin());
    };
    for (const auto& name : table.header)
        require<DataError>(name == "name" || name == "x" || name == "y" || name == "width" || name == "height" ||
                               name == "fill" || name == "outline",
                           path.string(), ": unknown column \"", name,
                           "\"; known are name, x, y, width, height, fill, outline");
    for (const char* name : {"name", "x", "y", "width", "height"})
        require<DataError>(column(name) < table.header.size(), path.string(), ": there is no column \"", name, "\"");
    std::vector<Region> regions;
    for (const auto& row : table.rows) {
        Region region;
        region.name = row[column("name")];
        const auto where = concatenate(path.string(), ", row ", regions.size() + 1, " (\"", region.name, "\")");
        const auto number = [&](std::string_view text, const char* what) {
            double value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            require<DataError>(error == std::errc{} && end == text.data() + text.size() && std::isfinite(value), where,
                               ": ", what, ": expected a number, found \"", text, "\"");
            return value;
        };
        const auto pixels = [&](const char* name) {
            const double value = number(row[column(name)], name);
            require<DataError>(value == std::floor(value) && std::abs(value) < 1e9, where, ": ", name,
                               ": expected whole pixels, found ", value);
            return static_cast<Index>(value);
        };
        for (const auto& other : regions)
            require<DataError>(other.name != region.name, where, ": two regions have this name");
        region.x = pixels("x");
        region.y = pixels("y");
        region.width = pixels("width");
        region.height = pixels("height");
        if (column("fill") < row.size() && !row[column("fill")].empty())
            region.fill = number(row[column("fill")], "fill");
        if (column("outline") < row.size()) {
            std::vector<double> numbers;
            std::string_view text = row[column("outline")];
            while (true) {
                text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
                if (text.empty()) break;
                const auto end = std::min(text.find(' '), text.size());
                numbers.push_back(number(text.substr(0, end), "outline"));
                text.remove_prefix(end);
            }
            require<DataError>(numbers.size() % 2 == 0, where, ": outline: expected \"x y x y …\", found ",
                               numbers.size(), " numbers");
            for (std::size_t i = 0; i < numbers.size(); i += 2) region.outline.emplace_back(numbers[i], numbers[i + 1]);
        }
        require_valid(region, film, where);
        regions.push_back(std::move(region));
    }
    require<DataError>(!regions.empty(), path.string(), ": names no region");
    return regions;
}

/// Cuts regions out of a film into a dataset without masks, one sequence a region (split `test`), whole or not at all.
///
/// The film is read once, a frame at a time. Frames are written as PNG of 8 bits under their names.
///
/// @param folder is not there, or empty
/// @param progress called with the number of frames done
/// @throws IoError; DataError, before anything is written, for a region that is not in the frames and for names
/// @source paper §2.1.1
inline void cut_regions(FrameReader& film, const std::vector<Region>& regions, const std::filesystem::path& folder,
                        const std::function<void(Index done)>& progress = {}) {
    Json json{{"name", film.name()}, {"frames", "frames/*.png"}, {"sequences", Json::object()}};
    std::set<std::string> names;
    for (const auto& region : regions) {
        const auto where = concatenate("cut_regions: region \"", region.name, "\"");
        require_valid(region, film.frame_size(), where);
        require<DataError>(names.insert(region.name).second, where, ": two regions have this name");
    }
    names.clear();  // from here on of frames
    detail::AtomicFolder target(folder);
    std::vector<Mask> shown;
    for (const auto& region : regions) {
        json["sequences"][region.name] = {
            {"split", "test"},
            {"metadata", {{"x", region.x}, {"y", region.y}, {"width", region.width}, {"height", region.height}}}};
        std::filesystem::create_directories(target.temporary() / region.name / "frames");
        shown.push_back(shown_pixels(region));
    }
    for (Index i = 0; i < film.size(); ++i) {
        const auto frame = film.read(i);
        const auto name = std::filesystem::path(film.frame_name(i)).stem().string() + ".png";
        require<DataError>(names.insert(name).second, film.frame_name(i), ": another frame is called ", name,
                           " as well; expected names that differ without their endings");
        for (std::size_t r = 0; r < regions.size(); ++r)
            write_frame(target.temporary() / regions[r].name / "frames" / name, cut(frame, regions[r], shown[r]));
        if (progress) progress(i + 1);
    }
    write_json(target.temporary() / "dataset.json", json);
    target.commit();
}

}  // namespace mtdn
