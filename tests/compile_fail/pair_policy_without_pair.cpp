// expect: finds_a_pair_by_its_number
#include <mtdn/change/counts.hpp>

struct Neighbours {
    mtdn::Index count(mtdn::Index frames) const { return frames > 0 ? frames - 1 : 0; }
#ifndef MTDN_SHOULD_FAIL
    mtdn::Pair pair(mtdn::Index, mtdn::Index i) const { return {i, i + 1}; }
#endif
    std::string name() const { return "neighbours"; }
};

mtdn::ClassCounts<4> count(const mtdn::Masks& masks) { return mtdn::class_counts(Neighbours{}, masks); }
