// expect: gives_a_factor_for_every_epoch
#include <mtdn/optim/schedule.hpp>

struct Halving {
    double factor = 1;
#ifdef MTDN_SHOULD_FAIL
    double operator()(mtdn::Index) { return factor /= 2; }
#else
    double operator()(mtdn::Index) const { return factor; }
#endif
};
static_assert(mtdn::Schedule<Halving>);
