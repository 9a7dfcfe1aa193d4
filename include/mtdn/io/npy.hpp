#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/io/file.hpp>

namespace mtdn {

/// An array of any rank as a .npy file holds it, row-major.
template <class T>
struct NpyArray {
    std::vector<Index> shape;  ///< empty for a single value
    std::vector<T> values;     ///< row-major
};

namespace detail {

template <class T>
constexpr std::string_view npy_type() {
    if constexpr (std::is_same_v<T, float>) return "<f4";
    if constexpr (std::is_same_v<T, double>) return "<f8";
    if constexpr (std::is_same_v<T, std::uint8_t>) return "|u1";
    if constexpr (std::is_same_v<T, std::int64_t>) return "<i8";
}

inline constexpr std::string_view npy_magic{"\x93NUMPY", 6};

/// The header of a .npy file: a Python dictionary with exactly `descr`, `fortran_order` and `shape`.
struct NpyHeader {
    std::string type;
    bool fortran = false;
    std::vector<Index> shape;
};

/// Reads just the dictionaries that numpy writes.
class NpyHeaderParser {
public:
    NpyHeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

    NpyHeader parse() {
        NpyHeader header;
        bool type = false, order = false, shape = false;
        expect('{');
        while (!accept('}')) {
            const auto key = quoted();
            expect(':');
            if (key == "descr" && !type) {
                type = true;
                header.type = quoted();
            } else if (key == "fortran_order" && !order) {
                order = true;
                header.fortran = word() == "True";
            } else if (key == "shape" && !shape) {
                shape = true;
                header.shape = tuple();
            } else {
                fail_here("an unknown or second key \"" + key + "\"");
            }
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        blanks();
        if (!text_.empty()) fail_here("something after the dictionary");
        if (!type || !order || !shape) fail_here("no descr, fortran_order or shape");
        return header;
    }

private:
    [[noreturn]] void fail_here(const std::string& found) const {
        fail<IoError>(name_, ": damaged .npy header: found ", found);
    }
    void blanks() {
        while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
    }
    bool accept(char c) {
        blanks();
        if (text_.empty() || text_[0] != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    void expect(char c) {
        if (!accept(c)) fail_here(std::string("no '") + c + "' where one belongs");
    }
    std::string quoted() {
        expect('\'');
        const auto end = text_.find('\'');
        if (end == std::string_view::npos) fail_here("a string without an end");
        const std::string result(text_.substr(0, end));
        text_.remove_prefix(end + 1);
        return result;
    }
    std::string word() {
        blanks();
        for (std::string_view choice : {"True", "False"}) {
            if (!text_.starts_with(choice)) continue;
            text_.remove_prefix(choice.size());
            return std::string(choice);
        }
        fail_here("neither True nor False");
    }
    std::vector<Index> tuple() {
        std::vector<Index> result;
        expect('(');
        while (!accept(')')) {
            blanks();
            Index value = -1;
            const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
            if (error != std::errc{} || value < 0) fail_here("a side that is no count");
            text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
            result.push_back(value);
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        return result;
    }

    std::string_view text_;
    const std::string& name_;
};

inline std::string shape_text(std::span<const Index> shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace detail

/// Writes values as a .npy file, whole or not at all; T is float, double, std::uint8_t or std::int64_t.
///
/// @throws IoError, ShapeError if the shape does not hold as many values
template <class T>
void write_npy(const std::filesystem::path& path, std::span<const T> values, std::span<const Index> shape) {
    Index count = 1;
    for (Index side : shape) count *= side;
    require<ShapeError>(count == static_cast<Index>(values.size()), "write_npy: ", path.string(), ": the shape ",
                        detail::shape_text(shape), " has ", count, " values, got ", values.size());
    std::string header = concatenate("{'descr': '", detail::npy_type<T>(),
                                     "', 'fortran_order': False, 'shape': ", detail::shape_text(shape), ", }");
    // numpy aligns the values to 64 bytes; the header ends in a line feed.
    header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
    header += '\n';
    const auto size = static_cast<std::uint16_t>(header.size());
    require<ShapeError>(header.size() == size, "write_npy: ", path.string(), ": too many dimensions");
    AtomicFile file(path);
    file.write(detail::npy_magic);
    const std::array<std::uint8_t, 4> version_and_size{1, 0, static_cast<std::uint8_t>(size & 255),
                                                       static_cast<std::uint8_t>(size >> 8)};
    file.write(bytes_of(version_and_size));
    file.write(header);
    file.write(std::as_bytes(values));
    file.commit();
}

/// Writes a host array as a .npy file.
template <class T, std::size_t N>
void write_npy(const std::filesystem::path& path, const Array<T, N>& array) {
    std::vector<Index> shape;
    for (std::size_t d = 0; d < N; ++d) shape.push_back(extent(array, d));
    write_npy<T>(path, std::span<const T>(array.data(), array.size()), shape);
}

/// Decodes a .npy file of the given type, booleans as std::uint8_t; `name` is what errors call it.
///
/// @throws IoError if the bytes are damaged, or of another type or order
template <class T>
NpyArray<T> decode_npy(std::span<const std::byte> bytes, const std::string& name) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    require<IoError>(!bytes.empty(), name, ": expected a .npy file, the file is empty (0 bytes)");
    require<IoError>(text.starts_with(detail::npy_magic.substr(0, std::min<std::size_t>(6, text.size()))), name,
                     ": not a .npy file (it does not begin with \\x93NUMPY)");
    require<IoError>(text.size() >= 12, name, ": truncated .npy file: ", text.size(), " bytes");
    const int format = static_cast<unsigned char>(text[6]);
    require<IoError>(format >= 1 && format <= 3, name, ": expected .npy version 1, 2 or 3, found ", format);
    const std::size_t start = format == 1 ? 10 : 12;
    std::uint32_t length = 0;
    std::memcpy(&length, text.data() + 8, start - 8);
    require<IoError>(length <= text.size() - start, name, ": truncated .npy file: a header of ", length,
                     " bytes in a file of ", text.size());
    const auto header = detail::NpyHeaderParser(text.substr(start, length), name).parse();
    const bool boolean = std::is_same_v<T, std::uint8_t> && header.type == "|b1";
    require<IoError>(header.type == detail::npy_type<T>() || boolean, name, ": expected values of type ",
                     detail::npy_type<T>(), ", found ", header.type);
    require<IoError>(!header.fortran, name,
                     ": expected row-major order, found Fortran order; save numpy.ascontiguousarray(x)");
    const auto available = static_cast<Index>(text.size() - start - length);
    Index count = 1;
    for (Index side : header.shape)
        require<IoError>(!__builtin_mul_overflow(count, side, &count), name, ": the shape ",
                         detail::shape_text(header.shape), " is too large");
    require<IoError>(count <= available && count * static_cast<Index>(sizeof(T)) == available, name, ": expected ",
                     count, " values of ", sizeof(T), " bytes for the shape ", detail::shape_text(header.shape),
                     ", found ", available, " bytes");
    NpyArray<T> array{header.shape, std::vector<T>(static_cast<std::size_t>(count))};
    if (available > 0)
        std::memcpy(array.values.data(), text.data() + start + length, static_cast<std::size_t>(available));
    return array;
}

/// Reads a .npy file of the given type and any rank; see `decode_npy`.
///
/// @throws IoError
template <class T>
NpyArray<T> read_npy(const std::filesystem::path& path) {
    return decode_npy<T>(read_file(path), path.string());
}

/// Reads a .npy file of the given type and rank as a host array.
///
/// @throws IoError
template <class T, std::size_t N>
Array<T, N> read_npy(const std::filesystem::path& path) {
    const auto file = read_npy<T>(path);
    require<IoError>(file.shape.size() == N, path.string(), ": expected ", N, " dimensions, found ", file.shape.size(),
                     " ", detail::shape_text(file.shape));
    std::array<std::size_t, N> shape{};
    for (std::size_t d = 0; d < N; ++d) shape[d] = static_cast<std::size_t>(file.shape[d]);
    auto array = Array<T, N>::from_shape(shape);
    std::copy(file.values.begin(), file.values.end(), array.data());
    return array;
}

}  // namespace mtdn
