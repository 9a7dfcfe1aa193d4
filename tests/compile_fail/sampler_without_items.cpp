// expect: counts_what_an_epoch_holds
#include <mtdn/data/sampler.hpp>

struct Same {
    mtdn::Index batches() const { return 1; }
#ifndef MTDN_SHOULD_FAIL
    mtdn::Index items() const { return 0; }
#endif
    mtdn::Batch batch(mtdn::Index, mtdn::Index) const { return {}; }
};

template <mtdn::BatchSampler S>
mtdn::Batch first(const S& sampler) {
    return sampler.batch(0, 0);
}

mtdn::Batch same() { return first(Same{}); }
