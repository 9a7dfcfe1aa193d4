#pragma once

#include <mtdn/core/random.hpp>
#include <mtdn/data/augmentation.hpp>

namespace mtdn::testing {

/// The smallest augmentation that does something: flips half of the frames.
//[augmentation
struct AugmentationArchetype {
    void augment(const FrameSource& source, const FrameTarget& target, Random geometry, Random) const {
        transform(source, target, {.horizontal_flip = geometry.chance(0.5)});
        pad(source, target);
    }
};
//]
static_assert(Augmentation<AugmentationArchetype>);

}  // namespace mtdn::testing
