#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>
#include <mtdn/io/file.hpp>
#include <mtdn/io/half.hpp>
#include <mtdn/io/json.hpp>

namespace mtdn {

/// Bytes of one element of a safetensors type ("F32", "I64", …); 0 if there is no such type.
constexpr Index stored_type_size(std::string_view dtype) {
    if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
    if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
    if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
    if (dtype == "U8" || dtype == "I8" || dtype == "BOOL" || dtype == "F8_E5M2" || dtype == "F8_E4M3") return 1;
    return 0;
}

/// One tensor in a safetensors file.
struct StoredTensor {
    std::string name;                  ///< unique in the file
    std::string dtype;                 ///< "F32", "I64", …
    std::vector<Index> shape;          ///< empty for a single value
    std::span<const std::byte> bytes;  ///< row-major, little-endian; lives as long as the `SafeTensors`

    /// Number of elements.
    Index size() const { return static_cast<Index>(bytes.size()) / stored_type_size(dtype); }
};

/// A safetensors file in memory, checked from end to end when it is read.
class SafeTensors {
public:
    /// @throws IoError naming the file, the tensor, what was expected and what was found
    explicit SafeTensors(const std::filesystem::path& path) : SafeTensors(read_file(path), path.string()) {}

    /// The same from bytes; `name` is what errors call them.
    SafeTensors(std::vector<std::byte> bytes, std::string name) : name_(std::move(name)), bytes_(std::move(bytes)) {
        require<IoError>(!bytes_.empty(), name_, ": expected a safetensors file, the file is empty (0 bytes)");
        require<IoError>(bytes_.size() >= 8, name_, ": truncated safetensors file: ", bytes_.size(), " bytes");
        std::uint64_t length = 0;
        std::memcpy(&length, bytes_.data(), 8);
        require<IoError>(length <= bytes_.size() - 8, name_, ": not a safetensors file, or truncated: a header of ",
                         length, " bytes in a file of ", bytes_.size());
        const std::string_view header(reinterpret_cast<const char*>(bytes_.data()) + 8, length);
        require<IoError>(header.starts_with('{'), name_, ": not a safetensors file (its header does not begin with {)");
        const Json json = parse_json(header, name_ + ", header");
        require<IoError>(json.is_object(), name_, ": damaged safetensors header: expected an object");
        data_ = std::span<const std::byte>(bytes_).subspan(8 + length);
        for (const auto& [key, entry] : json.items()) {
            if (key == "__metadata__") {
                read_metadata(entry);
            } else {
                read_entry(key, entry);
            }
        }
        require_tiled();
        for (std::size_t i = 0; i < tensors_.size(); ++i) places_[tensors_[i].name] = i;
    }

    SafeTensors(SafeTensors&&) = default;
    SafeTensors& operator=(SafeTensors&&) = default;

    /// The file's path, as errors name it.
    const std::string& name() const { return name_; }
    /// All tensors in the header's order.
    const std::vector<StoredTensor>& tensors() const { return tensors_; }
    /// `__metadata__`; empty if there is none.
    const std::map<std::string, std::string>& metadata() const { return metadata_; }

    bool contains(const std::string& tensor) const { return places_.contains(tensor); }

    /// @throws IoError if there is no such tensor
    const StoredTensor& at(const std::string& tensor) const {
        const auto found = places_.find(tensor);
        require<IoError>(found != places_.end(), name_, ": the tensor \"", tensor, "\" is missing");
        return tensors_[found->second];
    }

    /// A tensor's values, F64, F32, F16 or BF16, converted to T (float or double).
    ///
    /// @throws IoError if it is missing or of another type; DataError if a value is NaN or infinite, or beyond T
    template <class T>
    std::vector<T> values(const std::string& tensor) const {
        const auto& stored = at(tensor);
        std::vector<T> result(static_cast<std::size_t>(stored.size()));
        if (stored.dtype == "F64") {
            convert<double>(stored, result, [](double x) { return static_cast<T>(x); });
        } else if (stored.dtype == "F32") {
            convert<float>(stored, result, [](float x) { return static_cast<T>(x); });
        } else if (stored.dtype == "F16") {
            convert<std::uint16_t>(stored, result, [](std::uint16_t x) { return static_cast<T>(half_to_float(x)); });
        } else if (stored.dtype == "BF16") {
            convert<std::uint16_t>(stored, result,
                                   [](std::uint16_t x) { return static_cast<T>(bfloat16_to_float(x)); });
        } else {
            fail<IoError>(name_, ": tensor \"", tensor, "\": expected F64, F32, F16 or BF16, found ", stored.dtype);
        }
        for (std::size_t i = 0; i < result.size(); ++i)
            require<DataError>(std::isfinite(result[i]), name_, ": tensor \"", tensor,
                             "\": expected finite values, found ", result[i], " at element ", i, " of ", result.size());
        return result;
    }

    /// An I64 tensor's values.
    ///
    /// @throws IoError if it is missing or of another type
    std::vector<std::int64_t> integers(const std::string& tensor) const {
        const auto& stored = at(tensor);
        require<IoError>(stored.dtype == "I64", name_, ": tensor \"", tensor, "\": expected I64, found ", stored.dtype);
        std::vector<std::int64_t> result(static_cast<std::size_t>(stored.size()));
        convert<std::int64_t>(stored, result, [](std::int64_t x) { return x; });
        return result;
    }

private:
    template <class From, class To, class Function>
    static void convert(const StoredTensor& stored, std::vector<To>& result, Function function) {
        for (std::size_t i = 0; i < result.size(); ++i) {
            From value;
            std::memcpy(&value, stored.bytes.data() + i * sizeof(From), sizeof(From));
            result[i] = function(value);
        }
    }

    void read_metadata(const Json& entry) {
        require<IoError>(entry.is_object(), name_, ": __metadata__: expected an object of strings");
        for (const auto& [key, value] : entry.items()) {
            require<IoError>(value.is_string(), name_, ": __metadata__, \"", key, "\": expected a string, found ",
                             json_text(value, -1));
            metadata_[key] = value.get<std::string>();
        }
    }

    void read_entry(const std::string& tensor, const Json& entry) {
        const auto where = concatenate(name_, ": tensor \"", tensor, "\": ");
        require<IoError>(entry.is_object() && entry.size() == 3 && entry.contains("dtype") && entry.contains("shape") &&
                             entry.contains("data_offsets"),
                         where, "expected exactly dtype, shape and data_offsets, found ", json_text(entry, -1));
        const auto &dtype = entry["dtype"], &shape = entry["shape"], &offsets = entry["data_offsets"];
        StoredTensor stored{tensor, dtype.is_string() ? dtype.get<std::string>() : json_text(dtype, -1), {}, {}};
        Index bytes = stored_type_size(stored.dtype);
        require<IoError>(bytes > 0, where, "expected a type such as F32 or I64, found ", stored.dtype);
        require<IoError>(shape.is_array(), where, "expected a list of sides, found shape ", json_text(shape, -1));
        for (const auto& side : shape) {
            const bool count = is_count(side);
            if (count) stored.shape.push_back(side.get<Index>());
            require<IoError>(count && !__builtin_mul_overflow(bytes, stored.shape.back(), &bytes), where,
                             "expected sides whose product fits memory, found shape ", json_text(shape, -1));
        }
        require<IoError>(offsets.is_array() && offsets.size() == 2 && is_count(offsets[0]) && is_count(offsets[1]),
                         where, "expected two offsets, found data_offsets ", json_text(offsets, -1));
        const auto first = offsets[0].get<Index>(), last = offsets[1].get<Index>();
        require<IoError>(first <= last && last <= static_cast<Index>(data_.size()), where,
                         "expected offsets in order within the file's ", data_.size(), " bytes of data, found ",
                         json_text(offsets, -1));
        require<IoError>(last - first == bytes, where, "expected ", bytes, " bytes for ", stored.dtype, " of shape ",
                         json_text(shape, -1), ", found ", last - first, " from data_offsets ", json_text(offsets, -1));
        stored.bytes = data_.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(bytes));
        tensors_.push_back(std::move(stored));
    }

    static bool is_count(const Json& json) {
        return json.is_number_unsigned() &&
               json.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
    }

    /// Every byte of the data belongs to exactly one tensor.
    void require_tiled() const {
        std::vector<const StoredTensor*> order;
        for (const auto& tensor : tensors_) order.push_back(&tensor);
        const auto begin = [this](const StoredTensor& t) { return t.bytes.data() - data_.data(); };
        const auto end = [&](const StoredTensor& t) { return begin(t) + static_cast<Index>(t.bytes.size()); };
        std::sort(order.begin(), order.end(),
                  [&](auto* a, auto* b) { return std::pair(begin(*a), end(*a)) < std::pair(begin(*b), end(*b)); });
        Index reached = 0;
        const StoredTensor* previous = nullptr;
        for (const auto* tensor : order) {
            require<IoError>(begin(*tensor) >= reached, name_, ": tensor \"", tensor->name, "\" begins at byte ",
                             begin(*tensor), " and overlaps tensor \"", previous ? previous->name : "",
                             "\", which ends at byte ", reached);
            require<IoError>(begin(*tensor) == reached, name_, ": tensor \"", tensor->name, "\": expected it at byte ",
                             reached, ", where the one before ends, found byte ", begin(*tensor));
            reached = end(*tensor);
            previous = tensor;
        }
        require<IoError>(reached == static_cast<Index>(data_.size()), name_, ": expected ", reached,
                         " bytes of data by the tensors' offsets, found ", data_.size());
    }

    std::string name_;
    std::vector<std::byte> bytes_;
    std::span<const std::byte> data_;
    std::vector<StoredTensor> tensors_;
    std::unordered_map<std::string, std::size_t> places_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace mtdn
