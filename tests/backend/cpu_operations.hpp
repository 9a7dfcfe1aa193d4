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

// A factor is off by up to 2⁻⁸ of itself, 0.0016 root mean square over all mantissas; so a product is by 0.0023, and a
// sum of many products by as much of its size. The table's worst is 0.0031.
TEMPLATE_TEST_CASE("in bfloat16 convolutions agree with the reference to its digits, and all else as ever", "",
                   MTDN_TESTED_BACKENDS) {
    TestType backend({.threads = 2, .precision = Precision::bfloat16});
    CHECK(testing::check_backend(backend, 1e-5, 5e-3) == Failures{});
    CHECK_FALSE(testing::check_backend(backend, 1e-5, 1e-3).empty());  // it is bfloat16 that was computed with
    for (const int threads : {1, 3, 7}) {
        INFO(threads << " threads");
        TestType other({.threads = threads, .precision = Precision::bfloat16});
        CHECK(testing::check_equal_bits(backend, other) == Failures{});
    }
}
