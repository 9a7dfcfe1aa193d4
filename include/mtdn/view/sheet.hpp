#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>
#include <mtdn/view/font.hpp>
#include <mtdn/view/picture.hpp>

namespace mtdn {

/// One row of a contact sheet.
struct SheetRow {
    std::string label{};              ///< written at the left; "frame", "truth", a model's name
    std::vector<Picture> pictures{};  ///< one a column
};

/// How a contact sheet is laid out.
struct SheetOptions {
    Index gap = 4;         ///< pixels between pictures and around the sheet
    Index text_scale = 1;  ///< pixels of a letter's dot
    bool below = false;    ///< columns' labels stand below the pictures instead of above
};

/// Pictures in rows and columns, with labels: rows frame, truth, each model; columns early to late.
///
/// Every cell has the size of the largest picture; pictures stand in their cell's upper left corner.
///
/// @throws ShapeError if a row has not one picture a column; OptionError
/// @source paper Fig. 6 and 7
inline Picture contact_sheet(const std::vector<std::string>& columns, const std::vector<SheetRow>& rows,
                             const SheetOptions& options = {}) {
    require<OptionError>(options.gap >= 0 && options.text_scale >= 1,
                         "contact_sheet: gap must be at least 0 and text_scale at least 1, got ", options.gap, " and ",
                         options.text_scale);
    Index cell_height = 0, cell_width = 0, label_width = 0;
    for (const auto& row : rows) {
        require<ShapeError>(row.pictures.size() == columns.size(), "contact_sheet: row \"", row.label, "\" has ",
                            row.pictures.size(), " pictures, expected one for each of ", columns.size(), " columns");
        label_width = std::max(label_width, text_width(row.label, options.text_scale));
        for (const auto& picture : row.pictures) {
            cell_height = std::max(cell_height, extent(picture, 0));
            cell_width = std::max(cell_width, extent(picture, 1));
        }
    }
    for (const auto& label : columns) cell_width = std::max(cell_width, text_width(label, options.text_scale));
    const Index gap = options.gap, line = text_height * options.text_scale;
    const Index left = label_width > 0 ? label_width + 2 * gap : gap, top = options.below ? gap : line + 2 * gap;
    const Index bottom = top + static_cast<Index>(rows.size()) * (cell_height + gap);
    Picture sheet = blank_picture(options.below ? bottom + line + gap : bottom,
                                  left + static_cast<Index>(columns.size()) * (cell_width + gap));
    for (std::size_t c = 0; c < columns.size(); ++c)
        draw_text(sheet, options.below ? bottom : gap, left + static_cast<Index>(c) * (cell_width + gap), columns[c],
                  black, options.text_scale);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const Index y = top + static_cast<Index>(r) * (cell_height + gap);
        draw_text(sheet, y + (cell_height - line) / 2, gap, rows[r].label, black, options.text_scale);
        for (std::size_t c = 0; c < columns.size(); ++c)
            paste(sheet, rows[r].pictures[c], y, left + static_cast<Index>(c) * (cell_width + gap));
    }
    return sheet;
}

/// At most `columns` frames of `count`, early to late, evenly spaced, the first and the last among them.
inline std::vector<Index> sheet_frames(Index count, Index columns) {
    std::vector<Index> frames;
    const Index shown = std::min(count, columns);
    for (Index i = 0; i < shown; ++i)
        frames.push_back(shown == 1 ? 0 : (2 * i * (count - 1) + shown - 1) / (2 * (shown - 1)));
    return frames;
}

}  // namespace mtdn
