#pragma once

#include <cmath>
#include <cstdio>
#include <string>

#include <unistd.h>

#include <mtdn/experiment/train_options.hpp>

namespace mtdn {

/// Seconds as `12 s`, `3:05` or `2:03:05`.
inline std::string duration_text(double seconds) {
    const auto s = static_cast<long long>(seconds + 0.5);
    char text[48];
    if (s < 60)
        std::snprintf(text, sizeof text, "%lld s", s);
    else if (s < 3600)
        std::snprintf(text, sizeof text, "%lld:%02lld", s / 60, s % 60);
    else
        std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

/// One line on how training stands: epoch, loss, validation, speed, remaining time.
inline std::string progress_text(const TrainProgress& p) {
    char text[200];
    int length = std::snprintf(text, sizeof text, "epoch %td/%td  batch %td/%td  rate %.2e  loss %.4f", p.epoch + 1,
                               p.epochs, p.batch, p.batches, p.rate, p.loss);
    std::string line(text, static_cast<std::size_t>(length));
    if (!std::isnan(p.validation)) {
        length = std::snprintf(text, sizeof text, "  validation %.4f (best %.4f)", p.validation, p.best);
        line.append(text, static_cast<std::size_t>(length));
    }
    length = std::snprintf(text, sizeof text, "  %.2f pairs/s  ", static_cast<double>(p.pairs_done) / p.seconds);
    line.append(text, static_cast<std::size_t>(length));
    return line + duration_text(p.remaining_seconds) + " left";
}

/// Writes the progress line to standard error: on a terminal over the line before, elsewhere once an epoch.
inline void print_progress(const TrainProgress& progress) {
    if (::isatty(STDERR_FILENO))
        std::fprintf(stderr, "\r%s\x1b[K%s", progress_text(progress).c_str(), progress.epoch_done ? "\n" : "");
    else if (progress.epoch_done)
        std::fprintf(stderr, "%s\n", progress_text(progress).c_str());
}

}  // namespace mtdn
