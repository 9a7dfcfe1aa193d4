#pragma once

#include <optional>
#include <string>

#include <mtdn/metric/metric.hpp>

namespace mtdn::testing {

/// The smallest metric: how many frames there were.
//[metric
struct MetricArchetype {
    double frames = 0;

    void add(const Mask&, const Mask&) { ++frames; }
    MetricArchetype& operator+=(const MetricArchetype& other) {
        frames += other.frames;
        return *this;
    }
    std::optional<double> value() const { return frames; }
    std::string name() const { return "frames"; }
};
//]
static_assert(Metric<MetricArchetype>);

}  // namespace mtdn::testing
