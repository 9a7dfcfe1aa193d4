#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace mtdn::detail {

/// A score with five digits, as the paper prints it; a dash for NaN.
inline std::string score_digits(double score) {
    if (std::isnan(score)) return "–";
    char text[32];
    std::snprintf(text, sizeof text, "%.5f", score);
    return text;
}

/// Characters that a UTF-8 text shows.
inline std::size_t shown_length(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// Rows of text in aligned columns: the first to the left, the others to the right; rows may be short.
class AlignedTable {
public:
    explicit AlignedTable(std::vector<std::string> headings) { rows_.push_back(std::move(headings)); }

    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

    /// Without a line break at the end.
    std::string text() const {
        std::vector<std::size_t> widths(rows_.front().size(), 0);
        for (const auto& row : rows_)
            for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], shown_length(row[c]));
        std::string result;
        for (const auto& row : rows_) {
            std::string line;
            for (std::size_t c = 0; c < row.size(); ++c) {
                const std::string space(widths[c] - shown_length(row[c]), ' ');
                line += c == 0 ? row[c] + space : "  " + space + row[c];
            }
            line.erase(line.find_last_not_of(' ') + 1);
            result += (result.empty() ? "" : "\n") + line;
        }
        return result;
    }

private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace mtdn::detail
