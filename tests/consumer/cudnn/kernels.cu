#include <mtdn/cudnn_kernels.cuh>

template class mtdn::CudaFor<mtdn::CudnnGpu>;
