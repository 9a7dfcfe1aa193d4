#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/change/accumulator.hpp>
#include <mtdn/experiment/segment_options.hpp>
#include <mtdn/kinetics/geometry.hpp>

/// `--inside A2:A1`: tasks that lie inside others, each with the other.
using Nested = std::vector<std::pair<std::string, std::string>>;

inline constexpr const char* inside_help = "Takes from one task's masks what lies outside another's, as A2:A1; several "
                                           "joined by commas";

/// What `--inside` says, for a model of these tasks.
///
/// @throws OptionError if it is not of the form A2:A1, or names a task that the model does not have
inline Nested nested(const std::vector<std::string>& given, const std::vector<std::string>& tasks) {
    Nested result;
    for (const auto& one : given) {
        const auto colon = std::min(one.find(':'), one.size());
        const std::string inner = one.substr(0, colon), outer = one.substr(std::min(colon + 1, one.size()));
        for (const auto& task : {inner, outer})
            mtdn::require<mtdn::OptionError>(std::count(tasks.begin(), tasks.end(), task) > 0, "--inside ", one,
                                             ": the model has no task \"", task,
                                             "\"; expected the inner and the outer, as A2:A1");
        mtdn::require<mtdn::OptionError>(inner != outer, "--inside ", one, ": a task lies inside itself anyway");
        result.emplace_back(inner, outer);
    }
    return result;
}

/// Takes away what lies outside, from masks and from each comparison's areas.
inline void keep_inside(const Nested& tasks, mtdn::Segmentation& result) {
    for (const auto& [inner, outer] : tasks) {
        result.masks[inner] = mtdn::core_inside(result.masks[outer], result.masks[inner]);
        const auto shared = result.areas.find(mtdn::shared_name(inner, outer));
        if (shared != result.areas.end()) result.areas[inner] = shared->second;
    }
}
