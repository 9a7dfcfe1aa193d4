#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/io/file.hpp>

namespace mtdn {

namespace detail {

/// Bytes in base64, padded.
///
/// @source RFC 4648 §4
inline std::string base64(std::span<const std::byte> bytes) {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t three = 0;
        for (std::size_t k = 0; k < 3; ++k)
            three = three << 8 | (i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
        for (std::size_t k = 0; k < 4; ++k)
            text += i + k <= bytes.size() ? digits[three >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

inline std::string with_replaced(std::string_view text,
                                 std::span<const std::pair<char, std::string_view>> replacements) {
    std::string result;
    for (const char c : text) {
        std::string_view by(&c, 1);
        for (const auto& [from, to] : replacements)
            if (c == from) by = to;
        result += by;
    }
    return result;
}

inline std::string html_text(std::string_view text) {
    static constexpr std::array<std::pair<char, std::string_view>, 4> replacements{
        {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}}};
    return with_replaced(text, replacements);
}

/// A plain text that Markdown shows as it is: no mark-up, no HTML, one line.
///
/// @source CommonMark 0.31 §2.4
inline std::string markdown_text(std::string_view text) {
    static constexpr std::array<std::pair<char, std::string_view>, 13> replacements{
        {{'\\', "\\\\"}, {'|', "\\|"}, {'*', "\\*"}, {'_', "\\_"}, {'`', "\\`"}, {'[', "\\["}, {']', "\\]"},
         {'#', "\\#"}, {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\n', " "}, {'\r', ""}}};
    return with_replaced(text, replacements);
}

}  // namespace detail

/// A document of headings, text, tables and pictures: one HTML page that opens offline, or Markdown. All texts are
/// plain.
class Report {
public:
    using Row = std::vector<std::string>;

    explicit Report(std::string title) : title_(std::move(title)) {}

    void heading(std::string text) { blocks_.push_back({Kind::heading, std::move(text), {}, {}}); }
    void text(std::string paragraph) { blocks_.push_back({Kind::text, std::move(paragraph), {}, {}}); }
    /// @throws OptionError if a row has another number of cells than the first, which is the head
    void table(std::string caption, std::vector<Row> rows) {
        for (const Row& row : rows)
            require<OptionError>(row.size() == rows.front().size(), "Report: table \"", caption,
                                 "\": expected rows of ", rows.front().size(), " cells, found ", row.size());
        blocks_.push_back({Kind::table, std::move(caption), {}, std::move(rows)});
    }
    /// A PNG file, which is read when the report is written.
    void picture(std::string caption, std::filesystem::path png) {
        blocks_.push_back({Kind::picture, std::move(caption), std::move(png), {}});
    }

    /// One page with all pictures inside.
    ///
    /// @throws IoError if a picture cannot be read
    std::string html() const {
        std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" +
                           detail::html_text(title_) + "</title>\n<style>\n" +
                           "body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }\n"
                           "table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }\n"
                           "th, td { border-bottom: 1px solid #ccc; padding: .2em .8em; text-align: right; }\n"
                           "th:first-child, td:first-child { text-align: left; }\n"
                           "caption { text-align: left; font-weight: bold; padding: .3em 0; }\n"
                           "img { max-width: 100%; }\n</style>\n<h1>" +
                           detail::html_text(title_) + "</h1>\n";
        for (const Block& block : blocks_) {
            const std::string text = detail::html_text(block.text);
            switch (block.kind) {
                case Kind::heading: page += "<h2>" + text + "</h2>\n"; break;
                case Kind::text: page += "<p>" + text + "</p>\n"; break;
                case Kind::picture:
                    page += "<figure><img alt=\"" + text + "\" src=\"data:image/png;base64," +
                            detail::base64(read_file(block.picture)) + "\"><figcaption>" + text +
                            "</figcaption></figure>\n";
                    break;
                case Kind::table:
                    page += "<table><caption>" + text + "</caption>\n";
                    for (std::size_t i = 0; i < block.rows.size(); ++i) {
                        const std::string cell = i == 0 ? "th" : "td";
                        page += "<tr>";
                        for (const auto& value : block.rows[i])
                            page += "<" + cell + ">" + detail::html_text(value) + "</" + cell + ">";
                        page += "</tr>\n";
                    }
                    page += "</table>\n";
            }
        }
        return page + "</html>\n";
    }

    /// Pictures are links relative to `folder`, where the text will lie.
    std::string markdown(const std::filesystem::path& folder) const {
        std::string page = "# " + detail::markdown_text(title_) + "\n";
        for (const Block& block : blocks_) {
            page += '\n';
            const std::string text = detail::markdown_text(block.text);
            switch (block.kind) {
                case Kind::heading: page += "## " + text + "\n"; break;
                case Kind::text: page += text + "\n"; break;
                case Kind::picture:
                    page +=
                        "![" + text + "](" + std::filesystem::relative(block.picture, folder).generic_string() + ")\n";
                    break;
                case Kind::table:
                    page += "**" + text + "**\n\n";
                    for (std::size_t i = 0; i < block.rows.size(); ++i) {
                        for (const auto& value : block.rows[i]) page += "| " + detail::markdown_text(value) + " ";
                        page += "|\n";
                        if (i > 0) continue;
                        for (std::size_t cell = 0; cell < block.rows[0].size(); ++cell)
                            page += cell == 0 ? "| --- " : "| ---: ";
                        page += "|\n";
                    }
            }
        }
        return page;
    }

private:
    enum class Kind : std::uint8_t { heading, text, table, picture };
    struct Block {
        Kind kind;
        std::string text;
        std::filesystem::path picture;
        std::vector<Row> rows;
    };

    std::string title_;
    std::vector<Block> blocks_;
};

}  // namespace mtdn
