// All that the program needs to use a GPU, besides <mtdn/cuda.hpp> where it names one.
#include <mtdn/cuda_kernels.cuh>

template class mtdn::CudaFor<mtdn::Gpu>;
