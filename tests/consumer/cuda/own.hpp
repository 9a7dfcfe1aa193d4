#pragma once

#include <mtdn/cuda.hpp>

void square_all(const mtdn::Tensor<mtdn::Cuda>& x);
std::string describe(const mtdn::Cuda& gpu);
