#include "watch.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <iostream>
#include <thread>
#include <vector>

#include <unistd.h>

#include "cli.hpp"
#include "masks.hpp"

#include <mtdn/data/film_name.hpp>
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
    const fs::path place = options.out / options.name;
    require_own_folder(place, mtdn::film_at(options.folder), network.tasks());
    struct Waiting {
        fs::path path;
        Clock::time_point complete;
    };
    std::deque<Waiting> queue;    // complete by their sizes, but not read yet
    std::vector<Waiting> frames;  // that the film has got
    std::vector<double> latency;
    mtdn::Json left_out = mtdn::Json::array();
    double busy = 0;
    const auto write = [&](const std::optional<mtdn::LiveMasks>& masks) {
        if (!masks) return;
        const Waiting& frame = frames[static_cast<std::size_t>(masks->frame)];
        const auto name = frame.path.filename().string();
        for (const auto& [task, mask] : masks->masks) {
            fs::create_directories(place / task);
            mtdn::write_mask(place / task / picture_name(name), mask, options.polarity);
        }
        if (latency.empty()) note_film(place, mtdn::film_at(options.folder));
        latency.push_back(seconds_since(frame.complete));
        if (::isatty(STDERR_FILENO))
            std::cerr << '\r' << name << "  " << latency.size() << " frames, " << 1000 * latency.back() << " ms\x1b[K";
    };
    auto last = Clock::now();  // when a frame was taken or left out
    auto first_tried = last;   // when the foremost frame became the foremost
    const auto leave_out = [&](const fs::path& path, const std::string& why) {
        print_warnings({{mtdn::concatenate(path.string(), ": left out, as it could not be read for ",
                                           options.idle_seconds, " s: ", why)}});
        left_out.push_back(path.filename().string());
        last = first_tried = Clock::now();
    };
    while (seconds_since(last) < options.idle_seconds || folder.waiting() || !queue.empty()) {
        const auto paths = folder.poll();
        for (const auto& path : paths) queue.push_back({path, Clock::now()});
        if (queue.empty() && !folder.waiting()) first_tried = Clock::now();
        bool taken = false;
        while (!queue.empty()) {
            mtdn::Image image;
            const auto begin = Clock::now();
            try {
                std::vector<mtdn::Warning> dark;
                image = read_alone(queue.front().path, options.white, dark);
                if (frames.empty()) print_warnings(dark);
            } catch (const mtdn::Error& error) {
                queue.front().complete = Clock::now();  // not before now, that is
                if (seconds_since(first_tried) < options.idle_seconds) break;
                leave_out(queue.front().path, error.what());
                queue.pop_front();
                continue;
            }
            frames.push_back(queue.front());
            queue.pop_front();
            write(film->push(image));
            busy += seconds_since(begin);
            last = first_tried = Clock::now();
            taken = true;
        }
        if (queue.empty() && folder.waiting() && seconds_since(first_tried) >= options.idle_seconds)
            leave_out(folder.leave_out(), "it is empty, or still grows");
        if (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    write(film->finish());
    if (::isatty(STDERR_FILENO) && !latency.empty()) std::cerr << '\n';
    return {{"frames", latency.size()},
            {"left_out", left_out},
            {"latency_ms", {{"median", 1000 * quantile(latency, 0.5)}, {"p95", 1000 * quantile(latency, 0.95)}}},
            {"frames_per_second", busy > 0 ? static_cast<double>(frames.size()) / busy : 0.0},
            {"out", place.string()}};
}
