#pragma once

#include <algorithm>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/random.hpp>
#include <mtdn/data/detail/filament_scene.hpp>
#include <mtdn/data/sequence.hpp>
#include <mtdn/data/synthetic_options.hpp>

namespace mtdn {

/// Film of gasifying hollow filaments, made up: tasks A1 (outer projection) and A2 (hollow core), exact masks.
///
/// Bent tubes darken the frame by the path length through their wall, burn from the free end and drift; a thinner,
/// solid filament passes close by, particles lie about, the support film is uneven, every third sequence has masked
/// surroundings (178/255), and the noise is a count's. Each sequence's `series` hold the true `area_A1`, `area_A2`
/// (px²), `length` (px) and `volume` (px³) of each frame. About 60 % of the sequences train, 20 % validate, 20 % test.
///
/// @throws OptionError
[[gnu::cold]] inline Dataset synthesize(const SyntheticOptions& options = {}) {
    require<OptionError>(options.sequences >= 3, "synthesize: needs 3 sequences, one a split, got ", options.sequences);
    require<OptionError>(options.frames >= 2, "synthesize: needs 2 frames a sequence, got ", options.frames);
    require<OptionError>(options.size >= 32 && options.size <= 4096, "synthesize: size must lie in [32, 4096] px, got ",
                         options.size);
    require<OptionError>(options.contrast > 0 && options.noise >= 0 && options.unevenness >= 0 &&
                             options.distractors >= 0 && options.distractors <= 1.2,
                         "synthesize: contrast must be positive, noise and unevenness not negative, distractors in "
                         "[0, 1.2]");
    require<OptionError>(options.bend >= 0 && options.bend <= 3 && options.taper >= 0 && options.taper <= 1,
                         "synthesize: bend must lie in [0, 3] and taper in [0, 1], got ", options.bend, " and ",
                         options.taper);
    const Index apart = std::max<Index>(1, (options.sequences + 2) / 5);  // sequences that validate, and that test
    std::vector<Sequence> sequences;
    for (Index number = 0; number < options.sequences; ++number) {
        const detail::FilamentScene scene(options, number);
        Random clock(options.seed, "synthetic clock", 0, static_cast<std::uint64_t>(number));
        Sequence sequence;
        const auto label = std::to_string(number + 1);
        sequence.name = "filament_" + std::string(label.size() < 2 ? "0" : "") + label;
        const Index left = options.sequences - number;
        sequence.split = left <= apart ? Split::test : left <= 2 * apart ? Split::validation : Split::train;
        sequence.frames = make_array<float>(options.frames, options.size, options.size, 1);
        auto& outer = sequence.masks["A1"] = make_array<std::uint8_t>(options.frames, options.size, options.size);
        auto& core = sequence.masks["A2"] = make_array<std::uint8_t>(options.frames, options.size, options.size);
        Index tick = 0;
        std::vector<Index> ticks;
        for (Index i = 0; i < options.frames; ++i, tick += 20 + 10 * clock.below(4)) ticks.push_back(tick);
        for (Index i = 0; i < options.frames; ++i) {
            const Index at = ticks[static_cast<std::size_t>(i)];
            const double progress = static_cast<double>(at) / static_cast<double>(ticks.back());
            scene.draw(progress, i, frame_data(sequence.frames, i), frame_data(outer, i), frame_data(core, i));
            auto digits = std::to_string(at);
            digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
            sequence.frame_names.push_back(sequence.name + "_" + digits + ".png");
            sequence.seconds.push_back(static_cast<double>(at) / 2);
            const detail::Tube tube = scene.tube(progress);
            const double once = tube.integral(1), squared = tube.integral(2);
            sequence.series["area_A1"].push_back(2 * tube.outer * once);
            sequence.series["area_A2"].push_back(2 * tube.inner * once);
            sequence.series["length"].push_back(tube.length);
            sequence.series["volume"].push_back(std::numbers::pi * (tube.outer * tube.outer - tube.inner * tube.inner) *
                                                squared);
        }
        sequences.push_back(std::move(sequence));
    }
    DatasetDescription description;
    description.name = "synthetic filaments";
    description.tasks = {"A1", "A2"};
    description.pixel_size_nm = 0.52 * 256 / static_cast<double>(options.size);
    return Dataset(std::move(description), std::move(sequences));
}

}  // namespace mtdn
