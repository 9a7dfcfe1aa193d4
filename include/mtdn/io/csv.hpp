#pragma once

#include <fcntl.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/io/file.hpp>

namespace mtdn {

/// The shortest decimal text that reads back as the same number; "nan", "inf", "-inf".
inline std::string number_text(double value) {
    char buffer[32];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    return {buffer, end};
}

/// A table of text cells with one header line.
struct CsvTable {
    std::vector<std::string> header;             ///< names of the columns
    std::vector<std::vector<std::string>> rows;  ///< each as long as the header

    bool has(std::string_view name) const { return place(name) < header.size(); }

    /// The column of that name.
    ///
    /// @throws DataError if there is no such column
    std::vector<std::string> texts(std::string_view name) const {
        const std::size_t column = require_column(name);
        std::vector<std::string> result;
        for (const auto& row : rows) result.push_back(row[column]);
        return result;
    }

    /// The column of that name as numbers; an empty cell is NaN.
    ///
    /// @throws DataError if there is no such column, or if a cell holds no number
    std::vector<double> numbers(std::string_view name) const {
        const std::size_t column = require_column(name);
        std::vector<double> result;
        for (const auto& row : rows) {
            const auto& cell = row[column];
            double value = std::numeric_limits<double>::quiet_NaN();
            const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
            require<DataError>(cell.empty() || (error == std::errc{} && end == cell.data() + cell.size()),
                               "CsvTable: column \"", name, "\", row ", result.size() + 1, ": \"", cell,
                               "\" is no number");
            result.push_back(value);
        }
        return result;
    }

private:
    std::size_t place(std::string_view name) const {
        std::size_t column = 0;
        while (column < header.size() && header[column] != name) ++column;
        return column;
    }
    std::size_t require_column(std::string_view name) const {
        require<DataError>(has(name), "CsvTable: there is no column \"", name, "\"");
        return place(name);
    }
};

/// One line of CSV with its line feed; cells with commas, quotes or line breaks are quoted (RFC 4180).
inline std::string csv_line(std::span<const std::string> cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (i > 0) line += ',';
        if (cells[i].find_first_of(",\"\r\n") == std::string::npos) {
            line += cells[i];
            continue;
        }
        line += '"';
        for (char c : cells[i]) line += c == '"' ? std::string("\"\"") : std::string(1, c);
        line += '"';
    }
    return line + '\n';
}

/// Writes a table as CSV, whole or not at all.
///
/// @throws IoError, ShapeError if a row has another length than the header
inline void write_csv(const std::filesystem::path& path, const CsvTable& table) {
    std::string text = csv_line(table.header);
    for (const auto& row : table.rows) {
        require<ShapeError>(row.size() == table.header.size(), "write_csv: ", path.string(), ": expected ",
                            table.header.size(), " cells a row, got ", row.size());
        text += csv_line(row);
    }
    write_file(path, text);
}

/// Parses CSV text; `name` is what errors call it.
///
/// @throws IoError if a row has another length than the header, or if a quote is not closed
inline CsvTable parse_csv(std::string_view text, const std::string& name) {
    CsvTable table;
    std::vector<std::string> row;
    std::string cell;
    bool quoted = false, begun = false;
    std::size_t line = 1;
    const auto end_row = [&] {
        row.push_back(std::exchange(cell, {}));
        begun = false;
        if (table.header.empty()) {
            table.header = std::exchange(row, {});
            return;
        }
        require<IoError>(row.size() == table.header.size(), name, ", line ", line, ": expected ", table.header.size(),
                         " cells, found ", row.size());
        table.rows.push_back(std::exchange(row, {}));
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c != '"') {
                cell += c;
            } else if (i + 1 < text.size() && text[i + 1] == '"') {
                cell += text[++i];
            } else {
                quoted = false;
            }
        } else if (c == '"' && cell.empty()) {
            quoted = begun = true;
        } else if (c == ',') {
            row.push_back(std::exchange(cell, {}));
            begun = true;
        } else if (c == '\n') {
            end_row();
            ++line;
        } else if (c != '\r') {
            cell += c;
            begun = true;
        }
    }
    require<IoError>(!quoted, name, ": a quote is not closed");
    if (begun) end_row();
    require<IoError>(!table.header.empty(), name, ": expected a header line, the file is empty");
    return table;
}

/// Reads a CSV file.
///
/// @throws IoError
inline CsvTable read_csv(const std::filesystem::path& path) { return parse_csv(read_text(path), path.string()); }

/// Adds one row an epoch to a CSV file; each row is in the file when `append` returns.
///
/// The first column is `epoch`. A run that is resumed drops the rows of the epochs that it will run again, and a last
/// line that was cut short.
class CurveWriter {
public:
    /// Begins a curve, or goes on with one at `first_epoch`. A file of that name is replaced if `first_epoch` is 0.
    ///
    /// @throws IoError, also if the file has other columns
    CurveWriter(const std::filesystem::path& path, std::vector<std::string> columns, Index first_epoch = 0)
        : path_(path) {
        columns.insert(columns.begin(), "epoch");
        cells_ = columns.size();
        CsvTable table{columns, {}};
        std::error_code ignored;
        if (first_epoch > 0 && std::filesystem::exists(path, ignored)) {
            auto text = read_text(path);
            text.erase(text.find_last_of('\n') == std::string::npos ? 0 : text.find_last_of('\n') + 1);
            auto old = text.empty() ? table : parse_csv(text, path.string());
            require<IoError>(old.header == columns, path.string(), ": expected the columns ", csv_line(columns),
                             "found ", csv_line(old.header), "a resumed run must record the same figures");
            const auto epochs = old.numbers("epoch");
            for (std::size_t i = 0; i < epochs.size(); ++i)
                if (epochs[i] < static_cast<double>(first_epoch)) table.rows.push_back(std::move(old.rows[i]));
        }
        write_csv(path, table);
        file_ = detail::Descriptor{::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)};
        if (file_.get() < 0) detail::fail_file(path, "open", errno);
    }

    /// Adds a row; NaN leaves its cell empty.
    ///
    /// @throws IoError, ShapeError if there are not as many values as columns
    void append(Index epoch, std::span<const double> values) {
        require<ShapeError>(values.size() + 1 == cells_, "CurveWriter::append: ", path_.string(), ": expected ",
                            cells_ - 1, " values, got ", values.size());
        std::vector<std::string> row{std::to_string(epoch)};
        for (double value : values) row.push_back(std::isnan(value) ? std::string() : number_text(value));
        // One write of one short line: a reader, or a killed run, sees it whole.
        const auto line = csv_line(row);
        const auto written = ::write(file_.get(), line.data(), line.size());
        if (written < 0) detail::fail_file(path_, "write", errno);
        require<IoError>(written == static_cast<ssize_t>(line.size()), path_.string(),
                         ": write failed: ", std::strerror(ENOSPC));
    }

private:
    std::filesystem::path path_;
    std::size_t cells_ = 0;
    detail::Descriptor file_;
};

}  // namespace mtdn
