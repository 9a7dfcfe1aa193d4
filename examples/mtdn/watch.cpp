#include "watch.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

#include <unistd.h>

#include "masks.hpp"

#include <mtdn/data/frame_folder.hpp>

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double quantile(std::vector<double> values, double q) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

}  // namespace

mtdn::Json watch(const WatchOptions& options, const Network& network) {
    mtdn::FrameFolder folder(options.folder);
    const auto film = network.live(mtdn::live_fusion(options.fusion));
    const fs::path place = options.out / fs::absolute(options.folder / "x").lexically_normal().parent_path().filename();
    struct Waiting {
        std::string name;
        Clock::time_point complete;
    };
    std::vector<Waiting> frames;
    std::vector<double> latency;
    double busy = 0;
    const auto write = [&](const std::optional<mtdn::LiveMasks>& masks) {
        if (!masks) return;
        const Waiting& frame = frames[static_cast<std::size_t>(masks->frame)];
        for (const auto& [task, mask] : masks->masks) {
            fs::create_directories(place / task);
            mtdn::write_mask(place / task / picture_name(frame.name), mask, options.polarity);
        }
        latency.push_back(seconds_since(frame.complete));
        if (::isatty(STDERR_FILENO))
            std::cerr << '\r' << frame.name << "  " << latency.size() << " frames, " << 1000 * latency.back() << " ms\x1b[K";
    };
    auto last = Clock::now();
    while (seconds_since(last) < options.idle_seconds || folder.waiting()) {
        const auto paths = folder.poll();
        const auto now = Clock::now();
        for (const auto& path : paths) frames.push_back({path.filename().string(), now});
        for (const auto& path : paths) {
            const auto begin = Clock::now();
            write(film->push(mtdn::read_frame(path)));
            busy += seconds_since(begin);
            last = Clock::now();
        }
        mtdn::require<mtdn::DataError>(!folder.waiting() || seconds_since(last) < 2 * options.idle_seconds + 1,
                                       options.folder.string(), ": a frame has been incomplete for ", seconds_since(last), " s");
        if (paths.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    write(film->finish());
    if (::isatty(STDERR_FILENO) && !latency.empty()) std::cerr << '\n';
    return {{"frames", latency.size()},
            {"latency_ms", {{"median", 1000 * quantile(latency, 0.5)}, {"p95", 1000 * quantile(latency, 0.95)}}},
            {"frames_per_second", busy > 0 ? static_cast<double>(frames.size()) / busy : 0.0},
            {"out", place.string()}};
}
