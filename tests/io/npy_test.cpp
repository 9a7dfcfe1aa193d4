#include <mtdn/io/npy.hpp>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::message_of;
using mtdn::testing::Scratch;

TEST_CASE("the bytes are numpy's") {
    const Scratch scratch;
    auto array = make_array<std::uint8_t>(2, 3);
    for (std::size_t i = 0; i < 6; ++i) array.data()[i] = static_cast<std::uint8_t>(i + 1);
    write_npy(scratch / "a.npy", array);
    // numpy.save of numpy.arange(1, 7, dtype="u1").reshape(2, 3)
    std::string expected =
        std::string("\x93NUMPY\x01\x00v\x00", 10) + "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
    expected.resize(127, ' ');
    CHECK(read_text(scratch / "a.npy") == expected + "\n\x01\x02\x03\x04\x05\x06");
}

TEMPLATE_TEST_CASE("values of any rank read back", "", float, double, std::uint8_t, std::int64_t) {
    const Scratch scratch;
    for (const std::vector<Index>& shape : {std::vector<Index>{}, {5}, {2, 3}, {0, 4}, {2, 1, 3, 2, 2}}) {
        Index count = 1;
        for (Index side : shape) count *= side;
        std::vector<TestType> values;
        for (Index i = 0; i < count; ++i) values.push_back(static_cast<TestType>(i * 10 / TestType(3)));
        write_npy<TestType>(scratch / "a.npy", values, shape);
        CHECK(read_file(scratch / "a.npy").size() % 64 == values.size() * sizeof(TestType) % 64);
        const auto read = read_npy<TestType>(scratch / "a.npy");
        CHECK(read.shape == shape);
        CHECK(read.values == values);
    }
}

TEST_CASE("a host array reads back at its rank alone") {
    const Scratch scratch;
    const auto array = full_array<float>(1.5f, 2, 3, 4);
    write_npy(scratch / "a.npy", array);
    const auto read = read_npy<float, 3>(scratch / "a.npy");
    CHECK((read == array));
    CHECK(message_of<IoError>([&] {
              read_npy<float, 2>(scratch / "a.npy");
          }).find("expected 2 dimensions, found 3 (2, 3, 4)") != std::string::npos);
    CHECK(message_of<ShapeError>([&] {
              write_npy<float>(scratch / "a.npy", std::vector<float>(3), std::vector<Index>{2, 2});
          }).find("the shape (2, 2) has 4 values, got 3") != std::string::npos);
}

TEST_CASE("bad npy files are refused by name and reason") {
    const auto file = [](const std::string& header, std::size_t data) {
        return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header +
               std::string(data, '\0');
    };
    const std::string good = file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8);
    REQUIRE_NOTHROW(decode_npy<float>(bytes_of(good), "a.npy"));
    const auto refused = [&](const std::string& text, const std::string& reason) {
        const auto said = message_of<IoError>([&] { decode_npy<float>(bytes_of(text), "a.npy"); });
        INFO(said << " should say " << reason);
        CHECK(said.find("a.npy: ") == 0);
        CHECK(said.find(reason) != std::string::npos);
    };
    refused("", "empty (0 bytes)");
    refused("this is not an array", "not a .npy file");
    for (std::size_t size = 1; size < good.size(); ++size) refused(good.substr(0, size), "");
    refused(good + "x", "expected 2 values of 4 bytes for the shape (2,), found 9 bytes");
    refused(file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 8),
            "expected values of type <f4, found <f8");
    refused(file("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8), "ascontiguousarray");
    refused(file("{'descr': '<f4', 'shape': (2,), }", 8), "no descr, fortran_order or shape");
    refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8), "a side that is no count");
    refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }", 8), "is too large");
    refused(file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }", 8),
            "expected 4611686018427387904 values");
    refused(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8), "no ''' where one belongs");
}
