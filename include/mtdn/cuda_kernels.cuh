#pragma once

// The code of the CUDA backend, for nvcc. One `.cu` file of a program includes it and says
//
//   template class mtdn::CudaFor<mtdn::Gpu>;
//
// All other files, compiled by any compiler, include <mtdn/cuda.hpp>.

#ifndef __CUDACC__
#error "<mtdn/cuda_kernels.cuh> is for nvcc, in a .cu file; other files include <mtdn/cuda.hpp>"
#endif
#if __cplusplus < 202002L
#error "<mtdn/cuda_kernels.cuh> is C++20: compile it with nvcc -std=c++20, or link the CMake target mtdn::cuda"
#endif

#include <mtdn/backend/cuda/gpu.cuh>
