// expect: maps_logits_and_labels_to_a_number
#include <mtdn/backend/reference.hpp>
#include <mtdn/loss/loss.hpp>

using B = mtdn::Reference<double>;

struct Sum {
#ifdef MTDN_SHOULD_FAIL
    double operator()(const mtdn::Variable<B>&, const mtdn::Tensor<B, std::uint8_t>&) const { return 0; }
#else
    mtdn::Variable<B> operator()(const mtdn::Variable<B>& logits, const mtdn::Tensor<B, std::uint8_t>&) const {
        return logits;
    }
#endif
};
static_assert(mtdn::Loss<Sum, B>);
