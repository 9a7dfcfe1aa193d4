#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <vector>

#include <mtdn/core/random.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn::detail {

/// A gently bent line y = c(x) in a turned frame of reference, measured by its arc length from x = 0.
class CentreLine {
public:
    /// @param length extent in px
    /// @param bend   largest sideways swing in px
    [[gnu::cold]] CentreLine(double x, double y, double angle, double length, double bend, Random& random)
        : x_(x), y_(y), cos_(std::cos(angle)), sin_(std::sin(angle)), length_(length) {
        for (std::size_t i = 0; i < waves_.size(); ++i) {
            waves_[i].number = std::numbers::pi * random.uniform(0.6, 1.2) * static_cast<double>(i + 1) / length;
            waves_[i].phase = random.uniform(0, 2 * std::numbers::pi);
            waves_[i].amplitude = bend * (i == 0 ? 1.0 : 0.3) * random.uniform(0.5, 1.0);
        }
        offset_ = swing(0);
        arc_.push_back(0);
        for (Index i = 0; i < steps; ++i) {
            const double step = length / steps, middle = (static_cast<double>(i) + 0.5) * step;
            arc_.push_back(arc_.back() + step * std::hypot(1.0, slope(middle)));
        }
    }

    /// Length along the line.
    double total() const { return arc_.back(); }

    struct Place {
        double along;   ///< arc length, below 0 or above `total()` beyond the ends
        double beside;  ///< signed distance from the line
    };

    /// Where a pixel lies; only roughly if it is farther than `near` from the line.
    [[gnu::noinline]] Place locate(double px, double py, double near) const {
        const double dx = px - x_, dy = py - y_;
        const double u = cos_ * dx + sin_ * dy, v = -sin_ * dx + cos_ * dy;
        double x = u;
        const double sideways = v - (swing(u) - offset_);
        if (std::abs(sideways) > 2 * near) return {arc_at(u), sideways};
        for (int i = 0; i < 4; ++i) {
            const double d = slope(x), e = swing(x) - offset_ - v;
            x -= std::clamp(((x - u) + e * d) / std::max(0.25, 1 + d * d + e * curvature(x)), -20.0, 20.0);
        }
        const double e = v - (swing(x) - offset_);
        return {arc_at(x), std::copysign(std::hypot(x - u, e), e)};
    }

    /// The pixel at an arc length.
    [[gnu::cold]] std::array<double, 2> point(double along) const {
        double low = -length_, high = 2 * length_;
        for (int i = 0; i < 40; ++i) (arc_at((low + high) / 2) < along ? low : high) = (low + high) / 2;
        const double y = swing(low) - offset_;
        return {x_ + cos_ * low - sin_ * y, y_ + sin_ * low + cos_ * y};
    }

private:
    static constexpr Index steps = 128;
    struct Wave {
        double number, phase, amplitude;
    };

    double swing(double x) const {
        double sum = 0;
        for (const auto& w : waves_) sum += w.amplitude * std::sin(w.number * x + w.phase);
        return sum;
    }
    double slope(double x) const {
        double sum = 0;
        for (const auto& w : waves_) sum += w.amplitude * w.number * std::cos(w.number * x + w.phase);
        return sum;
    }
    double curvature(double x) const {
        double sum = 0;
        for (const auto& w : waves_) sum -= w.amplitude * w.number * w.number * std::sin(w.number * x + w.phase);
        return sum;
    }
    double arc_at(double x) const {
        if (x <= 0) return x * std::hypot(1.0, slope(0));
        if (x >= length_) return total() + (x - length_) * std::hypot(1.0, slope(length_));
        const double at = x / length_ * steps;
        const auto i = static_cast<std::size_t>(std::min<double>(at, steps - 1));
        return arc_[i] + (at - static_cast<double>(i)) * (arc_[i + 1] - arc_[i]);
    }

    double x_, y_, cos_, sin_, length_, offset_ = 0;
    std::array<Wave, 2> waves_{};
    std::vector<double> arc_;
};

/// A hollow filament as it stands at one moment: radii in px, burnt from its free end.
struct Tube {
    double outer = 0;   ///< R
    double inner = 0;   ///< r
    double length = 0;  ///< L, 0 when it is gone
    double ripple = 0;  ///< relative variation of both radii along the tube
    double wave = 0;    ///< of the ripple, rad/px
    double taper = 0;   ///< relative difference of the radii from end to end
    double whole = 1;   ///< length before it burnt, px

    double radius_factor(double along) const {
        return (1 + ripple * std::sin(wave * along)) * (1 + taper * (0.5 - along / whole));
    }

    /// ∫ f(along)^power over the length.
    double integral(int power) const {
        constexpr int pieces = 200;
        double sum = 0;
        for (int i = 0; i < pieces; ++i) sum += std::pow(radius_factor((i + 0.5) * length / pieces), power);
        return sum * length / pieces;
    }
};

/// Path length through the wall of a hollow cylinder seen from the side, at distance d from its axis.
inline double wall_chord(double d, double outer, double inner) {
    const double whole = outer * outer - d * d, hollow = inner * inner - d * d;
    return 2 * (std::sqrt(std::max(0.0, whole)) - std::sqrt(std::max(0.0, hollow)));
}

}  // namespace mtdn::detail
