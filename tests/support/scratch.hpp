#pragma once

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace mtdn::testing {

/// An empty folder that goes with the object.
class Scratch {
public:
    Scratch() {
        static int count = 0;
        folder_ = std::filesystem::temp_directory_path() /
                  ("mtdn-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
    }
    Scratch(const Scratch&) = delete;
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
    const std::filesystem::path& folder() const { return folder_; }
    /// Files and folders in it.
    std::ptrdiff_t count() const {
        return std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator());
    }
    /// Writes a file the plain way.
    std::filesystem::path put(const std::string& name, std::span<const std::byte> bytes) const {
        std::ofstream(folder_ / name, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        return folder_ / name;
    }
    /// @overload
    std::filesystem::path put(const std::string& name, const std::string& text) const {
        return put(name, std::as_bytes(std::span(text)));
    }

private:
    std::filesystem::path folder_;
};

/// The message of the `E` that a call throws; a note that it threw nothing otherwise.
template <class E, class Call>
std::string message_of(Call&& call) {
    try {
        call();
    } catch (const E& error) {
        return error.what();
    }
    return "nothing was thrown";
}

}  // namespace mtdn::testing
