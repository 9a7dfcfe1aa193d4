#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace mtdn {

/// Base of every exception that the library throws.
///
/// A message names the function or file, the thing, what was expected and what came.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Sizes that do not fit together.
class ShapeError : public Error {
public:
    using Error::Error;
};

/// An option outside its range, or options that exclude each other.
class OptionError : public Error {
public:
    using Error::Error;
};

/// Values that the data must not have: a mask's third value, a label out of range.
class DataError : public Error {
public:
    using Error::Error;
};

/// A file that cannot be read or written, or that is not what its name says.
class IoError : public Error {
public:
    using Error::Error;
};

/// A device that is missing, lacks an instruction set or is out of memory.
class BackendError : public Error {
public:
    using Error::Error;
};

/// Something odd but allowed; collected in the `warnings()` of the object that met it.
struct Warning {
    std::string message;
};

/// The arguments written one after the other, as `operator<<` writes them.
template <class... Parts>
std::string concatenate(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

/// Throws `E` with the concatenated parts as its message.
template <class E, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    throw E(concatenate(parts...));
}

/// Throws `E` with the concatenated parts unless `condition` holds. On in every build type.
template <class E, class... Parts>
constexpr void require(bool condition, const Parts&... parts) {
    if (!condition) fail<E>(parts...);
}

}  // namespace mtdn
