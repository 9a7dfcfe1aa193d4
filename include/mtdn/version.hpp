#pragma once

namespace mtdn {

/// The library's version, by semantic versioning; the build reads it from here.
inline constexpr const char* version = "0.1.0";

}  // namespace mtdn
