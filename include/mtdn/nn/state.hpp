#pragma once

#include <algorithm>
#include <cmath>
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

[[gnu::cold]] inline std::vector<Index> torch_shape(ParameterKind kind, const Shape& s) {
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

/// One tensor or counter of a module's state, of any backend.
struct StateItem {
    std::string name;
    ParameterKind kind;
    std::vector<Index> shape;  ///< PyTorch's
    bool counter;
    void* place;               ///< the tensor or counter itself
    std::uint64_t* version;    ///< of the parameter that it is, or null
    StateTensor (*save)(const StateItem&);
    void (*load)(const StateItem&, const StateTensor*);  ///< a counter may have none
};

template <Backend B>
StateTensor save_tensor(const StateItem& item) {
    return export_tensor(item.kind, *static_cast<const Tensor<B>*>(item.place));
}
template <Backend B>
void load_tensor(const StateItem& item, const StateTensor* state) {
    import_tensor(item.kind, *state, *static_cast<const Tensor<B>*>(item.place));
    if (item.version) ++*item.version;
}

inline StateTensor save_counter(const StateItem& item) {
    return {{}, {static_cast<double>(*static_cast<const std::int64_t*>(item.place))}, true};
}
inline void load_counter(const StateItem& item, const StateTensor* state) {
    *static_cast<std::int64_t*>(item.place) =
        state && !state->values.empty() ? static_cast<std::int64_t>(state->values.front()) : 0;
}

/// What puts a module's state into a list: the one visitor for all that is done with it.
struct StateCollector {
    std::vector<StateItem>& items;

    template <Backend B>
    [[gnu::cold]] void operator()(const std::string& path, Parameter<B>& p) const {
        add(path, p.kind, p.value, &p.version);
    }
    template <Backend B>
    [[gnu::cold]] void operator()(const std::string& path, RunningStatistics<B>& statistics) const {
        const std::string prefix = path.empty() ? "" : path + ".";
        add(prefix + "running_mean", ParameterKind::vector, statistics.mean, nullptr);
        add(prefix + "running_var", ParameterKind::vector, statistics.variance, nullptr);
        items.push_back({prefix + "num_batches_tracked", ParameterKind::vector, {}, true, statistics.batches.get(),
                         nullptr, save_counter, load_counter});
    }

private:
    template <Backend B>
    void add(const std::string& name, ParameterKind kind, Tensor<B>& tensor, std::uint64_t* version) const {
        items.push_back({name, kind, torch_shape(kind, tensor.shape()), false, &tensor, version, save_tensor<B>,
                         load_tensor<B>});
    }
};

/// All state of a module, in the order of the visit; valid while its parts stay where they are.
template <class M>
std::vector<StateItem> state_items(M& module) {
    std::vector<StateItem> items;
    visit_leaves(module, "", StateCollector{items});
    return items;
}

[[gnu::cold]] inline StateDictionary save_state(const std::vector<StateItem>& items) {
    StateDictionary state;
    for (const auto& item : items) state.emplace_back(item.name, item.save(item));
    return state;
}

[[gnu::cold]] inline std::string written(const std::vector<Index>& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + ")";
}

[[gnu::cold]]
inline std::vector<std::string> load_state(const std::vector<StateItem>& items, const StateDictionary& state,
                                           const std::string& source) {
    std::vector<const StateTensor*> tensors;
    for (const auto& item : items) {
        const auto found = std::find_if(state.begin(), state.end(),
                                        [&](const auto& entry) { return entry.first == item.name; });
        const StateTensor* tensor = found == state.end() ? nullptr : &found->second;
        tensors.push_back(tensor);
        if (item.counter) continue;
        require<DataError>(tensor, source, ": tensor \"", item.name, "\" is missing");
        require<ShapeError>(tensor->shape == item.shape, source, ": tensor \"", item.name, "\" has shape ",
                            written(tensor->shape), ", the model expects ", written(item.shape));
        require<DataError>(std::all_of(tensor->values.begin(), tensor->values.end(),
                                       [](double value) { return std::isfinite(value); }),
                           source, ": tensor \"", item.name, "\" holds NaN or infinity");
    }
    for (std::size_t i = 0; i < items.size(); ++i) items[i].load(items[i], tensors[i]);
    std::vector<std::string> unused;
    for (const auto& [name, tensor] : state)
        if (std::none_of(items.begin(), items.end(), [&n = name](const StateItem& item) { return item.name == n; }))
            unused.push_back(name);
    return unused;
}

}  // namespace detail

/// All parameters and running statistics of a module, under their visit paths.
template <class M>
StateDictionary state_of(const M& module) {
    return detail::save_state(detail::state_items(const_cast<M&>(module)));  // which are only read
}

/// Loads a state dictionary into a module, all or nothing.
///
/// A counter may be missing. Names of the dictionary that the module has no place for are returned.
///
/// @throws ShapeError if a tensor has another shape; DataError if one is missing, or holds NaN or infinity
template <class M>
std::vector<std::string> load_state(M& module, const StateDictionary& state, const std::string& source) {
    return detail::load_state(detail::state_items(module), state, source);
}

}  // namespace mtdn
