#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <mtdn/core/random.hpp>
#include <mtdn/metric/metric.hpp>

namespace mtdn::testing {

/// What of the laws of `Metric` an empty metric breaks on random masks; empty if nothing.
///
/// Values are compared to 1e-12 relative: sums may be taken in another order.
template <Metric M>
std::vector<std::string> check_metric(const M& empty) {
    std::vector<std::string> failures;
    const std::string name = empty.name();
    Random random{1, "check_metric"};
    std::vector<Mask> masks;
    for (int i = 0; i < 12; ++i) {
        auto mask = make_array<std::uint8_t>(7, 9);
        const double density = i < 2 ? i : random.uniform();  // all background and all feature are among them
        for (auto& value : mask) value = random.chance(0.05) ? ignore_label : random.chance(density);
        masks.push_back(mask);
    }
    const auto gathered = [&](std::size_t first, std::size_t last) {
        M metric = empty;
        for (std::size_t i = first; i < last; ++i) metric.add(masks[i], masks[(i * 5 + 3) % masks.size()]);
        return metric;
    };
    const auto same = [](std::optional<double> a, std::optional<double> b) {
        if (!a || !b) return !a && !b;
        return *a == *b || std::abs(*a - *b) <= 1e-12 * std::max(std::abs(*a), std::abs(*b));
    };
    const M all = gathered(0, 12);
    for (const std::size_t cut : {0, 1, 2, 6, 12}) {
        M first = gathered(0, cut), second = gathered(cut, 12);
        const std::string text = name + ": joined from " + std::to_string(cut) + " and " + std::to_string(12 - cut);
        M joined = first;
        joined += second;
        if (!same(joined.value(), all.value())) failures.push_back(text + " frames it has another value than from 12");
        second += first;
        if (!same(second.value(), all.value())) failures.push_back(text + " frames the order matters");
    }
    if (!same(all.value(), all.value())) failures.push_back(name + ": value() differs when asked again");
    return failures;
}

}  // namespace mtdn::testing
