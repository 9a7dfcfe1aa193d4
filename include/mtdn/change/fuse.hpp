#pragma once

#include <algorithm>

#include <mtdn/change/fusion.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>

namespace mtdn {

/// A sequence's masks as fused from pairs.
struct FusedMasks {
    Masks masks;                  ///< (frames, height, width)
    Array<float, 3> uncertainty;  ///< (frames, height, width), bits
};

/// Masks of a whole sequence from predicted change maps that are at hand, made by whatever made them.
///
/// @param categories called with each pair needed; gives its change map (height, width), categories 0 to 3
/// @throws ShapeError if two change maps differ in size, DataError if a value is no category
template <PredictionFusion F, class Categories>
FusedMasks fuse(const F& fusion, Index frames, Categories&& categories) {
    FusedMasks fused;
    for (Index query = 0; query < frames; ++query) {
        PredictionAccumulator accumulator{0, 0};
        for (const Comparison& comparison : fusion.partners(query, frames)) {
            const auto& given = categories(comparison.pair);
            const auto& plane = detail::as_bytes<2>(given, "fuse", "change map");
            const Index height = extent(plane, 0), width = extent(plane, 1);
            if (query == 0 && accumulator.count() == 0)
                fused = {make_array<std::uint8_t>(frames, height, width), make_array<float>(frames, height, width)};
            if (accumulator.count() == 0) accumulator = fusion.accumulator(height, width);
            require<ShapeError>(height == extent(fused.masks, 1) && width == extent(fused.masks, 2),
                                "fuse: the change map of frames ", comparison.pair.query, " and ",
                                comparison.pair.partner, " has size ", detail::size_text(plane), "; expected (",
                                extent(fused.masks, 1), ", ", extent(fused.masks, 2), ") as before");
            accumulator.add_categories(plane.data(), comparison.slot);
        }
        const Mask mask = accumulator.mask();
        const Image uncertainty = accumulator.uncertainty();
        std::copy(mask.begin(), mask.end(), frame_data(fused.masks, query));
        std::copy(uncertainty.begin(), uncertainty.end(), frame_data(fused.uncertainty, query));
    }
    return fused;
}

}  // namespace mtdn
