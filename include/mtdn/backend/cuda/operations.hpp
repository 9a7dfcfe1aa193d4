#pragma once

// The members of `CudaFor`, for any device whose `Queue` and `launch` are there.

#include <mtdn/backend/cuda/classification.hpp>
#include <mtdn/backend/cuda/convolution.hpp>
#include <mtdn/backend/cuda/elements.hpp>
#include <mtdn/backend/cuda/frame_moves.hpp>
#include <mtdn/backend/cuda/head_end.hpp>
#include <mtdn/backend/cuda/last_pixels.hpp>
#include <mtdn/backend/cuda/normalisation.hpp>
#include <mtdn/backend/cuda/optimiser.hpp>
#include <mtdn/backend/cuda/pooling.hpp>
#include <mtdn/backend/cuda/resizing.hpp>

namespace mtdn {

template <class D>
CudaFor<D>::CudaFor(Queue* queue) : queue_(queue) {}
template <class D>
CudaFor<D>::~CudaFor() = default;

template <class D>
auto CudaFor<D>::add_one_cu_file_that_includes_mtdn_cuda_kernels_cuh(const Options& options) -> Queue* {
    return new Queue(options);
}

template <class D>
MemoryPool& CudaFor<D>::memory() {
    return queue_->memory();
}
template <class D>
std::string CudaFor<D>::describe() const {
    return queue_->describe();
}
template <class D>
void CudaFor<D>::wait() {
    queue_->wait();
}

template <class D>
void CudaFor<D>::upload(std::span<const float> values, Out y) {
    queue_->copy_in(values.data(), y.data, detail::cuda::Rows(y));
}
template <class D>
void CudaFor<D>::upload(std::span<const std::uint8_t> values, OutLabels y) {
    queue_->copy_in(values.data(), y.data, detail::cuda::Rows(y));
}
template <class D>
void CudaFor<D>::download(In x, std::span<float> values) {
    queue_->copy_out(x.data, values.data(), detail::cuda::Rows(x));
}
template <class D>
void CudaFor<D>::download(InLabels x, std::span<std::uint8_t> values) {
    queue_->copy_out(x.data, values.data(), detail::cuda::Rows(x));
}

template <class D>
Index CudaFor<D>::read_later(In x) {
    return queue_->read_later(x.data);
}
template <class D>
double CudaFor<D>::late_number(Index request) {
    return queue_->late_number(request);
}
template <class D>
bool CudaFor<D>::records() const {
    return queue_->records();
}
template <class D>
Index CudaFor<D>::meetings() const {
    return queue_->meetings();
}
template <class D>
auto CudaFor<D>::record(const std::function<void()>& work) -> Recording {
    queue_->begin_recording();
    try {
        work();
    } catch (...) {
        queue_->abandon_recording();
        throw;
    }
    return queue_->end_recording();
}
template <class D>
void CudaFor<D>::replay(const Recording& recording) {
    require<BackendError>(recording != nullptr, "replay: nothing was recorded");
    queue_->replay(recording);
}

}  // namespace mtdn
