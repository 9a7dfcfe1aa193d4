#pragma once

#include <sys/file.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include <mtdn/io/file.hpp>

namespace mtdn {

/// A file that one process holds at a time, as long as the object lives.
///
/// The system lets go of it when the process ends, however it ends. It also holds between machines that share the
/// folder, where their file system passes locks on (NFS does; Lustre where it is mounted with `flock`).
class FileLock {
public:
    /// Waits until nobody else holds the file, which is made where it is missing.
    ///
    /// @throws IoError
    explicit FileLock(const std::filesystem::path& path) : FileLock(path, LOCK_EX) {}

    /// The lock if nobody else holds it, without waiting.
    ///
    /// @throws IoError
    static std::optional<FileLock> try_lock(const std::filesystem::path& path) {
        FileLock lock(path, LOCK_EX | LOCK_NB);
        if (lock.file_.get() < 0) return std::nullopt;
        return lock;
    }

    /// Of the file, open for reading and for writing at its end.
    int descriptor() const { return file_.get(); }

private:
    // Without a descriptor where another holds it.
    FileLock(const std::filesystem::path& path, int operation)
        : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
        if (file_.get() < 0) detail::fail_file(path, "open", errno);
        while (::flock(file_.get(), operation) != 0) {
            if (errno == EINTR) continue;
            if (errno != EWOULDBLOCK) detail::fail_file(path, "lock", errno);
            file_ = detail::Descriptor{};
            return;
        }
    }

    detail::Descriptor file_;
};

}  // namespace mtdn
