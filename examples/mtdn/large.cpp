#include "large.hpp"

#include <chrono>
#include <iostream>
#include <map>

#include <sys/resource.h>
#include <unistd.h>

#include "cli.hpp"
#include "masks.hpp"

#include <mtdn/data/film_name.hpp>
#include <mtdn/data/frame_reader.hpp>
#include <mtdn/experiment/progress.hpp>
#include <mtdn/io/tiff.hpp>

namespace {

namespace fs = std::filesystem;

double processor_seconds(const rusage& usage) {
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

rusage used() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage;
}

}  // namespace

mtdn::Json segment_large(const LargeOptions& options, const Network& network) {
    require_valid(options.polarity);
    mtdn::FrameReader film(options.film, options.white);
    print_warnings(film.warnings());
    const fs::path place = options.out / options.name;
    require_own_folder(place, mtdn::film_at(options.film), network.tasks());
    std::map<std::string, mtdn::TiffWriter> stacks;
    for (const auto& task : network.tasks()) {
        fs::create_directories(options.stacks ? place : place / task);
        if (options.stacks) stacks.try_emplace(task, place / (task + ".tif"));
    }
    note_film(place, mtdn::film_at(options.film));
    const auto begin = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    const auto write = [&](mtdn::Index i, const std::map<std::string, mtdn::Mask>& masks) {
        for (const auto& [task, mask] : masks) {
            if (!options.stacks) {
                mtdn::write_mask(place / task / picture_name(film.frame_name(i)), mask, options.polarity);
                continue;
            }
            auto page = mask;
            for (auto& value : page) value = value ? options.polarity.feature : options.polarity.background;
            stacks.at(task).write(page);
        }
        if (!::isatty(STDERR_FILENO)) return;
        const double a_frame = seconds() / static_cast<double>(i + 1);
        std::cerr << '\r' << film.name() << "  " << i + 1 << '/' << film.size() << "  " << a_frame << " s a frame, "
                  << mtdn::duration_text(a_frame * static_cast<double>(film.size() - i - 1)) << " left\x1b[K"
                  << (i + 1 == film.size() ? "\n" : "") << std::flush;
    };
    const auto [tiles, passes] =
        network.segment_tiles({film.frame_size(), film.size(), [&](mtdn::Index i) { return film.read(i); }, write},
                              options.fusion, options.tiles);
    for (auto& [task, stack] : stacks) stack.commit();
    const auto usage = used();
    const auto frames = static_cast<double>(film.size());
    return {{"frames", film.size()},
            {"height", film.frame_size().height},
            {"width", film.frame_size().width},
            {"tiles", tiles},
            {"backbone_passes", passes},
            {"seconds_per_frame", seconds() / frames},
            {"processor_seconds_per_frame", processor_seconds(usage) / frames},
            {"peak_mib", static_cast<double>(usage.ru_maxrss) / 1024},
            {"out", place.string()}};
}
