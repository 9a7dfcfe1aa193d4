#pragma once

// What every CPU backend must do besides: a file that includes `operations.hpp` for one includes this instead.
#include "backend/operations.hpp"

TEMPLATE_TEST_CASE("either way to compute a convolution agrees with the reference", "", MTDN_TESTED_BACKENDS) {
    for (const auto algorithm : {ConvolutionAlgorithm::direct, ConvolutionAlgorithm::winograd}) {
        INFO("algorithm " << static_cast<int>(algorithm));
        TestType backend({.threads = 2, .convolution = algorithm});
        CHECK(testing::check_backend(backend) == Failures{});
    }
}
