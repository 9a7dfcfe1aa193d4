#include <mtdn/io/safetensors_writer.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;

namespace {

std::vector<std::byte> file_of(const std::string& header, std::size_t data, std::uint64_t length = 0) {
    const std::uint64_t size = length ? length : header.size();
    std::vector<std::byte> bytes(8 + header.size() + data, std::byte{0});
    std::memcpy(bytes.data(), &size, 8);
    std::memcpy(bytes.data() + 8, header.data(), header.size());
    return bytes;
}

std::string message(std::vector<std::byte> bytes) {
    return message_of<IoError>([&] { SafeTensors(std::move(bytes), "w.safetensors"); });
}

}  // namespace

TEST_CASE("tensors and metadata read back, in order, aligned") {
    const Scratch scratch;
    const std::vector<float> weight{1, -2.5f, 3e-20f};
    const std::vector<double> exact{0.1};
    const std::vector<std::int64_t> count{-7, std::int64_t{1} << 60};
    const std::vector<std::uint8_t> bytes{1, 2, 3};
    SafeTensorsWriter writer;
    writer.add<std::uint8_t>("z", {3}, bytes);
    writer.add<float>("conv.weight", {3, 1, 1}, weight);
    writer.add<std::int64_t>("norm.num_batches_tracked", {2}, count);
    writer.add<double>("scalar", {}, exact);
    writer.add<float>("empty", {0, 4}, std::span<const float>());
    writer.add_half("half", {3}, weight);
    writer.set_metadata("mtdn.tasks", "[\"A1\"]");
    writer.write(scratch / "w.safetensors");

    const SafeTensors file(scratch / "w.safetensors");
    std::vector<std::string> names;
    for (const auto& tensor : file.tensors()) names.push_back(tensor.name);
    CHECK(names == std::vector<std::string>{"z", "conv.weight", "norm.num_batches_tracked", "scalar", "empty", "half"});
    CHECK(file.metadata() == std::map<std::string, std::string>{{"mtdn.tasks", "[\"A1\"]"}});
    CHECK(file.at("conv.weight").dtype == "F32");
    CHECK(file.at("conv.weight").shape == std::vector<Index>{3, 1, 1});
    CHECK(file.values<float>("conv.weight") == weight);
    CHECK(file.values<double>("conv.weight") == std::vector<double>(weight.begin(), weight.end()));
    CHECK(file.values<double>("scalar") == exact);
    CHECK(file.at("scalar").shape.empty());
    CHECK(file.integers("norm.num_batches_tracked") == count);
    CHECK(file.values<float>("empty").empty());
    CHECK(file.values<float>("half") == std::vector<float>{1, -2.5f, 0});
    const auto* start = file.at("norm.num_batches_tracked").bytes.data();  // the first of the widest type
    for (const auto& tensor : file.tensors())
        CHECK((tensor.bytes.data() - start) % stored_type_size(tensor.dtype) == 0);
    std::uint64_t length = 0;
    std::memcpy(&length, read_file(scratch / "w.safetensors").data(), 8);
    CHECK(length % 8 == 0);
}

TEST_CASE("the smallest file is what the format's description says") {
    const auto bytes = file_of(R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})", 4);
    auto edited = bytes;
    edited[edited.size() - 1] = std::byte{0x3F};  // the second value's upper byte: 0x3F00 is ½
    CHECK(SafeTensors(edited, "w").values<float>("a") == std::vector<float>{0, 0.5f});
    CHECK(SafeTensors(file_of("{}", 0), "w").tensors().empty());
}

TEST_CASE("every fault of a file is named with tensor, expected and found") {
    const auto entry = [](const char* name, const char* type, const char* shape, const char* offsets) {
        return concatenate("\"", name, "\":{\"dtype\":\"", type, "\",\"shape\":", shape, ",\"data_offsets\":", offsets,
                           "}");
    };
    const auto one = [&](const char* type, const char* shape, const char* offsets, std::size_t data) {
        return message(file_of("{" + entry("a", type, shape, offsets) + "}", data));
    };
    const auto two = [&](const char* first, const char* second, std::size_t data) {
        return message(
            file_of("{" + entry("a", "F32", "[2]", first) + "," + entry("b", "F32", "[2]", second) + "}", data));
    };
    struct Case {
        std::string said, expected;
    };
    const std::vector<Case> cases{
        {message({}), "w.safetensors: expected a safetensors file, the file is empty (0 bytes)"},
        {message(std::vector<std::byte>(7)), "w.safetensors: truncated safetensors file: 7 bytes"},
        {message(file_of("{}", 0, std::uint64_t{1} << 60)),
         "w.safetensors: not a safetensors file, or truncated: a header of 1152921504606846976 bytes in a file of 10"},
        {message(file_of("[]", 0)), "its header does not begin with {"},
        {message(file_of("{\"a\":", 0)), "w.safetensors, header, line 1, column "},
        {message(file_of("{" + std::string(100000, '['), 0)), "nested deeper than"},
        {message(file_of(R"({"a":1})", 0)), "tensor \"a\": expected exactly dtype, shape and data_offsets, found 1"},
        {message(file_of("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("a", "F32", "[1]", "[0,4]") + "}", 4)),
         "the key \"a\" stands twice"},
        {message(file_of(R"({"__metadata__":{"k":1}})", 0)), "__metadata__, \"k\": expected a string, found 1"},
        {one("F33", "[1]", "[0,4]", 4), "tensor \"a\": expected a type such as F32 or I64, found F33"},
        {one("F32", "[-1]", "[0,4]", 4), "tensor \"a\": expected sides whose product fits memory, found shape [-1]"},
        {one("F32", "[1.5]", "[0,4]", 4), "found shape [1.5]"},
        {one("F32", "[4294967296,4294967296]", "[0,4]", 4), "expected sides whose product fits memory"},
        {one("F32", "[2]", "[0,4]", 4), "tensor \"a\": expected 8 bytes for F32 of shape [2], found 4"},
        {one("F32", "[1]", "[4,0]", 4), "expected offsets in order within the file's 4 bytes of data, found [4,0]"},
        {one("F32", "[2]", "[0,8]", 4), "expected offsets in order within the file's 4 bytes of data, found [0,8]"},
        {one("F32", "[1]", "[18446744073709551612,0]", 4), "expected two offsets"},
        {one("F32", "[1]", "[0,4]", 6), "expected 4 bytes of data by the tensors' offsets, found 6"},
        {one("F32", "[1]", "[4,8]", 8), "tensor \"a\": expected it at byte 0, where the one before ends, found byte 4"},
        {two("[0,8]", "[4,12]", 12), "tensor \"b\" begins at byte 4 and overlaps tensor \"a\", which ends at byte 8"},
        {two("[0,8]", "[0,8]", 8), "overlaps tensor"},
        {two("[0,8]", "[12,20]", 20), "tensor \"b\": expected it at byte 8, where the one before ends, found byte 12"},
    };
    for (const auto& c : cases) {
        INFO(c.said << "\nshould say\n" << c.expected);
        CHECK(c.said.find("w.safetensors") == 0);
        CHECK(c.said.find(c.expected) != std::string::npos);
    }
}

TEST_CASE("values are asked for by name, type and finiteness") {
    const Scratch scratch;
    SafeTensorsWriter writer;
    writer.add<float>("a", {2}, std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()});
    writer.add<double>("b", {1}, std::vector<double>{1e300});
    writer.add<std::int64_t>("c", {1}, std::vector<std::int64_t>{1});
    writer.write(scratch / "w");
    const SafeTensors file(scratch / "w");
    const auto said = [&](const char* name) { return message_of<Error>([&] { file.values<float>(name); }); };
    CHECK(said("a").find("tensor \"a\": expected finite values, found nan at element 1 of 2") != std::string::npos);
    CHECK(said("b").find("tensor \"b\": expected finite values, found inf") != std::string::npos);
    CHECK_THROWS_AS(file.values<float>("a"), DataError);
    CHECK_THROWS_AS(file.values<float>("c"), IoError);
    CHECK(file.values<double>("b")[0] == 1e300);
    CHECK(said("c").find("tensor \"c\": expected F64, F32, F16 or BF16, found I64") != std::string::npos);
    CHECK(said("d").find("the tensor \"d\" is missing") != std::string::npos);
    CHECK(message_of<IoError>([&] { file.integers("a"); }).find("expected I64, found F32") != std::string::npos);
    CHECK(message_of<ShapeError>([&] {
              writer.add<float>("e", {3}, std::vector<float>(2));
          }).find("tensor \"e\": its shape has 3 values, got 2") != std::string::npos);
    CHECK(message_of<OptionError>([&] {
              writer.add<float>("a", {1}, std::vector<float>(1));
          }).find("\"a\" was added before") != std::string::npos);
}
