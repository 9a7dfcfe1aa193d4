#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include <mtdn/core/error.hpp>

namespace mtdn {

/// How the converted fraction X grows with the time τ since the reaction began.
enum class RateLaw {
    zeroth_order,  ///< X = kτ: a constant rate, that of a tube consumed from one end, or from both walls at one speed
    first_order,   ///< X = 1 − exp(−kτ)
    shrinking_core,  ///< 1 − √(1 − X) = kτ: a full cylinder's outer wall recedes at a constant speed
    avrami,          ///< X = 1 − exp(−(kτ)ⁿ)
};

inline constexpr std::array all_rate_laws{RateLaw::zeroth_order, RateLaw::first_order, RateLaw::shrinking_core,
                                          RateLaw::avrami};

/// `zeroth-order`, `first-order`, `shrinking-core` or `avrami`.
constexpr std::string_view name_of(RateLaw law) {
    constexpr std::string_view names[] = {"zeroth-order", "first-order", "shrinking-core", "avrami"};
    return names[static_cast<std::size_t>(law)];
}

/// The law of that name.
///
/// @throws OptionError, listing the names
inline RateLaw rate_law(std::string_view name) {
    for (const RateLaw law : all_rate_laws)
        if (name_of(law) == name) return law;
    fail<OptionError>("rate_law: \"", name, "\" is none; expected zeroth-order, first-order, shrinking-core or avrami");
}

/// A converted fraction and its derivatives.
struct Conversion {
    double value = 0, by_rate = 0, by_exponent = 0, by_time = 0;
};

/// X at the time τ since the reaction began: 0 before, at most 1.
///
/// @param rate     k, 1/s
/// @param exponent n of Avrami's law; the others have none
/// @source Levenspiel, Chemical Reaction Engineering, 3rd ed., §25.3 (cylinder, reaction at the surface controls);
///         Avrami 1939
inline Conversion conversion(RateLaw law, double rate, double exponent, double time) {
    if (!(time > 0)) return {};
    const double z = rate * time;
    switch (law) {
        case RateLaw::zeroth_order:
            if (z < 1) return {z, time, 0, rate};
            break;
        case RateLaw::first_order:
            return {-std::expm1(-z), time * std::exp(-z), 0, rate * std::exp(-z)};
        case RateLaw::shrinking_core:
            if (z < 1) return {z * (2 - z), 2 * (1 - z) * time, 0, 2 * (1 - z) * rate};
            break;
        case RateLaw::avrami: {
            const double power = std::pow(z, exponent), slope = std::exp(-power) * power;
            return {-std::expm1(-power), slope * exponent / rate, slope * std::log(z), slope * exponent / time};
        }
    }
    return {1, 0, 0, 0};
}

}  // namespace mtdn
