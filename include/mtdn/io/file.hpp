#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

static_assert(std::endian::native == std::endian::little, "mtdn reads and writes files on little-endian machines only");

namespace detail {

[[noreturn]] inline void fail_file(const std::filesystem::path& path, std::string_view operation, int error) {
    fail<IoError>(path.string(), ": ", operation, " failed: ", std::strerror(error));
}

/// An open file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int value = -1) : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }

    int get() const { return value_; }
    /// Closes now; the result of `close`.
    int close() { return ::close(std::exchange(value_, -1)); }

private:
    int value_;
};

/// Opens a regular file for reading; its size comes with it.
inline std::pair<Descriptor, Index> open_for_reading(const std::filesystem::path& path) {
    Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.get() < 0) fail_file(path, "open", errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) fail_file(path, "stat", errno);
    if (S_ISDIR(status.st_mode)) fail_file(path, "read", EISDIR);
    require<IoError>(S_ISREG(status.st_mode), path.string(), ": expected a regular file");
    const auto size = static_cast<Index>(status.st_size);
    return {std::move(file), size};
}

}  // namespace detail

/// The bytes of any contiguous range of plain values.
template <class Range>
std::span<const std::byte> bytes_of(const Range& range) {
    return std::as_bytes(std::span(std::data(range), std::size(range)));
}

/// All bytes of a file.
///
/// @throws IoError
inline std::vector<std::byte> read_file(const std::filesystem::path& path) {
    const auto [file, size] = detail::open_for_reading(path);
    std::vector<std::byte> bytes(static_cast<std::size_t>(size));
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto count = ::read(file.get(), bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) detail::fail_file(path, "read", errno);
        require<IoError>(count > 0, path.string(), ": the file became shorter while it was read");
        done += static_cast<std::size_t>(count);
    }
    return bytes;
}

/// All bytes of a file as text.
///
/// @throws IoError
inline std::string read_text(const std::filesystem::path& path) {
    const auto bytes = read_file(path);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A file that appears under its name whole, by `commit()`, or not at all.
///
/// Until then the bytes are in a temporary file of the same folder, which goes with the object. A symbolic link is
/// followed; the file that it names is replaced.
class AtomicFile {
public:
    /// @throws IoError if the folder cannot be written to, or if `path` is there and no regular file
    explicit AtomicFile(const std::filesystem::path& path) : path_(path), target_(path) {
        std::error_code ignored;
        if (std::filesystem::is_symlink(path, ignored)) target_ = std::filesystem::weakly_canonical(path, ignored);
        if (target_.empty()) target_ = path;
        const auto status = std::filesystem::status(target_, ignored);
        require<IoError>(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), path_.string(),
                         ": write failed: it exists and is not a regular file");
        static std::atomic<unsigned> counter{0};
        do {
            temporary_ = target_;
            temporary_ += concatenate(".", ::getpid(), "-", counter++, ".tmp");
            file_ = detail::Descriptor{::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
        } while (file_.get() < 0 && errno == EEXIST);
        if (file_.get() < 0) {
            const int error = errno;
            temporary_.clear();
            detail::fail_file(path_, "create", error);
        }
    }

    AtomicFile(AtomicFile&& other) noexcept
        : path_(std::move(other.path_)),
          target_(std::move(other.target_)),
          temporary_(std::exchange(other.temporary_, {})),
          file_(std::move(other.file_)) {}
    AtomicFile& operator=(AtomicFile&&) = delete;

    ~AtomicFile() {
        if (!temporary_.empty()) ::unlink(temporary_.c_str());
    }

    const std::filesystem::path& path() const { return path_; }
    /// The temporary file's descriptor, for libraries that write and seek themselves.
    int descriptor() const { return file_.get(); }

    /// Adds bytes at the end.
    ///
    /// @throws IoError
    void write(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const auto count = ::write(file_.get(), bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) detail::fail_file(path_, "write", errno);
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
    }

    /// @overload
    void write(std::string_view text) { write(bytes_of(text)); }

    /// Brings the bytes to the disk and gives the file its name.
    ///
    /// @throws IoError; the name then stands for what it stood for before
    void commit() {
        require<IoError>(!temporary_.empty(), path_.string(), ": commit failed: the file is committed already");
        if (::fsync(file_.get()) != 0) detail::fail_file(path_, "fsync", errno);
        if (file_.close() != 0) detail::fail_file(path_, "close", errno);
        if (::rename(temporary_.c_str(), target_.c_str()) != 0) detail::fail_file(path_, "rename", errno);
        temporary_.clear();
        const auto parent = target_.parent_path();
        const detail::Descriptor folder{
            ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        // The file is whole and in place; some file systems cannot flush a folder, and that changes nothing of it.
        if (folder.get() >= 0) ::fsync(folder.get());
    }

private:
    std::filesystem::path path_, target_, temporary_;
    detail::Descriptor file_;
};

/// Removes what `AtomicFile`s of processes that were killed have left in a folder. Nobody may be writing there.
inline void remove_temporary_files(const std::filesystem::path& folder) {
    std::error_code ignored;
    std::vector<std::filesystem::path> left;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
        if (entry.path().extension() == ".tmp") left.push_back(entry.path());
    for (const auto& path : left) std::filesystem::remove(path, ignored);
}

/// Writes a file whole or not at all.
///
/// @throws IoError naming the file, the operation and the system's reason
inline void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    AtomicFile file(path);
    file.write(bytes);
    file.commit();
}

/// @overload
inline void write_file(const std::filesystem::path& path, std::string_view text) { write_file(path, bytes_of(text)); }

}  // namespace mtdn
