#pragma once

#include <mtdn/backend/reference.hpp>
#include <mtdn/nn/module.hpp>

namespace mtdn::testing {

/// The smallest module: one parameter, by name.
//[module
template <Backend B>
struct ModuleArchetype {
    Parameter<B> gain;

    static void visit(auto& self, auto&& visitor) { visitor("gain", self.gain); }
};
//]
static_assert(Module<ModuleArchetype<Reference<double>>>);

}  // namespace mtdn::testing
