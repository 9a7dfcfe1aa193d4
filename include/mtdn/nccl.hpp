#pragma once

// Ranks with an NVIDIA GPU each, by NCCL. Link libnccl and libcudart.

#include <nccl.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <span>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <mtdn/core/communicator.hpp>
#include <mtdn/core/error.hpp>

namespace mtdn {

/// The ranks of another communicator, which exchange by NCCL. Copies share it.
///
/// Sums are made in the order of the ranks, as the concept has it and NCCL's own sums are not: each rank gets its piece
/// of all ranks' values, adds them, and the pieces are gathered. Values come from the host and go back to it.
class NcclCommunicator {
public:
    /// @param meeting of the same ranks; tells them where to meet, and is not used afterwards
    /// @param device  number of this rank's GPU; two ranks cannot share one
    /// @throws BackendError, as all members do, naming the rank and the call
    template <Communicator C>
    explicit NcclCommunicator(C& meeting, int device = 0) {
        auto state = std::make_shared<State>();
        state->rank = meeting.rank();
        state->size = meeting.size();
        state->device = device;
        state->use_device();
        ncclUniqueId id{};
        if (state->rank == 0) state->check(ncclGetUniqueId(&id), "ncclGetUniqueId");
        std::vector<double> bytes(std::begin(id.internal), std::end(id.internal));
        meeting.broadcast(std::span<double>(bytes));
        std::transform(bytes.begin(), bytes.end(), id.internal, [](double byte) { return static_cast<char>(byte); });
        state->check(cudaStreamCreateWithFlags(&state->stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
        state->check(ncclCommInitRank(&state->comm, state->size, id, state->rank), "ncclCommInitRank");
        state_ = std::move(state);
    }

    int rank() const { return state_->rank; }
    int size() const { return state_->size; }
    void all_reduce(std::span<float> values) { sum(values); }
    void all_reduce(std::span<double> values) { sum(values); }
    void broadcast(std::span<float> values) { copy(values); }
    void broadcast(std::span<double> values) { copy(values); }
    void barrier() {
        float nothing = 0;
        sum(std::span(&nothing, 1));
    }

private:
    struct State {
        State() = default;
        State(const State&) = delete;
        State& operator=(const State&) = delete;
        ~State() {
            cudaSetDevice(device);
            // To destroy is to wait for the others, who may be waiting elsewhere if this rank is failing.
            if (std::uncaught_exceptions() > exceptions) abort();
            if (comm) ncclCommDestroy(comm);
            for (void* memory : {sent, received}) cudaFree(memory);
            if (stream) cudaStreamDestroy(stream);
        }

        void use_device() const { check(cudaSetDevice(device), "cudaSetDevice"); }
        /// Waits for the stream, on which nothing ever ends where another rank has gone: NCCL tells that aside.
        void wait() {
            cudaError_t done = cudaErrorNotReady;
            while ((done = cudaStreamQuery(stream)) == cudaErrorNotReady) {
                ncclResult_t other = ncclSuccess;
                const ncclResult_t asked = ncclCommGetAsyncError(comm, &other);
                if (asked != ncclSuccess || (other != ncclSuccess && other != ncclInProgress)) {
                    abort();
                    check(asked, "ncclCommGetAsyncError");
                    check(other, "an exchange");
                }
                std::this_thread::yield();
            }
            check(done, "cudaStreamQuery");
        }
        /// Gives the communicator up, so that nothing on the stream waits for others.
        void abort() noexcept {
            if (comm) ncclCommAbort(std::exchange(comm, nullptr));
        }
        /// Calls that NCCL takes as one. The group ends even where one of them fails: else what follows would join it.
        template <class Calls>
        void group(Calls&& calls) const {
            check(ncclGroupStart(), "ncclGroupStart");
            const ncclResult_t called = calls(), ended = ncclGroupEnd();
            check(called, "ncclSend or ncclRecv");
            check(ended, "ncclGroupEnd");
        }
        void check(ncclResult_t code, const char* call) const {
            if (code != ncclSuccess) refuse(call, ncclGetErrorString(code));
        }
        void check(cudaError_t code, const char* call) const {
            if (code != cudaSuccess) refuse(call, cudaGetErrorString(code));
        }
        [[noreturn]] void refuse(const char* call, const char* why) const {
            fail<BackendError>("NcclCommunicator: rank ", rank, " of ", size, ", GPU ", device, ": ", call, " failed: ",
                               why);
        }

        /// Device memory for as much, sent and received.
        void reserve(std::size_t bytes) {
            if (bytes <= capacity) return;
            capacity = 0;
            for (void** memory : {&sent, &received}) {
                check(cudaFree(*memory), "cudaFree");
                *memory = nullptr;
                check(cudaMalloc(memory, bytes), "cudaMalloc");
            }
            capacity = bytes;
        }
        template <class T>
        void upload(std::span<const T> values) const {
            check(cudaMemcpyAsync(sent, values.data(), values.size_bytes(), cudaMemcpyHostToDevice, stream),
                  "cudaMemcpyAsync");
        }
        template <class T>
        void download(const void* from, std::span<T> values) {
            wait();  // before a copy to pageable memory, which would wait without asking NCCL
            check(cudaMemcpyAsync(values.data(), from, values.size_bytes(), cudaMemcpyDeviceToHost, stream),
                  "cudaMemcpyAsync");
            wait();
        }

        int rank = 0, size = 1, device = 0;
        int exceptions = std::uncaught_exceptions();
        ncclComm_t comm = nullptr;
        cudaStream_t stream = nullptr;
        void *sent = nullptr, *received = nullptr;
        std::size_t capacity = 0;
    };

    template <class T>
    static constexpr ncclDataType_t type = std::is_same_v<T, float> ? ncclFloat : ncclDouble;

    template <class T>
    void sum(std::span<T> values) {
        State& state = *state_;
        state.use_device();
        const auto ranks = static_cast<std::size_t>(state.size);
        const std::size_t piece = (values.size() + ranks - 1) / ranks;
        if (piece == 0) return;
        std::vector<T> all(ranks * piece);
        std::copy(values.begin(), values.end(), all.begin());
        state.reserve(all.size() * sizeof(T));
        state.upload(std::span<const T>(all));
        state.group([&] {
            ncclResult_t result = ncclSuccess;
            for (std::size_t r = 0; r < ranks && result == ncclSuccess; ++r) {
                const int peer = static_cast<int>(r);
                result = ncclSend(static_cast<const T*>(state.sent) + r * piece, piece, type<T>, peer, state.comm,
                                  state.stream);
                if (result != ncclSuccess) break;
                result = ncclRecv(static_cast<T*>(state.received) + r * piece, piece, type<T>, peer, state.comm,
                                  state.stream);
            }
            return result;
        });
        state.download(state.received, std::span<T>(all));
        const std::span<T> sums(all.data(), piece);
        for (std::size_t r = 1; r < ranks; ++r)
            for (std::size_t i = 0; i < piece; ++i) sums[i] += all[r * piece + i];
        state.upload(std::span<const T>(sums));
        state.check(ncclAllGather(state.sent, state.received, piece, type<T>, state.comm, state.stream),
                    "ncclAllGather");
        state.download(state.received, values);
    }

    template <class T>
    void copy(std::span<T> values) {
        State& state = *state_;
        state.use_device();
        if (values.empty()) return;
        state.reserve(values.size_bytes());
        state.upload(std::span<const T>(values));
        state.check(ncclBroadcast(state.sent, state.received, values.size(), type<T>, 0, state.comm, state.stream),
                    "ncclBroadcast");
        state.download(state.received, values);
    }

    std::shared_ptr<State> state_;
};
static_assert(Communicator<NcclCommunicator>);

}  // namespace mtdn
