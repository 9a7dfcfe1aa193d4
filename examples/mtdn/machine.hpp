#pragma once

#include <string>

/// What a network runs on.
struct Machine {
    int threads = 0;             ///< of the CPU; 0: one for each processor
    std::string device = "cpu";  ///< cpu; cuda; auto, a GPU where there is one
};
