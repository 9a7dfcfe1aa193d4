#pragma once

#include <string>

/// How a backend computes.
struct Computing {
    int threads = 0;                   ///< 0: one for each processor
    std::string precision = "single";  ///< of the products of convolutions: single or bf16
};
