#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/random.hpp>
#include <mtdn/data/augmentation.hpp>

namespace mtdn::testing {

/// What of the laws of `Augmentation` a type breaks, tried with random frames on canvases of their size and larger;
/// empty if nothing.
template <Augmentation A>
std::vector<std::string> check_augmentation(const A& augmentation, int draws = 20) {
    struct Result {
        Image frame;
        Mask labelled, unlabelled;
        bool operator==(const Result&) const = default;
    };
    std::vector<std::string> failures;
    const auto expect = [&](bool holds, const std::string& what) {
        if (!holds && std::find(failures.begin(), failures.end(), what) == failures.end()) failures.push_back(what);
    };
    for (int draw = 0; draw < draws; ++draw) {
        const auto item = static_cast<std::uint64_t>(draw);
        Random random(1, "check_augmentation", 0, item);
        const Index height = 1 + random.below(24), width = draw % 2 == 0 ? height : 1 + random.below(24);
        const Index high = height + (draw % 3 == 0 ? random.below(6) : 0), wide = width + (draw % 3 == 0 ? 2 : 0);
        auto frame = make_array<float>(height, width);
        auto mask = make_array<std::uint8_t>(height, width);
        std::generate(frame.data(), frame.data() + frame.size(), [&] { return static_cast<float>(random.uniform()); });
        std::generate(mask.data(), mask.data() + mask.size(), [&] { return std::uint8_t{random.chance(0.5)}; });
        const auto run = [&](std::uint64_t geometry, std::uint64_t photometry, float garbage) {
            Result result{full_array<float>(garbage, high, wide), full_array<std::uint8_t>(77, high, wide),
                          full_array<std::uint8_t>(77, high, wide)};
            augmentation.augment({frame.data(), {mask.data(), nullptr}, height, width},
                                 {result.frame.data(), {result.labelled.data(), result.unlabelled.data()}, high, wide},
                                 Random(geometry, "geometry", 0, item), Random(photometry, "photometry", 0, item));
            return result;
        };
        const Result once = run(1, 1, -7), again = run(1, 1, 9), other = run(1, 2, -7);
        expect(once == again, "equal streams give other results, or not every value is written");
        expect(once.labelled == other.labelled, "masks depend on the photometry");
        for (Index y = 0; y < high; ++y)
            for (Index x = 0; x < wide; ++x) {
                const auto i = y * wide + x;
                const bool inside = y < height && x < width;
                const float value = once.frame.data()[i];
                expect(value >= 0 && value <= 1, "a frame value leaves [0, 1]");
                expect(once.unlabelled.data()[i] == ignore_label, "a task without a mask gets labels");
                expect(inside ? once.labelled.data()[i] <= 1 : once.labelled.data()[i] == ignore_label,
                       "a mask holds something else than 0 and 1 inside the frame and ignore_label outside");
                expect(inside || value == once.frame.data()[std::min(y, height - 1) * wide + std::min(x, width - 1)],
                       "the canvas beyond the frame does not repeat its edge");
            }
    }
    return failures;
}

}  // namespace mtdn::testing
