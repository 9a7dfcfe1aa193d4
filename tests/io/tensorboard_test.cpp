#include <mtdn/io/file.hpp>
#include <mtdn/io/tensorboard.hpp>

#include <limits>

#include "support/catch.hpp"
#include "support/scratch.hpp"

using namespace mtdn;
using mtdn::testing::Scratch;

TEST_CASE("checksums are CRC-32C, masked as TFRecord does") {
    CHECK(detail::crc32c("123456789") == 0xe3069283u);
    CHECK(detail::crc32c(std::string(32, '\0')) == 0x8a9136aau);      // RFC 3720, B.4
    CHECK(detail::crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
}

TEST_CASE("an event is what TensorBoard's own writer makes of it") {
    // make_golden.py prints both.
    const auto hex = [](const std::string& bytes) {
        std::string text;
        for (const char c : bytes) {
            text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
            text += "0123456789abcdef"[c & 15];
        }
        return text;
    };
    const auto version = detail::proto_double(1, 1000.5) + detail::proto_bytes(3, "brain.Event:2");
    CHECK(hex(detail::tf_record(version)) == "1800000000000000a37f4b22090000000000448f401a0d627261696e2e4576656e743a32"
          "aba33345");
    const auto value = detail::proto_bytes(1, detail::proto_bytes(1, "validation/A1") + detail::proto_float(2, 0.75F));
    const auto event = detail::proto_double(1, 1001.25) + detail::proto_integer(2, 300) + detail::proto_bytes(5, value);
    CHECK(hex(detail::tf_record(event)) == "2400000000000000422b804d0900000000004a8f4010ac022a160a140a0d76616c696461"
          "74696f6e2f4131150000403fa90f1035");
}

TEST_CASE("every point is in the file as soon as it was given, and what is not finite is left out") {
    const Scratch scratch;
    TensorBoardWriter writer(scratch / "a/b");
    CHECK(writer.path().filename().string().starts_with("events.out.tfevents."));
    const auto before = read_text(writer.path());
    writer.scalars(0, {{"loss", 0.5}, {"validation", std::numeric_limits<double>::quiet_NaN()}});
    const auto after = read_text(writer.path());
    CHECK(after.starts_with(before));
    CHECK(after.find("loss") != std::string::npos);
    CHECK(after.find("validation") == std::string::npos);
    write_file(scratch / "file", std::string_view("x"));
    CHECK_THROWS_AS(TensorBoardWriter(scratch / "file"), IoError);
}
