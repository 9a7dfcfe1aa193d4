// expect: cuda_kernels.cuh> is for nvcc, in a .cu file; other files include <mtdn/cuda.hpp>
#ifdef MTDN_SHOULD_FAIL
#include <mtdn/cuda_kernels.cuh>
#else
#include <mtdn/cuda.hpp>
#endif
