#pragma once

#include <map>
#include <string>

#include <mtdn/core/shape.hpp>

namespace mtdn::testing {

/// Blocks that the emulator ran of kernels whose names have both of these in them.
inline Index blocks_of(const std::map<std::string, Index>& blocks, const char* name, const char* of = "") {
    Index sum = 0;
    for (const auto& [kernel, number] : blocks)
        if (kernel.find(name) != std::string::npos && kernel.find(of) != std::string::npos) sum += number;
    return sum;
}

}  // namespace mtdn::testing
