#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>
#include <mtdn/view/font.hpp>
#include <mtdn/view/palette.hpp>
#include <mtdn/view/picture.hpp>

namespace mtdn {

/// One line of a plot.
struct PlotLine {
    std::string label{};                ///< shown in the legend
    std::vector<double> x{}, y{};       ///< equally many; a point that is not finite interrupts the line
    std::vector<double> error{};        ///< half the length of each point's error bar; empty for none
    std::optional<Colour> colour = {};  ///< by default the palette's, by the line's place
    bool points = false;                ///< marks the points
};

/// One pair of axes.
struct PlotPanel {
    std::string title{};                                 ///< above, in the middle
    std::string x_label{}, y_label{};                    ///< below, and above the y axis
    std::vector<PlotLine> lines{};                       ///< drawn in this order
    std::optional<std::pair<double, double>> y_range{};  ///< by default what the lines need
};

/// Size and colours of a plot.
struct PlotOptions {
    Index width = 640;   ///< pixels of a panel
    Index height = 300;  ///< pixels of a panel
    Palette palette{};   ///< colours of the lines
};

/// Round values that divide [low, high], about `count` of them: steps of 1, 2 or 5 times a power of ten.
inline std::vector<double> axis_ticks(double low, double high, int count = 6) {
    const double rough = (high - low) / count, power = std::pow(10, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {5.0, 2.0, 1.0})
        if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
    std::vector<double> ticks;
    const double first = std::ceil(low / step - 1e-9);
    for (double k = first; k * step <= high + 1e-9 * step && ticks.size() < 100; ++k) ticks.push_back(k * step + 0.0);
    return ticks;
}

namespace detail {

/// The range of some coordinates, widened if it is empty or a single value.
struct PlotRange {
    double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();

    void add(double value) {
        if (!std::isfinite(value)) return;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    void close(double margin) {
        if (low > high) low = 0, high = 1;
        const double size = high - low;
        // A range too small for its values' digits is as good as a single value.
        if (!(size > 1e-9 * std::max(std::fabs(low), std::fabs(high)))) {
            const double pad = low == 0 ? 1 : 0.1 * std::fabs(low);
            low -= pad, high += pad;
        } else {
            low -= margin * size, high += margin * size;
        }
    }
};

/// A straight line two pixels wide.
inline void draw_line(Picture& picture, double y0, double x0, double y1, double x1, Colour colour) {
    const double steps = std::max({1.0, std::ceil(std::fabs(y1 - y0)), std::ceil(std::fabs(x1 - x0))});
    for (double i = 0; i <= steps; ++i) {
        const auto y = static_cast<Index>(std::lround(y0 + (y1 - y0) * i / steps));
        const auto x = static_cast<Index>(std::lround(x0 + (x1 - x0) * i / steps));
        fill(picture, y, x, 2, 2, colour);
    }
}

inline std::string tick_text(double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.6g", value);
    return buffer;
}

inline void require_panels(const std::vector<PlotPanel>& panels, const PlotOptions& options) {
    require<OptionError>(!panels.empty() && options.height > 0 && options.width > 0,
                         "plot: expected at least one panel of at least one pixel");
    for (const auto& panel : panels) {
        for (const auto& line : panel.lines)
            require<ShapeError>(
                line.x.size() == line.y.size() && (line.error.empty() || line.error.size() == line.y.size()),
                "plot: line \"", line.label, "\" has ", line.x.size(), " x, ", line.y.size(), " y and ",
                line.error.size(), " errors");
        if (!panel.y_range) continue;
        const auto [low, high] = *panel.y_range;
        require<OptionError>(std::isfinite(low) && std::isfinite(high) && low < high,
                             "plot: y_range must be finite and increasing, got ", low, " and ", high);
    }
}

/// Draws one panel with its upper edge at `top`.
inline void draw_panel(Picture& picture, Index top, const PlotPanel& panel, const PlotOptions& options) {
    PlotRange xs, ys;
    for (const auto& line : panel.lines) {
        for (std::size_t i = 0; i < line.x.size(); ++i) {
            if (!std::isfinite(line.x[i]) || !std::isfinite(line.y[i])) continue;
            xs.add(line.x[i]);
            ys.add(line.y[i] - (line.error.empty() ? 0 : line.error[i]));
            ys.add(line.y[i] + (line.error.empty() ? 0 : line.error[i]));
        }
    }
    xs.close(0);
    if (panel.y_range) {
        ys.low = panel.y_range->first, ys.high = panel.y_range->second;
    } else {
        ys.close(0.05);
    }

    // The legend stands at the right, outside the axes, so that it covers no line.
    Index legend = 0;
    for (const auto& line : panel.lines) legend = std::max(legend, text_width(line.label));
    const Index left = 62, right = options.width - (legend > 0 ? legend + 34 : 14);
    const Index upper = top + 28, lower = top + options.height - 34;
    require<OptionError>(right - left >= 40 && lower - upper >= 40, "plot: ", options.width, " × ", options.height,
                         " pixels are too few for the axes and the legend");
    const auto column = [&](double x) {
        return static_cast<double>(left) + (x - xs.low) / (xs.high - xs.low) * static_cast<double>(right - left);
    };
    const auto row = [&](double y) {
        const double inside = std::clamp(y, ys.low, ys.high);
        return static_cast<double>(lower) - (inside - ys.low) / (ys.high - ys.low) * static_cast<double>(lower - upper);
    };

    const Colour grid{225, 225, 225}, axis{60, 60, 60};
    for (const double tick : axis_ticks(xs.low, xs.high)) {
        const auto x = static_cast<Index>(std::lround(column(tick)));
        fill(picture, upper, x, lower - upper, 1, grid);
        const auto text = tick_text(tick);
        draw_text(picture, lower + 6, x - text_width(text) / 2, text, axis);
    }
    for (const double tick : axis_ticks(ys.low, ys.high, 5)) {
        const auto y = static_cast<Index>(std::lround(row(tick)));
        fill(picture, y, left, 1, right - left, grid);
        const auto text = tick_text(tick);
        draw_text(picture, y - 3, left - 6 - text_width(text), text, axis);
    }
    fill(picture, lower, left, 1, right - left + 1, axis);
    fill(picture, upper, left, lower - upper + 1, 1, axis);
    draw_text(picture, top + 6, left + (right - left - text_width(panel.title)) / 2, panel.title, black);
    draw_text(picture, top + 16, 6, panel.y_label, axis);
    draw_text(picture, lower + 20, left + (right - left - text_width(panel.x_label)) / 2, panel.x_label, axis);

    Index entries = 0;  // of the legend
    for (std::size_t k = 0; k < panel.lines.size(); ++k) {
        const auto& line = panel.lines[k];
        const Colour colour = line.colour.value_or(options.palette.line(static_cast<Index>(k)));
        bool joined = false;
        for (std::size_t i = 0; i < line.x.size(); ++i) {
            const bool drawn = std::isfinite(line.x[i]) && std::isfinite(line.y[i]);
            if (drawn) {
                const double x = column(line.x[i]), y = row(line.y[i]);
                const std::size_t from = joined ? i - 1 : i;  // a point alone is a line of no length
                draw_line(picture, row(line.y[from]), column(line.x[from]), y, x, colour);
                if (!line.error.empty() && std::isfinite(line.error[i]))
                    draw_line(picture, row(line.y[i] - line.error[i]), x, row(line.y[i] + line.error[i]), x, colour);
                if (line.points)
                    fill(picture, static_cast<Index>(std::lround(y)) - 1, static_cast<Index>(std::lround(x)) - 1, 4, 4,
                         colour);
            }
            joined = drawn;
        }
        if (line.label.empty()) continue;
        const Index y = upper + 4 + 12 * entries++;
        fill(picture, y + 3, right + 8, 2, 14, colour);
        draw_text(picture, y, right + 26, line.label, axis);
    }
}

}  // namespace detail

/// Panels of lines, one under the other, with axes, round ticks and legends: learning curves, scores against time.
///
/// @shape  (panels · height, width, 3)
/// @throws ShapeError if a line's x, y and errors differ in number; OptionError
inline Picture plot(const std::vector<PlotPanel>& panels, const PlotOptions& options = {}) {
    detail::require_panels(panels, options);
    Picture picture = blank_picture(static_cast<Index>(panels.size()) * options.height, options.width);
    for (std::size_t i = 0; i < panels.size(); ++i)
        detail::draw_panel(picture, static_cast<Index>(i) * options.height, panels[i], options);
    return picture;
}

}  // namespace mtdn
