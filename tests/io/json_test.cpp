#include <mtdn/io/json.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;

TEST_CASE("what is written reads back, keys in order, numbers to the last bit") {
    const Scratch scratch;
    Json json{{"zebra", 1}, {"apple", {0.1, 1.0 / 3, 5e-324, -1.7976931348623157e308}}, {"text", "ü \" \\ \n"}};
    write_json(scratch / "a.json", json);
    const auto read = parse_json_file(scratch / "a.json");
    CHECK(read == json);
    CHECK(read.begin().key() == "zebra");
    CHECK(read_text(scratch / "a.json").back() == '\n');
}

TEST_CASE("errors name file, line and column") {
    const Scratch scratch;
    const auto path = scratch.put("a.json", "{\n  \"a\": 1,\n  \"b\": oops\n}");
    const auto said = message_of<IoError>([&] { parse_json_file(path); });
    CHECK(said.find(path.string() + ", line 3, column 8: not valid JSON: syntax error") == 0);
    CHECK(said.find("json.exception") == std::string::npos);
    const auto message = [](const std::string& text) { return message_of<IoError>([&] { parse_json(text, "x"); }); };
    CHECK(message("").find("x, line 1, column 1: not valid JSON") == 0);
    CHECK(message("{} {}").find("x, line 1, column 4") == 0);
    CHECK(message("\"\xff\"").find("not valid JSON") != std::string::npos);
    CHECK(message("1e999").find("not valid JSON") != std::string::npos);
    CHECK(message(R"({"a": {"b": 1}, "c": {"b": 2, "b": 3}})") == "x: the key \"b\" stands twice in one object");
    CHECK_NOTHROW(parse_json(R"({"a": {"b": 1}, "c": {"b": 2}, "b": "[[{"})", "x"));
    CHECK(message(std::string(100000, '[')).find("nested deeper than 128") != std::string::npos);
    CHECK_NOTHROW(parse_json(std::string(100, '[') + std::string(100, ']'), "x"));
}
