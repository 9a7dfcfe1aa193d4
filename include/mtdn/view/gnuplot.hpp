#pragma once

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/file.hpp>
#include <mtdn/view/plot.hpp>

namespace mtdn {

/// What gnuplot makes of a script.
enum class GnuplotFormat { svg, png };

namespace detail {

/// Bytes of the UTF-8 character that a text begins with; 0 if it is none.
inline std::size_t utf8_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t length = first < 0x80    ? 1
                               : first < 0xC2  ? 0
                               : first < 0xE0  ? 2
                               : first < 0xF0  ? 3
                               : first <= 0xF4 ? 4
                                               : 0;
    if (length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
    return length;
}

/// A text in gnuplot's double quotes, its punctuation but for some as octal numbers, so that none of it means anything.
///
/// (Doubled single quotes would not do: at a text's beginning gnuplot 5.4 takes them for an empty text.) Control
/// characters become blanks, and bytes that are no UTF-8, which SVG must not hold, "?".
inline std::string gnuplot_text(std::string_view text) {
    static constexpr std::string_view plain = " ._-+/:,()";
    std::string quoted = "\"";
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const auto first = static_cast<unsigned char>(text[0]);
        const bool alphanumeric =
            (first >= '0' && first <= '9') || (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');
        if (length == 0) {
            quoted += "\\077";
        } else if (first < 32 || first == 127) {
            quoted += ' ';
        } else if (length > 1 || alphanumeric || plain.find(text[0]) != plain.npos) {
            quoted += text.substr(0, length);
        } else {
            char octal[8];
            std::snprintf(octal, sizeof octal, "\\%03o", unsigned{first});
            quoted += octal;
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return quoted + '"';
}

inline std::string gnuplot_colour(Colour colour) {
    char text[16];
    std::snprintf(text, sizeof text, "'#%02x%02x%02x'", colour.red, colour.green, colour.blue);
    return text;
}

/// A line's points as a block of data; values that are not finite are NaN, where gnuplot interrupts the line.
inline std::string gnuplot_block(const std::string& name, const PlotLine& line) {
    std::string block = name + " << END\n";
    const auto number = [](double value) { return std::isfinite(value) ? number_text(value) : std::string("NaN"); };
    for (std::size_t i = 0; i < line.x.size(); ++i) {
        block += number(line.x[i]) + ' ' + number(line.y[i]);
        if (!line.error.empty()) block += ' ' + number(line.error[i]);
        block += '\n';
    }
    return block + "END\n";
}

/// The command that draws one panel, whose lines' data are in blocks `$<name><number>`.
inline std::string gnuplot_panel(const std::string& name, const PlotPanel& panel, const PlotOptions& options) {
    const auto setting = [](const char* what, const std::string& text) {
        return concatenate("set ", what, ' ', gnuplot_text(text), '\n');
    };
    std::string script = setting("title", panel.title);
    script += setting("xlabel", panel.x_label) + setting("ylabel", panel.y_label);
    std::string curves;
    bool empty = true;
    for (std::size_t k = 0; k < panel.lines.size(); ++k) {
        const auto& line = panel.lines[k];
        bool drawn = false;
        for (std::size_t i = 0; i < line.x.size(); ++i) drawn |= std::isfinite(line.x[i]) && std::isfinite(line.y[i]);
        empty &= !drawn;
        const auto colour = gnuplot_colour(line.colour.value_or(options.palette.line(static_cast<Index>(k))));
        const auto style = concatenate(line.points ? "linespoints pt 7 ps 0.4" : "lines", " lw 2 lc rgb ", colour);
        // gnuplot refuses blocks without a point; the legend names the line all the same.
        const auto data = drawn ? name + std::to_string(k) : std::string("NaN");
        if (!curves.empty()) curves += ", \\\n     ";
        curves += data + (drawn ? " using 1:2" : "") + " with " + style +
                  (line.label.empty() ? " notitle" : " title " + gnuplot_text(line.label));
        if (drawn && !line.error.empty()) {
            // Error bars proper would blank what is below their middle.
            curves += ", \\\n     " + data + " using 1:($2-$3):(0):(2*$3) with vectors nohead lw 1 lc rgb " + colour +
                      " notitle";
        }
    }
    script += empty ? "set xrange [0:1]\n" : "set xrange [*:*]\nset autoscale xfix\n";
    if (panel.y_range)
        script += "set yrange [" + number_text(panel.y_range->first) + ":" + number_text(panel.y_range->second) + "]\n";
    else
        script += empty ? "set yrange [0:1]\n" : "set yrange [*:*]\n";
    return script + "plot " + (curves.empty() ? "NaN notitle" : curves) + "\n";
}

/// A file without a name, which goes with the object.
struct TemporaryFile {
    std::FILE* file = std::tmpfile();

    TemporaryFile() = default;
    TemporaryFile(const TemporaryFile&) = delete;
    ~TemporaryFile() {
        if (file) std::fclose(file);
    }
    int descriptor() const { return ::fileno(file); }
};

/// Runs gnuplot, without a shell and without a user's own settings; what it draws goes to the file `output`.
inline void run_gnuplot(const std::string& script, int output, const std::string& name) {
    // Files instead of pipes: neither side can block.
    const TemporaryFile input, said;
    require<IoError>(input.file && said.file &&
                         std::fwrite(script.data(), 1, script.size(), input.file) == script.size() &&
                         std::fflush(input.file) == 0 && ::lseek(input.descriptor(), 0, SEEK_SET) == 0,
                     name, ": a temporary file cannot be written: ", std::strerror(errno));
    posix_spawn_file_actions_t files;
    require<IoError>(::posix_spawn_file_actions_init(&files) == 0, name, ": out of memory");
    ::posix_spawn_file_actions_adddup2(&files, input.descriptor(), 0);
    ::posix_spawn_file_actions_adddup2(&files, output, 1);
    ::posix_spawn_file_actions_adddup2(&files, said.descriptor(), 2);
    const char* const arguments[]{"gnuplot", "--default-settings", nullptr};
    ::pid_t child = 0;
    const int failed = ::posix_spawnp(&child, "gnuplot", &files, nullptr, const_cast<char* const*>(arguments), environ);
    ::posix_spawn_file_actions_destroy(&files);
    require<IoError>(failed != ENOENT, name,
                     ": gnuplot draws it and was not found; Debian and Ubuntu have it as the "
                     "package gnuplot-nox. A name that ends in .gp gets the script instead");
    require<IoError>(failed == 0, name, ": gnuplot cannot be run: ", std::strerror(failed));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        require<IoError>(errno == EINTR, name, ": gnuplot cannot be waited for: ", std::strerror(errno));
    if (status == 0 && ::lseek(output, 0, SEEK_END) > 0) return;
    std::string message(2000, '\0');
    std::rewind(said.file);
    message.resize(std::fread(message.data(), 1, message.size(), said.file));
    fail<IoError>(name, ": gnuplot drew nothing: ", message);
}

}  // namespace detail

/// Panels as a gnuplot script with its data, which draws on standard output: `gnuplot plot.gp > plot.svg`.
///
/// Labels are plain text, whatever they hold. Needs gnuplot 5 or later.
///
/// @throws ShapeError if a line's x, y and errors differ in number; OptionError
inline std::string gnuplot_script(const std::vector<PlotPanel>& panels, const PlotOptions& options = {},
                                  GnuplotFormat format = GnuplotFormat::svg) {
    detail::require_panels(panels, options);
    const bool svg = format == GnuplotFormat::svg;
    std::string script =
        concatenate("# gnuplot draws this on standard output: gnuplot THIS_FILE > picture.", svg ? "svg" : "png",
                    "\nset terminal ", svg ? "svg" : "pngcairo", " noenhanced size ", options.width, ',',
                    options.height * static_cast<Index>(panels.size()), " font 'sans,10' background '#ffffff'\n",
                    "set encoding utf8\nset border 3\nset tics nomirror out\nset grid lt 1 lc rgb '#e1e1e1'\n",
                    "set key outside right top noenhanced\n");
    const auto name = [](std::size_t p) { return concatenate("$panel", p, "line"); };
    for (std::size_t p = 0; p < panels.size(); ++p)
        for (std::size_t k = 0; k < panels[p].lines.size(); ++k)
            script += detail::gnuplot_block(name(p) + std::to_string(k), panels[p].lines[k]);
    script += concatenate("set multiplot layout ", panels.size(), ",1\n");
    for (std::size_t p = 0; p < panels.size(); ++p) script += detail::gnuplot_panel(name(p), panels[p], options);
    return script + "unset multiplot\n";
}

/// Draws panels by gnuplot, which is run; by the file's ending an `.svg`, a `.png`, or the script itself, `.gp`.
///
/// The file appears whole or not at all.
///
/// @throws OptionError for another ending; IoError, also where gnuplot is missing; ShapeError
inline void draw_with_gnuplot(const std::filesystem::path& path, const std::vector<PlotPanel>& panels,
                              const PlotOptions& options = {}) {
    const auto ending = path.extension();
    require<OptionError>(ending == ".svg" || ending == ".png" || ending == ".gp", path.string(),
                         ": expected a name that ends in .svg, .png or .gp");
    const auto script = gnuplot_script(panels, options, ending == ".png" ? GnuplotFormat::png : GnuplotFormat::svg);
    if (ending == ".gp") return write_file(path, script);
    AtomicFile file(path);
    detail::run_gnuplot(script, file.descriptor(), path.string());
    file.commit();
}

}  // namespace mtdn
