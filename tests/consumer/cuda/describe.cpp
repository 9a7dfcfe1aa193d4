#include "own.hpp"

std::string describe(const mtdn::Cuda& gpu) { return gpu.describe(); }
