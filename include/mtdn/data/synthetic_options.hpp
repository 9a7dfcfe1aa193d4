#pragma once

#include <cstdint>

#include <mtdn/core/shape.hpp>

namespace mtdn {

/// How many synthetic frames to make, and how hard they are.
struct SyntheticOptions {
    Index sequences = 12;      ///< filaments, at least 3
    Index frames = 16;         ///< frames a filament
    Index size = 128;          ///< side of a frame in px, at least 32
    std::uint64_t seed = 1;    ///< the same seed, the same bits
    double contrast = 0.60;    ///< the wall darkens by up to exp(−contrast)
    double noise = 0.055;      ///< standard deviation of the shot noise at brightness 1
    double unevenness = 1.0;   ///< scale of the support film's brightness variation; 0: even
    double distractors = 1.0;  ///< scale of the solid filament's and the particles' darkness; 0: none
    double bend = 1.0;         ///< scale of the tubes' bend; 0: straight
    double taper = 0.0;        ///< radii fall from (1 + taper/2) to (1 − taper/2) of their mean, towards the free end
};

}  // namespace mtdn
