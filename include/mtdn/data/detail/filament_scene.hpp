#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include <mtdn/core/random.hpp>
#include <mtdn/data/detail/filament.hpp>
#include <mtdn/data/synthetic_options.hpp>

namespace mtdn::detail {

/// Everything about one synthetic sequence that does not change from frame to frame.
class FilamentScene {
public:
    [[gnu::cold]] FilamentScene(const SyntheticOptions& options, Index number)
        : options_(options),
          number_(number),
          unit_(static_cast<double>(options.size) / 128),
          random_(options.seed, "synthetic scene", 0, static_cast<std::uint64_t>(number)),
          tube_line_(draw_line()),
          passer_line_(tube_line_) {
        const double side = static_cast<double>(options.size);
        outer_ = unit_ * random_.uniform(9.5, 14);
        inner_ = outer_ * random_.uniform(0.52, 0.65);
        ripple_ = random_.uniform(0.01, 0.04);
        wave_ = random_.uniform(0.12, 0.3) / unit_;
        burn_power_ = random_.uniform(0.8, 1.5);
        // Of five filaments one is gone before the end; the others stop half-way or later.
        burnt_ = number % 5 == 3 ? 1.15 : random_.uniform(0.45, 0.85);
        masked_ = number % 3 == 1;
        attenuation_ =
            options.contrast / (2 * std::sqrt(outer_ * outer_ - inner_ * inner_)) * random_.uniform(0.85, 1.15);
        brightness_ = random_.uniform(0.58, 0.70);
        fringe_ = random_.uniform(0.12, 0.25);
        const double direction = random_.uniform(0, 2 * std::numbers::pi), tilt = random_.uniform(0.16, 0.26);
        gradient_x_ = tilt * std::cos(direction) / side;
        gradient_y_ = tilt * std::sin(direction) / side;
        for (auto& bump : bumps_)
            bump = {random_.uniform(0, side), random_.uniform(0, side), random_.uniform(0.15, 0.3) * side,
                    random_.uniform(-0.16, 0.12)};
        drift_x_ = random_.uniform(-3, 3) * unit_;
        drift_y_ = random_.uniform(-3, 3) * unit_;
        shake_ = random_.uniform(0, 2 * std::numbers::pi);
        place_distractors(side);
    }

    /// The tube after the fraction `progress` of the sequence.
    Tube tube(double progress) const {
        const double gone = std::min(1.0, burnt_ * std::pow(progress, burn_power_));
        const double whole = tube_line_.total();
        return {outer_ * (1 - 0.08 * gone), inner_ * (1 + 0.08 * gone), whole * (1 - gone), ripple_, wave_,
                options_.taper, whole};
    }

    /// Draws one frame with its masks, each (size, size).
    [[gnu::noinline]]
    void draw(double progress, Index frame, float* pixels, std::uint8_t* outer_mask, std::uint8_t* core_mask) const {
        const Tube now = tube(progress);
        const double swing = std::sin(5 * progress + shake_) - std::sin(shake_);
        const double dx = drift_x_ * progress + 0.7 * unit_ * swing, dy = drift_y_ * progress - 0.5 * unit_ * swing;
        const Index n = options_.size;
        std::vector<double> clean(static_cast<std::size_t>(n * n)), noise(clean.size());
        Random random(options_.seed, "synthetic noise", static_cast<std::uint64_t>(number_),
                      static_cast<std::uint64_t>(frame));
        for (Index y = 0; y < n; ++y)
            for (Index x = 0; x < n; ++x) {
                const double px = static_cast<double>(x) + 0.5 - dx, py = static_cast<double>(y) + 0.5 - dy;
                const auto [along, beside] = tube_line_.locate(px, py, outer_ + 8 * unit_);
                const double factor = now.radius_factor(along), distance = std::abs(beside);
                const bool on_tube = along >= 0 && along < now.length;
                const Index i = y * n + x;
                outer_mask[i] = on_tube && distance < now.outer * factor ? 1 : 0;
                core_mask[i] = on_tube && distance < now.inner * factor ? 1 : 0;
                double value = film(px, py) * particles(px, py) * passer(px, py, progress);
                if (on_tube)
                    value *= std::exp(-attenuation_ * wall_chord(distance, now.outer * factor, now.inner * factor)) *
                             (1 + rim(distance - now.outer * factor));
                clean[static_cast<std::size_t>(i)] = value;
                noise[static_cast<std::size_t>(i)] = random.normal();
            }
        soften(clean, 0.6 * unit_);
        soften(noise, 0.55);
        for (Index y = 0; y < n; ++y)
            for (Index x = 0; x < n; ++x) {
                const auto i = static_cast<std::size_t>(y * n + x);
                // Shot noise: the variance is that of a count, proportional to the brightness; 1.79 is what softening
                // took.
                const double value = clean[i] + options_.noise * std::sqrt(std::max(0.0, clean[i])) * 1.79 * noise[i];
                const bool shown = !masked_ || inside(static_cast<double>(x), static_cast<double>(y));
                const auto grey = shown ? std::lround(255 * std::clamp(value, 0.0, 1.0)) : 178L;
                pixels[i] = static_cast<float>(grey) / 255.0F;
            }
    }

private:
    struct Spot {
        double x, y, radius, strength;
    };

    /// The fixed end lies near one side, the free end is somewhere opposite, and the whole tube stays in the frame.
    [[gnu::cold]] CentreLine draw_line() {
        const double side = static_cast<double>(options_.size);
        const double angle = random_.uniform(0, 2 * std::numbers::pi);
        const double length = random_.uniform(0.52, 0.66) * side;
        const double shift = random_.uniform(-0.08, 0.08) * side;
        const double x = side / 2 - std::cos(angle) * length / 2 - std::sin(angle) * shift;
        const double y = side / 2 - std::sin(angle) * length / 2 + std::cos(angle) * shift;
        return CentreLine(x, y, angle, length, options_.bend * random_.uniform(0.02, 0.05) * side, random_);
    }

    [[gnu::cold]] void place_distractors(double side) {
        // The other filament is solid, thin, and runs from border to border on one side of the tube.
        const double flank = random_.chance(0.5) ? 1 : -1;
        const double gap = flank * (outer_ + unit_ * random_.uniform(8, 16));
        const auto from = tube_line_.point(0), to = tube_line_.point(tube_line_.total());
        const double angle = std::atan2(to[1] - from[1], to[0] - from[0]) + random_.uniform(-0.2, 0.2);
        const double middle_x = (from[0] + to[0]) / 2 - std::sin(angle) * gap;
        const double middle_y = (from[1] + to[1]) / 2 + std::cos(angle) * gap;
        passer_radius_ = unit_ * random_.uniform(3, 4.5);
        passer_strength_ = options_.distractors * random_.uniform(0.35, 0.5);
        passer_drift_ = flank * unit_ * random_.uniform(-1, 3);
        passer_line_ = CentreLine(middle_x - std::cos(angle) * side, middle_y - std::sin(angle) * side, angle, 2 * side,
                                  0.02 * side, random_);
        // A catalyst particle sits on the fixed end, others lie about.
        const auto behind = tube_line_.point(-1.05 * outer_);
        particles_.push_back({behind[0], behind[1], outer_ * random_.uniform(0.95, 1.15), random_.uniform(0.6, 0.8)});
        for (int i = 0; i < 24 && particles_.size() < 5; ++i) {
            const Spot spot{random_.uniform(0, side), random_.uniform(0, side), unit_ * random_.uniform(5, 11),
                            random_.uniform(0.5, 0.75)};
            const auto place = tube_line_.locate(spot.x, spot.y, side);
            const bool clear = std::abs(place.beside) > outer_ + spot.radius + 3 * unit_ ||
                               place.along > tube_line_.total() + spot.radius + 3 * unit_;
            if (clear) particles_.push_back(spot);
        }
        for (auto& spot : particles_) spot.strength *= options_.distractors;
        // What is shown of a masked sequence: a window that leans along the tube and holds all of it.
        window_angle_ = angle;
        window_x_ = (from[0] + to[0]) / 2;
        window_y_ = (from[1] + to[1]) / 2;
        window_along_ = tube_line_.total() / 2 + 8 * unit_;
        window_beside_ = outer_ + 0.05 * side + unit_ * random_.uniform(12, 22);
    }

    double film(double x, double y) const {
        const double half = static_cast<double>(options_.size) / 2;
        double value = (x - half) * gradient_x_ + (y - half) * gradient_y_;
        for (const auto& bump : bumps_) {
            const double dx = (x - bump.x) / bump.radius, dy = (y - bump.y) / bump.radius;
            value += bump.strength * std::exp(-dx * dx - dy * dy);
        }
        return brightness_ + options_.unevenness * value;
    }

    /// Bright fringe at an edge, `distance` px outside it.
    double rim(double distance) const {
        const double t = (distance - 0.5 * unit_) / (1.2 * unit_);
        return std::abs(t) < 4 ? fringe_ * std::exp(-t * t) : 0;
    }

    double particles(double x, double y) const {
        double factor = 1;
        for (const auto& spot : particles_) {
            const double d = std::hypot(x - spot.x, y - spot.y), t = d / spot.radius;
            if (t < 1) factor *= 1 - spot.strength * std::sqrt(1 - t * t);
            if (options_.distractors > 0) factor *= 1 + rim(d - spot.radius);
        }
        return factor;
    }

    double passer(double x, double y, double progress) const {
        const double d = std::abs(passer_line_.locate(x, y, 5 * passer_radius_).beside - passer_drift_ * progress),
                     t = d / passer_radius_;
        const double shadow = t < 1 ? 1 - passer_strength_ * std::sqrt(1 - t * t) : 1;
        return options_.distractors > 0 ? shadow * (1 + 0.6 * rim(d - passer_radius_)) : 1;
    }

    bool inside(double x, double y) const {
        const double dx = x - window_x_, dy = y - window_y_;
        return std::abs(std::cos(window_angle_) * dx + std::sin(window_angle_) * dy) < window_along_ &&
               std::abs(-std::sin(window_angle_) * dx + std::cos(window_angle_) * dy) < window_beside_;
    }

    /// Gaussian of a small standard deviation, edges repeated.
    [[gnu::noinline]] void soften(std::vector<double>& values, double sigma) const {
        const Index n = options_.size, radius = static_cast<Index>(std::ceil(3 * sigma));
        std::vector<double> weights;
        double sum = 0;
        for (Index k = -radius; k <= radius; ++k) {
            weights.push_back(std::exp(-static_cast<double>(k * k) / (2 * sigma * sigma)));
            sum += weights.back();
        }
        std::vector<double> line(static_cast<std::size_t>(n));
        for (const auto& [outer, inner] : {std::pair{n, Index{1}}, std::pair{Index{1}, n}})
            for (Index row = 0; row < n; ++row) {
                double* at = values.data() + row * outer;
                for (Index i = 0; i < n; ++i) {
                    double total = 0;
                    for (Index k = -radius; k <= radius; ++k)
                        total += weights[static_cast<std::size_t>(k + radius)] *
                                 at[std::clamp<Index>(i + k, 0, n - 1) * inner];
                    line[static_cast<std::size_t>(i)] = total / sum;
                }
                for (Index i = 0; i < n; ++i) at[i * inner] = line[static_cast<std::size_t>(i)];
            }
    }

    SyntheticOptions options_;
    Index number_;
    double unit_;  // px that 1 px of a 128 px frame makes
    Random random_;
    CentreLine tube_line_, passer_line_;
    double outer_, inner_, ripple_, wave_, burn_power_, burnt_, attenuation_, brightness_, fringe_;
    double gradient_x_, gradient_y_, drift_x_, drift_y_, shake_;
    bool masked_;
    std::array<Spot, 4> bumps_;
    std::vector<Spot> particles_;
    double passer_radius_ = 0, passer_strength_ = 0, passer_drift_ = 0;
    double window_angle_ = 0, window_x_ = 0, window_y_ = 0, window_along_ = 0, window_beside_ = 0;
};

}  // namespace mtdn::detail
