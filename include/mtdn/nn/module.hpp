#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <mtdn/autograd/parameter.hpp>

namespace mtdn {

namespace detail {

template <class T>
inline constexpr bool is_parameter = false;
template <Backend B>
inline constexpr bool is_parameter<Parameter<B>> = true;

template <class T>
inline constexpr bool is_running_statistics = false;
template <Backend B>
inline constexpr bool is_running_statistics<RunningStatistics<B>> = true;

struct NullVisitor {
    template <class T>
    void operator()(std::string_view, T&) const {}
};

[[gnu::cold]] inline std::string below(const std::string& path, std::string_view name) {
    return path.empty() || name.empty() ? path + std::string(name) : path + "." + std::string(name);
}

template <class M>
concept names_its_parts = requires(M& module, const M& constant) {
    M::visit(module, NullVisitor{});
    M::visit(constant, NullVisitor{});
};

}  // namespace detail

/// A piece of a network that names its parts: `static void visit(auto& self, auto&& visitor)` calls
/// `visitor("name", self.part)` once for every part, always in the same order.
///
/// Parts are modules, parameters, running statistics, or vectors or optionals of these; a vector of
/// (name, part) pairs carries its own names, another vector's are 0, 1, …. The name "" adds nothing to the path.
template <class M>
concept Module = std::movable<M> && detail::names_its_parts<M>;

/// Calls `leaf(path, parameter or running statistics)` for everything inside a module, depth first; names on the way
/// are joined by dots.
template <class M, class Leaf>
void visit_leaves(M& module, const std::string& path, Leaf&& leaf) {
    using Type = std::remove_const_t<M>;
    if constexpr (detail::is_parameter<Type> || detail::is_running_statistics<Type>) {
        leaf(path, module);
    } else if constexpr (detail::names_its_parts<Type>) {
        Type::visit(module,
                    [&](std::string_view name, auto& part) { visit_leaves(part, detail::below(path, name), leaf); });
    } else if constexpr (requires { module.has_value(); }) {
        if (module) visit_leaves(*module, path, leaf);
    } else {
        std::size_t i = 0;
        for (auto& part : module) {
            if constexpr (requires { part.first.size(); part.second; })
                visit_leaves(part.second, detail::below(path, part.first), leaf);
            else
                visit_leaves(part, detail::below(path, std::to_string(i++)), leaf);
        }
    }
}

/// Calls `function(path, parameter)` for every parameter of a module.
template <class M, class Function>
void visit_parameters(M& module, Function&& function) {
    visit_leaves(module, "", [&](const std::string& path, auto& leaf) {
        if constexpr (detail::is_parameter<std::remove_const_t<std::remove_reference_t<decltype(leaf)>>>)
            function(path, leaf);
    });
}

namespace detail {

/// A parameter of a module under its path.
template <Backend B>
struct NamedParameter {
    std::string path;
    Parameter<B>* parameter;
};

/// What puts a module's parameters into a list: the one visitor for all that is done with them.
template <Backend B>
struct ParameterCollector {
    std::vector<NamedParameter<B>>& list;

    void operator()(const std::string& path, Parameter<B>& parameter) const { list.push_back({path, &parameter}); }
    void operator()(const std::string&, RunningStatistics<B>&) const {}
};

/// All parameters of a module; valid while its parts stay where they are.
template <Backend B, class M>
[[gnu::cold]] std::vector<NamedParameter<B>> parameters_of(M& module) {
    std::vector<NamedParameter<B>> list;
    visit_leaves(module, "", ParameterCollector<B>{list});
    return list;
}

}  // namespace detail

/// Number of a module's parameters.
template <class M>
Index count_parameters(const M& module) {
    Index count = 0;
    visit_parameters(module, [&](const std::string&, const auto& p) { count += p.value.shape().size(); });
    return count;
}

}  // namespace mtdn
