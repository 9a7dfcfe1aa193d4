#include <mtdn/io/csv.hpp>

#include <cmath>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;
using Rows = std::vector<std::vector<std::string>>;

TEST_CASE("cells of any content read back") {
    const Scratch scratch;
    const CsvTable table{{"name", "a,b"}, {{"plain", "1"}, {"say \"x\"", "two\nlines"}, {"", ""}, {"\r", " "}}};
    write_csv(scratch / "a.csv", table);
    const auto read = read_csv(scratch / "a.csv");
    CHECK(read.header == table.header);
    CHECK(read.rows == table.rows);
    CHECK(read_text(scratch / "a.csv").find("\"say \"\"x\"\"\",\"two\nlines\"\n") != std::string::npos);
    CHECK(parse_csv("a,b\r\n1,2\r\n3,4", "x").rows == Rows{{"1", "2"}, {"3", "4"}});
}

TEST_CASE("numbers survive as text") {
    for (double value : {0.1, 1.0 / 3, 1e-300, -0.0, 12345678901234567.0})
        CHECK(std::stod(number_text(value)) == value);
    CHECK(number_text(0.5) == "0.5");
    const auto table = parse_csv("a,b\n1.5,x\n,y\n-2e3,z\n", "x");
    const auto numbers = table.numbers("a");
    CHECK(numbers[0] == 1.5);
    CHECK(std::isnan(numbers[1]));
    CHECK(numbers[2] == -2000);
    CHECK(message_of<DataError>([&] { table.numbers("b"); }) == "CsvTable: column \"b\", row 1: \"x\" is no number");
    CHECK(table.texts("b") == std::vector<std::string>{"x", "y", "z"});
    CHECK((table.has("b") && !table.has("c")));
    CHECK(message_of<DataError>([&] { table.texts("c"); }) == "CsvTable: there is no column \"c\"");
    CHECK(message_of<DataError>([&] { table.numbers("c"); }) == "CsvTable: there is no column \"c\"");
}

TEST_CASE("bad tables are refused") {
    const auto message = [](const char* text) { return message_of<IoError>([&] { parse_csv(text, "x"); }); };
    CHECK(message("") == "x: expected a header line, the file is empty");
    CHECK(message("a,b\n1,2\n3\n") == "x, line 3: expected 2 cells, found 1");
    CHECK(message("a\n\"b") == "x: a quote is not closed");
    const Scratch scratch;
    CHECK(message_of<ShapeError>([&] {
              write_csv(scratch / "a", {{"a", "b"}, {{"1"}}});
          }).find("2 cells a row, got 1") != std::string::npos);
}

TEST_CASE("a resumed curve is the curve of a run that was never stopped") {
    const Scratch scratch;
    const auto row = [](Index epoch) {
        return std::vector<double>{1.0 / (1 + static_cast<double>(epoch)), std::nan("")};
    };
    {
        CurveWriter whole(scratch / "whole.csv", {"loss", "score"});
        for (Index epoch = 0; epoch < 6; ++epoch) whole.append(epoch, row(epoch));
    }
    {
        CurveWriter first(scratch / "parts.csv", {"loss", "score"});
        for (Index epoch = 0; epoch < 4; ++epoch) {
            first.append(epoch, row(epoch));
            CHECK(read_csv(scratch / "parts.csv").rows.size() == static_cast<std::size_t>(epoch) + 1);
        }
    }
    auto torn = read_text(scratch / "parts.csv") + "4,0.2";
    scratch.put("parts.csv", torn);
    {
        CurveWriter second(scratch / "parts.csv", {"loss", "score"}, 3);
        for (Index epoch = 3; epoch < 6; ++epoch) second.append(epoch, row(epoch));
    }
    CHECK(read_text(scratch / "parts.csv") == read_text(scratch / "whole.csv"));
    CHECK(read_text(scratch / "whole.csv").find("epoch,loss,score\n0,1,\n1,0.5,\n") == 0);
    CHECK(message_of<IoError>([&] {
              CurveWriter(scratch / "parts.csv", {"loss"}, 3);
          }).find("expected the columns epoch,loss\nfound epoch,loss,score") != std::string::npos);
    CurveWriter again(scratch / "parts.csv", {"other"});
    CHECK(read_text(scratch / "parts.csv") == "epoch,other\n");
    CHECK(message_of<ShapeError>([&] {
              again.append(0, std::vector<double>{1, 2});
          }).find("expected 1 values, got 2") != std::string::npos);
}
