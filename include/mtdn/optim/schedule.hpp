#pragma once

#include <cmath>
#include <concepts>
#include <functional>
#include <algorithm>
#include <numbers>
#include <string_view>
#include <utility>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// `schedule(epoch)`: a factor of the learning rate.
template <class S>
concept gives_a_factor_for_every_epoch = requires(const S& schedule, Index epoch) {
    { schedule(epoch) } -> std::convertible_to<double>;
};

/// How the learning rate changes: `schedule(epoch)` is the factor of epoch `epoch`, counted from 0.
template <class S>
concept Schedule = std::copyable<S> && gives_a_factor_for_every_epoch<S>;

/// The same rate always.
struct ConstantSchedule {
    double operator()(Index) const { return 1; }
};

/// 1 − e/(E + 1): falls linearly, and is not zero in the last of E epochs.
struct LinearSchedule {
    Index epochs = 500;  ///< E
    double operator()(Index epoch) const {
        return std::max(0.0, 1 - static_cast<double>(epoch) / static_cast<double>(epochs + 1));
    }
};

/// (1 + cos(π e/E))/2, never below a floor.
struct CosineSchedule {
    Index epochs = 500;  ///< E
    double floor = 0;    ///< least factor
    double operator()(Index epoch) const {
        const double progress = std::min(1.0, static_cast<double>(epoch) / static_cast<double>(epochs));
        return floor + (1 - floor) * (1 + std::cos(std::numbers::pi * progress)) / 2;
    }
};

/// Multiplied by `factor` every `every` epochs.
struct StepSchedule {
    Index every = 100;    ///< epochs between steps
    double factor = 0.1;  ///< at each step
    double operator()(Index epoch) const { return std::pow(factor, static_cast<double>(epoch / every)); }
};

/// Another schedule, its first epochs raised linearly: factor (e + 1)/(warm-up + 1).
template <Schedule S>
struct WarmUp {
    S schedule{};          ///< what comes after, counted from epoch 0
    Index warm_up = 5;     ///< epochs of rise
    double operator()(Index epoch) const {
        const double rise = static_cast<double>(epoch + 1) / static_cast<double>(warm_up + 1);
        return schedule(epoch) * std::min(1.0, rise);
    }
};

/// A schedule that is chosen at run time.
class AnySchedule {
public:
    AnySchedule() : schedule_(ConstantSchedule{}) {}
    template <class S>
        requires(!std::same_as<S, AnySchedule>) && Schedule<S>
    AnySchedule(S schedule) : schedule_(std::move(schedule)) {}
    double operator()(Index epoch) const { return schedule_(epoch); }

private:
    std::function<double(Index)> schedule_;
};

/// The schedule of that name, "constant", "linear", "cosine" or "step", over `epochs`, after `warm_up` epochs of rise.
///
/// @throws OptionError if there is no such name
inline AnySchedule make_schedule(std::string_view name, Index epochs, Index warm_up = 0) {
    AnySchedule schedule;
    if (name == "linear")
        schedule = LinearSchedule{epochs};
    else if (name == "cosine")
        schedule = CosineSchedule{epochs};
    else if (name == "step")
        schedule = StepSchedule{std::max<Index>(1, epochs / 3)};
    else
        require<OptionError>(name == "constant", "make_schedule: no schedule \"", name,
                             "\"; expected constant, linear, cosine or step");
    if (warm_up > 0) return WarmUp<AnySchedule>{schedule, warm_up};
    return schedule;
}

}  // namespace mtdn
