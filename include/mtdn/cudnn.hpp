#pragma once

// The backend for NVIDIA GPUs with cuDNN's convolutions, for any compiler. One `.cu` file of the program includes
// <mtdn/cudnn_kernels.cuh>, and the program is linked with cuDNN.

#include <mtdn/backend/cudnn.hpp>
