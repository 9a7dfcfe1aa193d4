#pragma once

#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <mtdn/core/error.hpp>
#include <mtdn/io/detail/checksum.hpp>

namespace mtdn {

namespace detail {

/// The checksum of TFRecord files, CRC-32C.
inline std::uint32_t crc32c(std::string_view bytes) { return crc<0x82f63b78u>(bytes); }

/// A number's bytes, the least significant first.
template <class T>
std::string little_endian(T value) {
    std::string bytes;
    for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>((value >> (8 * i)) & 255);
    return bytes;
}

/// A record of a TFRecord file: length, its checksum, data, their checksum.
inline std::string tf_record(std::string_view data) {
    const auto masked = [](std::string_view bytes) {
        const auto crc = crc32c(bytes);
        return little_endian(std::rotr(crc, 15) + 0xa282ead8u);
    };
    const auto length = little_endian(static_cast<std::uint64_t>(data.size()));
    return length + masked(length) + std::string(data) + masked(data);
}

// Fields of a protocol buffer.
inline std::string proto_varint(std::uint64_t value) {
    std::string bytes;
    for (; value > 127; value >>= 7) bytes += static_cast<char>((value & 127) | 128);
    return bytes + static_cast<char>(value);
}
inline std::string proto_key(int field, int wire_type) {
    return proto_varint(static_cast<std::uint64_t>((field << 3) | wire_type));
}
inline std::string proto_integer(int field, std::int64_t value) {
    return proto_key(field, 0) + proto_varint(static_cast<std::uint64_t>(value));
}
inline std::string proto_bytes(int field, std::string_view bytes) {
    return proto_key(field, 2) + proto_varint(bytes.size()) + std::string(bytes);
}
inline std::string proto_double(int field, double value) {
    return proto_key(field, 1) + little_endian(std::bit_cast<std::uint64_t>(value));
}
inline std::string proto_float(int field, float value) {
    return proto_key(field, 5) + little_endian(std::bit_cast<std::uint32_t>(value));
}

}  // namespace detail

/// Writes figures that TensorBoard shows as curves. Every writer begins a file of its own in the folder, and all that
/// was given is in it after each call: TensorBoard joins a folder's files.
///
/// @source TensorFlow's event.proto, summary.proto and record format
class TensorBoardWriter {
public:
    /// @throws IoError if the folder or the file cannot be made
    explicit TensorBoardWriter(const std::filesystem::path& folder) {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        require<IoError>(!error, folder.string(), ": create failed: ", error.message());
        const auto name = concatenate("events.out.tfevents.", static_cast<std::int64_t>(now()), ".", ::getpid(), ".");
        int number = 0;
        do path_ = folder / concatenate(name, number++);
        while (std::filesystem::exists(path_));
        file_.open(path_, std::ios::binary);
        require<IoError>(file_.is_open(), path_.string(), ": open failed");
        write(detail::proto_bytes(3, "brain.Event:2"), now());
    }

    const std::filesystem::path& path() const { return path_; }

    /// One point of each of the named curves; those that are not finite are left out.
    ///
    /// @throws IoError
    void scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values) {
        std::string summary;
        for (const auto& [tag, value] : values) {
            if (!std::isfinite(value)) continue;
            summary +=
                detail::proto_bytes(1, detail::proto_bytes(1, tag) + detail::proto_float(2, static_cast<float>(value)));
        }
        write(detail::proto_integer(2, step) + detail::proto_bytes(5, summary), now());
    }

private:
    static double now() {
        return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    }

    void write(const std::string& fields, double seconds) {
        const auto record = detail::tf_record(detail::proto_double(1, seconds) + fields);
        file_.write(record.data(), static_cast<std::streamsize>(record.size())).flush();
        require<IoError>(file_.good(), path_.string(), ": write failed");
    }

    std::filesystem::path path_;
    std::ofstream file_;
};

}  // namespace mtdn
