#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/nn/module.hpp>

namespace mtdn {

/// One tensor of a state dictionary, in PyTorch's layout: convolutions (out, in, k, k), transposed ones
/// (in, out, k, k), vectors (C), counters ().
struct StateTensor {
    std::vector<Index> shape;
    std::vector<double> values;
    bool counter = false;  ///< a 64-bit integer, `num_batches_tracked`
};

/// A model's state by name, in the order of the visit.
using StateDictionary = std::vector<std::pair<std::string, StateTensor>>;

namespace detail {

inline std::vector<Index> torch_shape(ParameterKind kind, const Shape& s) {
    if (kind == ParameterKind::vector) return {s.channels};
    if (kind == ParameterKind::convolution) return {s.channels, s.width, s.frames, s.height};
    return {s.width, s.channels, s.frames, s.height};
}

// Calls move(ours, theirs) for the offset of every element of a parameter in either layout.
template <class Move>
void for_each_element(ParameterKind kind, const Shape& s, Move&& move) {
    Index ours = 0;
    for (Index row = 0; row < s.frames; ++row)
        for (Index column = 0; column < s.height; ++column)
            for (Index in = 0; in < s.width; ++in)
                for (Index out = 0; out < s.channels; ++out, ++ours) {
                    const Index first = kind == ParameterKind::transposed_convolution ? in : out;
                    const Index second = kind == ParameterKind::transposed_convolution ? out : in;
                    const Index seconds = kind == ParameterKind::transposed_convolution ? s.channels : s.width;
                    const Index theirs = kind == ParameterKind::vector
                                             ? ours
                                             : ((first * seconds + second) * s.frames + row) * s.height + column;
                    move(static_cast<std::size_t>(ours), static_cast<std::size_t>(theirs));
                }
}

template <Backend B>
StateTensor export_tensor(ParameterKind kind, const Tensor<B>& tensor) {
    const auto values = download(tensor);
    StateTensor state{torch_shape(kind, tensor.shape()), std::vector<double>(values.size()), false};
    for_each_element(kind, tensor.shape(), [&](std::size_t ours, std::size_t theirs) {
        state.values[theirs] = static_cast<double>(values[ours]);
    });
    return state;
}

template <Backend B>
void import_tensor(ParameterKind kind, const StateTensor& state, const Tensor<B>& tensor) {
    std::vector<typename B::Scalar> values(state.values.size());
    for_each_element(kind, tensor.shape(), [&](std::size_t ours, std::size_t theirs) {
        values[ours] = static_cast<typename B::Scalar>(state.values[theirs]);
    });
    upload(std::span<const typename B::Scalar>(values), tensor);
}

// Calls item(name, kind, tensor) for tensors and item(name, counter) for counters.
template <class M, class Item>
void visit_state(M& module, Item&& item) {
    visit_leaves(module, "", [&](const std::string& path, auto& leaf) {
        if constexpr (is_parameter<std::remove_const_t<std::remove_reference_t<decltype(leaf)>>>) {
            item(path, leaf.kind, leaf.value);
        } else {
            const std::string prefix = path.empty() ? "" : path + ".";
            item(prefix + "running_mean", ParameterKind::vector, leaf.mean);
            item(prefix + "running_var", ParameterKind::vector, leaf.variance);
            item(prefix + "num_batches_tracked", ParameterKind::vector, leaf.batches);
        }
    });
}

template <class T>
inline constexpr bool is_counter = requires(const T& t) { t.get(); };

inline std::string written(const std::vector<Index>& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + ")";
}

}  // namespace detail

/// All parameters and running statistics of a module, under their visit paths.
template <class M>
StateDictionary state_of(const M& module) {
    StateDictionary state;
    detail::visit_state(module, [&](const std::string& name, ParameterKind kind, const auto& leaf) {
        if constexpr (detail::is_counter<decltype(leaf)>)
            state.emplace_back(name, StateTensor{{}, {static_cast<double>(*leaf)}, true});
        else
            state.emplace_back(name, detail::export_tensor(kind, leaf));
    });
    return state;
}

/// Loads a state dictionary into a module, all or nothing.
///
/// A counter may be missing. Names of the dictionary that the module has no place for are returned.
///
/// @throws ShapeError if a tensor has another shape; DataError if one is missing, or holds NaN or infinity
template <class M>
std::vector<std::string> load_state(M& module, const StateDictionary& state, const std::string& source) {
    std::map<std::string, const StateTensor*> by_name;
    for (const auto& entry : state) by_name[entry.first] = &entry.second;
    const auto find = [&](const std::string& name) {
        const auto found = by_name.find(name);
        return found == by_name.end() ? nullptr : found->second;
    };
    std::map<std::string, bool> used;
    detail::visit_state(module, [&](const std::string& name, ParameterKind kind, auto& leaf) {
        const StateTensor* tensor = find(name);
        used[name] = true;
        if constexpr (!detail::is_counter<decltype(leaf)>) {
            require<DataError>(tensor, source, ": tensor \"", name, "\" is missing");
            const auto expected = detail::torch_shape(kind, leaf.shape());
            require<ShapeError>(tensor->shape == expected, source, ": tensor \"", name, "\" has shape ",
                                detail::written(tensor->shape), ", the model expects ", detail::written(expected));
            require<DataError>(std::all_of(tensor->values.begin(), tensor->values.end(),
                                           [](double value) { return std::isfinite(value); }),
                               source, ": tensor \"", name, "\" holds NaN or infinity");
        }
    });
    detail::visit_state(module, [&](const std::string& name, ParameterKind kind, auto& leaf) {
        const StateTensor* tensor = find(name);
        if constexpr (detail::is_counter<decltype(leaf)>)
            *leaf = tensor && !tensor->values.empty() ? static_cast<std::int64_t>(tensor->values.front()) : 0;
        else
            detail::import_tensor(kind, *tensor, leaf);
    });
    raise_versions(module);
    std::vector<std::string> unused;
    for (const auto& entry : state)
        if (!used.count(entry.first)) unused.push_back(entry.first);
    return unused;
}

}  // namespace mtdn
