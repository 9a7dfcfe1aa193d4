// expect: names_its_first_convolution
#include <mtdn/backend/reference.hpp>
#include <mtdn/siamese/head.hpp>

using B = mtdn::Reference<double>;

struct Own : mtdn::ConvHead<B> {
    using mtdn::ConvHead<B>::ConvHead;
#ifdef MTDN_SHOULD_FAIL
    // The convolution alone is not enough.
    const mtdn::Conv2d<B>& first_layer() const { return mtdn::ConvHead<B>::first_layer().convolution; }
#endif
};
static_assert(mtdn::SplittableHead<Own, B>);
