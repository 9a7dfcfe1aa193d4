#include <mtdn/backend/reference.hpp>

#define MTDN_TESTED_BACKENDS Reference<float>
#include "backend/operations.hpp"

TEST_CASE("the check of a backend finds what is wrong") {
    using testing::deviation;
    CHECK(deviation<float>({1, 2}, {1, 2}).rms == 0);
    CHECK(deviation<float>({3, 4.5F}, {3, 4}).rms == Approx(0.1));
    CHECK(deviation<float>({3, 4.5F}, {3, 4}).largest == Approx(0.125));
    CHECK(deviation<float>({0, 1e-30F}, {0, 0}).rms == HUGE_VAL);
    CHECK(deviation<float>({NAN, 1}, {0, 1}).rms == HUGE_VAL);
    Reference<float> single;
    CHECK_THAT(testing::check_backend(single, 0).front(),
               Catch::Contains("convolve/forward/") && Catch::Contains("off by"));
}
