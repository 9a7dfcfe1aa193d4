#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>
#include <mtdn/io/file.hpp>
#include <mtdn/io/half.hpp>
#include <mtdn/io/json.hpp>
#include <mtdn/io/safetensors.hpp>

namespace mtdn {

/// Collects tensors and writes them as one safetensors file.
class SafeTensorsWriter {
public:
    /// Adds a tensor of float (F32), double (F64), std::int64_t (I64), std::uint64_t (U64) or std::uint8_t (U8).
    ///
    /// @throws ShapeError if the shape does not hold as many values; OptionError for a name that was added before
    template <class T>
    void add(const std::string& name, std::vector<Index> shape, std::span<const T> values) {
        add_bytes(name, type_name<T>(), std::move(shape), values.size(), std::as_bytes(values));
    }

    /// Adds a tensor in half precision (F16), every value rounded to the nearest, ties to even.
    void add_half(const std::string& name, std::vector<Index> shape, std::span<const float> values) {
        std::vector<std::uint16_t> halves(values.size());
        std::transform(values.begin(), values.end(), halves.begin(), float_to_half);
        add_bytes(name, "F16", std::move(shape), values.size(), bytes_of(halves));
    }

    /// Sets an entry of `__metadata__`.
    void set_metadata(const std::string& key, const std::string& value) { metadata_[key] = value; }

    /// Writes the file, whole or not at all.
    ///
    /// The header lists the tensors as they were added; the data begins at a multiple of 8 bytes and holds wider types
    /// first, so that every tensor is aligned for its type.
    ///
    /// @throws IoError
    void write(const std::filesystem::path& path) const {
        std::vector<std::size_t> order(tensors_.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return stored_type_size(tensors_[a].dtype) > stored_type_size(tensors_[b].dtype);
        });
        std::vector<std::size_t> offsets(tensors_.size());
        std::size_t end = 0;
        for (std::size_t i : order) {
            offsets[i] = end;
            end += tensors_[i].bytes.size();
        }
        Json header = Json::object();
        if (!metadata_.empty()) header["__metadata__"] = metadata_;
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const auto& tensor = tensors_[i];
            header.push_back({tensor.name, Json{{"dtype", tensor.dtype},
                                                {"shape", tensor.shape},
                                                {"data_offsets", {offsets[i], offsets[i] + tensor.bytes.size()}}}});
        }
        std::string text = json_text(header, -1);
        text.resize((text.size() + 7) / 8 * 8, ' ');
        const std::uint64_t length = text.size();
        AtomicFile file(path);
        file.write(std::as_bytes(std::span(&length, 1)));
        file.write(text);
        for (std::size_t i : order) file.write(tensors_[i].bytes);
        file.commit();
    }

private:
    struct Entry {
        std::string name, dtype;
        std::vector<Index> shape;
        std::vector<std::byte> bytes;
    };

    template <class T>
    static constexpr const char* type_name() {
        if constexpr (std::is_same_v<T, float>) return "F32";
        if constexpr (std::is_same_v<T, double>) return "F64";
        if constexpr (std::is_same_v<T, std::int64_t>) return "I64";
        if constexpr (std::is_same_v<T, std::uint64_t>) return "U64";
        if constexpr (std::is_same_v<T, std::uint8_t>) return "U8";
    }

    void add_bytes(const std::string& name, const char* dtype, std::vector<Index> shape, std::size_t count,
                   std::span<const std::byte> bytes) {
        Index expected = 1;
        for (Index side : shape) expected *= side;
        require<ShapeError>(expected == static_cast<Index>(count), "SafeTensorsWriter: tensor \"", name,
                            "\": its shape has ", expected, " values, got ", count);
        require<OptionError>(name != "__metadata__" && names_.insert(name).second, "SafeTensorsWriter: tensor \"", name,
                             "\" was added before, or its name is reserved");
        tensors_.push_back({name, dtype, std::move(shape), {bytes.begin(), bytes.end()}});
    }

    std::vector<Entry> tensors_;
    std::set<std::string> names_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace mtdn
