#pragma once

// The backend that programs of this folder and of bench/gpu are compiled for.
#ifdef MTDN_CUDNN
#include <mtdn/cudnn.hpp>
#else
#include <mtdn/cuda.hpp>
#endif

namespace mtdn::testing {

#ifdef MTDN_CUDNN
using Tested = CudnnCuda;
inline constexpr bool with_cudnn = true;
#else
using Tested = Cuda;
inline constexpr bool with_cudnn = false;
#endif

}  // namespace mtdn::testing
