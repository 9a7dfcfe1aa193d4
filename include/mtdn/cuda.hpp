#pragma once

// The backend for NVIDIA GPUs, for any compiler. One `.cu` file of the program includes <mtdn/cuda_kernels.cuh>.

#include <mtdn/backend/cuda.hpp>
