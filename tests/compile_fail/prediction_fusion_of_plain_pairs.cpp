// expect: lists_the_pairs_that_segment_a_frame
#include <mtdn/change/fuse.hpp>

struct Itself {
#ifdef MTDN_SHOULD_FAIL
    std::vector<mtdn::Pair> partners(mtdn::Index query, mtdn::Index) const { return {{query, query}}; }
#else
    std::vector<mtdn::Comparison> partners(mtdn::Index query, mtdn::Index) const { return {{{query, query}}}; }
#endif
    mtdn::PredictionAccumulator accumulator(mtdn::Index height, mtdn::Index width) const { return {height, width}; }
    std::string name() const { return "itself"; }
};

mtdn::FusedMasks fuse(const mtdn::Mask& change) {
    return mtdn::fuse(Itself{}, 3, [&](const mtdn::Pair&) { return change; });
}
