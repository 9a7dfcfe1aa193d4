#pragma once

// The one place that includes libtiff.
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>

namespace mtdn::detail {

/// What libtiff's callbacks know of one open file.
struct TiffSource {
    int file = -1;
    std::int64_t position = 0;
    char message[512] = {};
};

extern "C" {
inline void mtdn_tiff_message(TiffSource* source, const char* format, std::va_list arguments) {
    // The first message tells the cause; those after it tell what could not be done for it.
    if (source && !source->message[0]) std::vsnprintf(source->message, sizeof source->message, format, arguments);
}
inline int mtdn_tiff_error(TIFF*, void* source, const char*, const char* format, std::va_list arguments) {
    mtdn_tiff_message(static_cast<TiffSource*>(source), format, arguments);
    return 1;
}
inline int mtdn_tiff_warning(TIFF*, void*, const char*, const char*, std::va_list) { return 1; }
inline void mtdn_tiff_global_error(thandle_t source, const char*, const char* format, std::va_list arguments) {
    mtdn_tiff_message(static_cast<TiffSource*>(source), format, arguments);
}
inline tmsize_t mtdn_tiff_read(thandle_t handle, void* to, tmsize_t count) {
    auto* source = static_cast<TiffSource*>(handle);
    tmsize_t done = 0;
    while (done < count) {
        const auto got = ::pread(source->file, static_cast<char*>(to) + done, static_cast<std::size_t>(count - done),
                                 source->position);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += got;
        source->position += got;
    }
    return done;
}
inline tmsize_t mtdn_tiff_write(thandle_t handle, void* from, tmsize_t count) {
    auto* source = static_cast<TiffSource*>(handle);
    tmsize_t done = 0;
    while (done < count) {
        const auto put = ::pwrite(source->file, static_cast<const char*>(from) + done,
                                  static_cast<std::size_t>(count - done), source->position);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            if (!source->message[0])
                std::snprintf(source->message, sizeof source->message, "write failed: %s", std::strerror(errno));
            break;
        }
        done += put;
        source->position += put;
    }
    return done;
}
inline toff_t mtdn_tiff_size(thandle_t handle) {
    struct stat status {};
    return ::fstat(static_cast<TiffSource*>(handle)->file, &status) == 0 ? static_cast<toff_t>(status.st_size) : 0;
}
inline toff_t mtdn_tiff_seek(thandle_t handle, toff_t offset, int from) {
    auto* source = static_cast<TiffSource*>(handle);
    const auto shift = static_cast<std::int64_t>(offset);
    if (from == SEEK_SET) source->position = shift;
    if (from == SEEK_CUR) source->position += shift;
    if (from == SEEK_END) source->position = static_cast<std::int64_t>(mtdn_tiff_size(handle)) + shift;
    return static_cast<toff_t>(source->position);
}
inline int mtdn_tiff_close(thandle_t) { return 0; }
}

#if TIFFLIB_VERSION >= 20221213
/// libtiff ≥ 4.5 has message handlers for each file.
struct TiffMessages {};
inline TIFF* open_tiff(TiffSource& source, const char* name, const char* mode) {
    TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
    if (!options) return nullptr;
    TIFFOpenOptionsSetErrorHandlerExtR(options, mtdn_tiff_error, &source);
    TIFFOpenOptionsSetWarningHandlerExtR(options, mtdn_tiff_warning, nullptr);
    TIFF* tiff = TIFFClientOpenExt(name, mode, &source, mtdn_tiff_read, mtdn_tiff_write, mtdn_tiff_seek,
                                   mtdn_tiff_close, mtdn_tiff_size, nullptr, nullptr, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}
#else
/// libtiff < 4.5 has message handlers for the process only: ours stand while one of our calls runs.
class TiffMessages {
public:
    TiffMessages()
        : lock_(mutex()),
          error_(TIFFSetErrorHandler(nullptr)),
          warning_(TIFFSetWarningHandler(nullptr)),
          error_ext_(TIFFSetErrorHandlerExt(mtdn_tiff_global_error)) {}
    ~TiffMessages() {
        TIFFSetErrorHandlerExt(error_ext_);
        TIFFSetWarningHandler(warning_);
        TIFFSetErrorHandler(error_);
    }
    TiffMessages(const TiffMessages&) = delete;

private:
    static std::recursive_mutex& mutex() {
        static std::recursive_mutex one;
        return one;
    }
    std::lock_guard<std::recursive_mutex> lock_;
    TIFFErrorHandler error_, warning_;
    TIFFErrorHandlerExt error_ext_;
};
inline TIFF* open_tiff(TiffSource& source, const char* name, const char* mode) {
    return TIFFClientOpen(name, mode, &source, mtdn_tiff_read, mtdn_tiff_write, mtdn_tiff_seek, mtdn_tiff_close,
                          mtdn_tiff_size, nullptr, nullptr);
}
#endif

struct CloseTiff {
    void operator()(TIFF* tiff) const {
        [[maybe_unused]] const TiffMessages messages;
        TIFFClose(tiff);
    }
};
using TiffHandle = std::unique_ptr<TIFF, CloseTiff>;

}  // namespace mtdn::detail
