#pragma once

#include <string>

#include <mtdn/backend/options.hpp>

/// What a network runs on.
struct Machine {
    int threads = 0;                   ///< of the CPU; 0: one for each processor
    std::string device = "cpu";        ///< cpu; cuda; auto, a GPU where there is one
    int gpu = 0;                       ///< number of the GPU
    std::string precision = "single";  ///< of the products of convolutions: single, bf16, tf32 or tf32x3

    mtdn::Precision products() const {
        return precision == "bf16"     ? mtdn::Precision::bfloat16
               : precision == "tf32"   ? mtdn::Precision::tf32
               : precision == "tf32x3" ? mtdn::Precision::tf32x3
                                       : mtdn::Precision::single;
    }
};
