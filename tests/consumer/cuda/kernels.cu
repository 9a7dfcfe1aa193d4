#include <mtdn/cuda_kernels.cuh>

template class mtdn::CudaFor<mtdn::Gpu>;
