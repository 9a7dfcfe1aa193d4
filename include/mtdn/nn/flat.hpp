#pragma once

#include <string>
#include <vector>

#include <mtdn/nn/module.hpp>

namespace mtdn {

/// A model's parameters as one flat buffer, its gradients as a twin of the same layout.
///
/// Every parameter starts at a multiple of 16 elements; the gaps are zero and stay so.
template <Backend B>
struct FlatParameters {
    struct Entry {
        std::string name;
        Index offset = 0;
        Index size = 0;
        ParameterKind kind = ParameterKind::vector;
        bool trainable = true;
    };

    Tensor<B> values;     ///< (1, 1, 1, total)
    Tensor<B> gradients;  ///< the same, or empty before `enable_gradients`
    std::vector<Entry> entries;

    /// Number of parameters, gaps not counted.
    Index count() const {
        Index sum = 0;
        for (const auto& entry : entries) sum += entry.size;
        return sum;
    }
};

namespace detail {

template <Backend B>
[[gnu::cold]] FlatParameters<B> flattened(B& backend, const std::vector<NamedParameter<B>>& list) {
    FlatParameters<B> flat;
    Index total = 0;
    for (const auto& [path, p] : list) {
        const Index size = p->value.shape().size();
        flat.entries.push_back({path, total, size, p->kind, p->trainable});
        total += (size + 15) / 16 * 16;
    }
    flat.values = Tensor<B>(backend, vector_shape(total));
    backend.fill(flat.values, 0);
    std::size_t i = 0;
    for (const auto& [path, p] : list) {
        const Tensor<B> place = flat.values.piece(flat.entries[i++].offset, p->value.shape());
        backend.copy(p->value, place);
        p->value = place;
        p->gradient = {};
    }
    return flat;
}

template <Backend B>
[[gnu::cold]] void add_gradients(FlatParameters<B>& flat, const std::vector<NamedParameter<B>>& list) {
    if (flat.gradients.empty()) {
        flat.gradients = Tensor<B>(flat.values.backend(), flat.values.shape());
        flat.values.backend().fill(flat.gradients, 0);
    }
    std::size_t i = 0;
    for (const auto& [path, p] : list) {
        auto& entry = flat.entries[i++];
        entry.trainable = p->trainable;
        p->gradient = flat.gradients.piece(entry.offset, p->value.shape());
    }
}

}  // namespace detail

/// Moves a module's parameters into one flat buffer, of which they are views from then on.
template <Backend B, class M>
FlatParameters<B> flatten(B& backend, M& module) {
    return detail::flattened(backend, detail::parameters_of<B>(module));
}

/// Gives every parameter of a flattened module a gradient, all zero. Does nothing to gradients that are there.
template <Backend B, class M>
void enable_gradients(FlatParameters<B>& flat, M& module) {
    detail::add_gradients(flat, detail::parameters_of<B>(module));
}

}  // namespace mtdn
