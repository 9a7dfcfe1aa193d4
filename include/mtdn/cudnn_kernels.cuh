#pragma once

// The code of the CUDA backend with cuDNN's convolutions, for nvcc. One `.cu` file of a program includes it and says
//
//   template class mtdn::CudaFor<mtdn::CudnnGpu>;
//
// All other files, compiled by any compiler, include <mtdn/cudnn.hpp>.

#include <mtdn/cuda_kernels.cuh>

#include <mtdn/backend/cuda/cudnn.cuh>
