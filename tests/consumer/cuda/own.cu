#include "own.hpp"

namespace {

__global__ void square(float* values, mtdn::Index count) {
    const mtdn::Index i = blockIdx.x * mtdn::Index{blockDim.x} + threadIdx.x;
    if (i < count) values[i] *= values[i];
}

}  // namespace

// An operation of one's own, on a stream of its own: what is queued comes first, and what follows waits.
void square_all(const mtdn::Tensor<mtdn::Cuda>& x) {
    x.backend().wait();
    square<<<static_cast<unsigned>(x.shape().size() / 256 + 1), 256>>>(x.data(), x.shape().size());
    mtdn::require<mtdn::BackendError>(cudaDeviceSynchronize() == cudaSuccess, "square_all failed");
}
