// expect: names_its_parts
#include <mtdn/backend/reference.hpp>
#include <mtdn/nn/module.hpp>

using B = mtdn::Reference<double>;

struct Gain {
    mtdn::Parameter<B> gain;
#ifdef MTDN_SHOULD_FAIL
    static void visit(Gain& self, auto&& visitor) { visitor("gain", self.gain); }
#else
    static void visit(auto& self, auto&& visitor) { visitor("gain", self.gain); }
#endif
};
static_assert(mtdn::Module<Gain>);
