#pragma once

#include <initializer_list>
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

namespace detail {

/// One part of a message, whatever its type: then one function puts together all messages.
class MessagePart {
public:
    template <class T>
    MessagePart(const T& value)
        : value_(&value),
          write_([](std::ostream& out, const void* part) { out << *static_cast<const T*>(part); }) {}
    MessagePart(const char* text)
        : value_(text), write_([](std::ostream& out, const void* part) { out << static_cast<const char*>(part); }) {}

    void write(std::ostream& out) const { write_(out, value_); }

private:
    const void* value_;
    void (*write_)(std::ostream&, const void*);
};

[[gnu::cold, gnu::noinline]] inline std::string message(std::initializer_list<MessagePart> parts) {
    std::ostringstream out;
    for (const MessagePart& part : parts) part.write(out);
    return out.str();
}

template <class E>
[[noreturn, gnu::cold, gnu::noinline]] void throw_error(std::initializer_list<MessagePart> parts) {
    throw E(message(parts));
}

}  // namespace detail

/// The arguments written one after the other, as `operator<<` writes them.
template <class... Parts>
std::string concatenate(const Parts&... parts) {
    return detail::message({parts...});
}

/// Throws `E` with the concatenated parts as its message.
template <class E, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    detail::throw_error<E>({parts...});
}

/// Throws `E` with the concatenated parts unless `condition` holds. On in every build type.
template <class E, class... Parts>
constexpr void require(bool condition, const Parts&... parts) {
    if (!condition) detail::throw_error<E>({parts...});
}

}  // namespace mtdn
