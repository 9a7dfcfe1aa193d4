#pragma once

#include <mtdn/backend/cuda.hpp>

namespace mtdn {

/// An NVIDIA GPU with cuDNN 9.
///
/// All convolutions but transposed ones are cuDNN's, by algorithms whose results are equal from run to run. Operands
/// that are parts, slices or have a normalisation pending are written out first. In bfloat16 results are rounded to it,
/// too; in TF32 cuDNN rounds operands as it does. With `simple` they are the simple kernels of `Cuda`.
struct CudnnGpu {
    using Options = CudaOptions;
};

extern template class CudaFor<CudnnGpu>;

/// The backend for NVIDIA GPUs with cuDNN's convolutions.
using CudnnCuda = CudaFor<CudnnGpu>;

static_assert(Backend<CudnnCuda>);

}  // namespace mtdn
