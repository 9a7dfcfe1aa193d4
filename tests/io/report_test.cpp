#include <mtdn/io/report.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;

TEST_CASE("base64 is RFC 4648's") {
    const std::pair<const char*, const char*> vectors[] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : vectors) CHECK(detail::base64(bytes_of(std::string_view(plain))) == coded);
    const unsigned char high[] = {0xfb, 0xff, 0xfe};
    CHECK(detail::base64(bytes_of(high)) == "+//+");
}

TEST_CASE("a report is one page with its pictures inside, and Markdown with links to them") {
    const Scratch scratch;
    write_file(scratch / "a.png", std::string_view("foobar"));
    Report report("A < B");
    report.heading("First & last");
    report.text("said \"so\"");
    report.table("numbers", {{"name", "value"}, {"x|y\r\nz", "<1>"}, {"a\\b", "*_`[#]`_*"}});
    report.picture("a picture", scratch / "a.png");
    const auto page = report.html();
    for (const char* part : {"<h1>A &lt; B</h1>", "<h2>First &amp; last</h2>", "<p>said &quot;so&quot;</p>",
                             "<th>name</th>", "<td>&lt;1&gt;</td>", "src=\"data:image/png;base64,Zm9vYmFy\""})
        CHECK(page.find(part) != std::string::npos);
    CHECK(page.find("http") == std::string::npos);  // opens offline
    const auto markdown = report.markdown(scratch / ".");
    CHECK(markdown.starts_with("# A &lt; B\n\n## First &amp; last\n"));
    CHECK(markdown.find("| name | value |\n| --- | ---: |\n| x\\|y z | &lt;1&gt; |\n"
                        "| a\\\\b | \\*\\_\\`\\[\\#\\]\\`\\_\\* |\n") != std::string::npos);
    CHECK(markdown.find("![a picture](a.png)") != std::string::npos);
    CHECK(message_of<OptionError>([&] { report.table("odd", {{"a", "b"}, {"c"}}); }) ==
          "Report: table \"odd\": expected rows of 2 cells, found 1");
    report.picture("missing", scratch / "b.png");
    CHECK(message_of<IoError>([&] { report.html(); }).find("b.png") != std::string::npos);
}
