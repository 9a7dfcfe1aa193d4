#pragma once

// Ranks that are processes, started by `mpirun`. Link mtdn::mpi.

// The C interface alone: the C++ one is gone since MPI 3, and would be another library to link.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include <mtdn/core/communicator.hpp>
#include <mtdn/core/error.hpp>

namespace mtdn {

/// MPI from its beginning to its end: the process's one value of this type. What communicates afterwards fails.
///
/// Where an exception takes it away, all ranks are ended, as the others would wait for this one for ever.
class MpiSession {
public:
    /// @throws Error if MPI has begun already, or cannot begin
    MpiSession() {
        int begun = 0;
        MPI_Initialized(&begun);
        require<Error>(!begun, "MpiSession: MPI has begun already in this process");
        int threads = 0;
        require<Error>(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &threads) == MPI_SUCCESS,
                       "MpiSession: MPI cannot begin");
    }
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;
    ~MpiSession() {
        if (std::uncaught_exceptions() > exceptions_) abort(1);
        MPI_Finalize();
    }

    /// Whether an `mpirun` has started this process: without one there is nothing to begin.
    static bool launched() {
        return std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMIX_RANK") || std::getenv("PMI_RANK");
    }

    /// Ends all ranks at once, with that exit status.
    [[noreturn]] void abort(int status) const {
        MPI_Abort(MPI_COMM_WORLD, status);
        std::abort();  // which is not reached
    }

private:
    int exceptions_ = std::uncaught_exceptions();
};

/// The processes of an MPI communicator. Copies share it; used by the thread that made the session.
///
/// Sums are made in the order of the ranks: every rank gets its share of the values of all, adds them rank by rank, and
/// the sums are gathered. Twice the values travel, as with any other order.
class MpiCommunicator {
public:
    /// A communicator of its own, for the processes of `of`, all of which make one.
    ///
    /// The handler of errors of `of` stays what it is, and is asked for as long as there is none of its own.
    ///
    /// @throws Error as all members do, naming the rank and the call, if MPI reports one. A rank that has died is not
    ///         reported: mpirun then ends the others.
    explicit MpiCommunicator(MPI_Comm of = MPI_COMM_WORLD) : state_(std::make_shared<State>(of)) {}

    int rank() const { return state_->rank; }
    int size() const { return state_->size; }
    /// The same among the processes of this machine.
    int local_rank() const { return state_->local_rank; }
    int local_size() const { return state_->local_size; }

    void all_reduce(std::span<float> values) { state_->floats.all_reduce(*state_, values); }
    void all_reduce(std::span<double> values) { state_->doubles.all_reduce(*state_, values); }
    void start_all_reduce(std::span<float> values) { state_->floats.start(*state_, state_->behind, values); }
    void start_all_reduce(std::span<double> values) { state_->doubles.start(*state_, state_->behind, values); }
    void finish() {
        state_->floats.finish(*state_, state_->behind);
        state_->doubles.finish(*state_, state_->behind);
    }
    void broadcast(std::span<float> values) { broadcast(values, MPI_FLOAT); }
    void broadcast(std::span<double> values) { broadcast(values, MPI_DOUBLE); }
    void barrier() { state_->check(MPI_Barrier(state_->front), "MPI_Barrier"); }

private:
    struct State;

    /// Sums of one type, some of them under way; their memory is used again.
    template <class T>
    class Sums {
    public:
        void all_reduce(const State& state, std::span<T> values) {
            const std::size_t ranks = static_cast<std::size_t>(state.size);
            if (values.size() * ranks > few) {
                blocking_.start(state, state.front, values);
                return blocking_.finish(state, state.front);
            }
            all_.resize(values.size() * ranks);
            const int count = static_cast<int>(values.size());
            state.check(MPI_Allgather(values.data(), count, type(), all_.data(), count, type(), state.front),
                        "MPI_Allgather");
            add(all_, values.size(), values);
        }

        void start(const State& state, MPI_Comm comm, std::span<T> values) { under_way_.start(state, comm, values); }
        void finish(const State& state, MPI_Comm comm) { under_way_.finish(state, comm); }

    private:
        static constexpr std::size_t few = 4096;  // that go in one exchange rather than two

        static MPI_Datatype type() {
            if constexpr (std::is_same_v<T, float>) return MPI_FLOAT;
            else return MPI_DOUBLE;
        }

        // The first `count` of every rank's numbers, which lie one rank behind the other.
        static void add(std::span<const T> all, std::size_t count, std::span<T> sums) {
            std::copy_n(all.begin(), count, sums.begin());
            for (std::size_t first = count; first < all.size(); first += count)
                for (std::size_t i = 0; i < count; ++i) sums[i] += all[first + i];
        }

        struct Sum {
            std::span<T> values;
            std::vector<T> sent, received;  // as many equal pieces as there are ranks
            MPI_Request request = MPI_REQUEST_NULL;
        };

        class Queue {
        public:
            void start(const State& state, MPI_Comm comm, std::span<T> values) {
                const auto ranks = static_cast<std::size_t>(state.size);
                const std::size_t piece = (values.size() + ranks - 1) / ranks;
                require<Error>(piece <= static_cast<std::size_t>(std::numeric_limits<int>::max()),
                               "MpiCommunicator: rank ", state.rank, " of ", state.size, ": ", values.size(),
                               " values are too many for one sum");
                if (count_ == sums_.size()) sums_.emplace_back();
                Sum& sum = sums_[count_++];
                sum.values = values;
                sum.sent.resize(piece * ranks);
                sum.received.resize(piece * ranks);
                std::copy(values.begin(), values.end(), sum.sent.begin());
                state.check(MPI_Ialltoall(sum.sent.data(), static_cast<int>(piece), type(), sum.received.data(),
                                          static_cast<int>(piece), type(), comm, &sum.request), "MPI_Ialltoall");
            }

            void finish(const State& state, MPI_Comm comm) {
                for (std::size_t i = 0; i < count_; ++i) {
                    Sum& sum = sums_[i];
                    state.check(MPI_Wait(&sum.request, MPI_STATUS_IGNORE), "MPI_Wait");
                    const std::size_t piece = sum.sent.size() / static_cast<std::size_t>(state.size);
                    add(sum.received, piece, sum.sent);
                    state.check(MPI_Iallgather(sum.sent.data(), static_cast<int>(piece), type(), sum.received.data(),
                                               static_cast<int>(piece), type(), comm, &sum.request), "MPI_Iallgather");
                }
                for (std::size_t i = 0; i < count_; ++i) {
                    Sum& sum = sums_[i];
                    state.check(MPI_Wait(&sum.request, MPI_STATUS_IGNORE), "MPI_Wait");
                    std::copy_n(sum.received.begin(), sum.values.size(), sum.values.begin());
                }
                count_ = 0;
            }

        private:
            std::vector<Sum> sums_;
            std::size_t count_ = 0;  // under way
        };

        std::vector<T> all_;
        Queue blocking_, under_way_;
    };

    struct State {
        explicit State(MPI_Comm of) {
            check(MPI_Comm_dup(of, &front), "MPI_Comm_dup");  // by the caller's handler of errors, which stays as it is
            check(MPI_Comm_set_errhandler(front, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");  // copies inherit it
            check(MPI_Comm_rank(front, &rank), "MPI_Comm_rank");
            check(MPI_Comm_size(front, &size), "MPI_Comm_size");
            check(MPI_Comm_dup(front, &behind), "MPI_Comm_dup");
            MPI_Comm machine = MPI_COMM_NULL;
            check(MPI_Comm_split_type(front, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine),
                  "MPI_Comm_split_type");
            check(MPI_Comm_rank(machine, &local_rank), "MPI_Comm_rank");
            check(MPI_Comm_size(machine, &local_size), "MPI_Comm_size");
            MPI_Comm_free(&machine);
        }
        State(const State&) = delete;
        State& operator=(const State&) = delete;
        ~State() {
            // To free is to wait for the others, who may be waiting elsewhere if this rank is failing.
            int ended = 0;
            MPI_Finalized(&ended);
            if (ended || std::uncaught_exceptions() > exceptions) return;
            MPI_Comm_free(&behind);
            MPI_Comm_free(&front);
        }

        void check(int code, const char* call) const {
            if (code == MPI_SUCCESS) return;
            char text[MPI_MAX_ERROR_STRING] = "";
            int length = 0;
            MPI_Error_string(code, text, &length);
            fail<Error>("MpiCommunicator: rank ", rank, " of ", size, ": ", call, " failed: ", text);
        }

        int rank = 0, size = 1, local_rank = 0, local_size = 1;
        int exceptions = std::uncaught_exceptions();
        // Exchanges that are waited for, and those under way: each communicator has an order of its own.
        MPI_Comm front = MPI_COMM_NULL, behind = MPI_COMM_NULL;
        Sums<float> floats;
        Sums<double> doubles;
    };

    template <class T>
    void broadcast(std::span<T> values, MPI_Datatype type) {
        constexpr std::size_t most = std::numeric_limits<int>::max();
        for (std::size_t first = 0; first < values.size(); first += most)
            state_->check(MPI_Bcast(values.data() + first, static_cast<int>(std::min(most, values.size() - first)),
                                    type, 0, state_->front),
                          "MPI_Bcast");
    }

    std::shared_ptr<State> state_;
};
static_assert(OverlappingCommunicator<MpiCommunicator>);

}  // namespace mtdn
