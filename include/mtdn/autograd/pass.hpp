#pragma once

#include <utility>
#include <vector>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/autograd/variable.hpp>
#include <mtdn/core/random.hpp>

namespace mtdn {

/// Where a batch normalisation takes its statistics from.
enum class Statistics : std::uint8_t {
    batch,    ///< from the batch, one set for each group; new running statistics are staged
    running,  ///< the running ones, which stay as they are
};

/// What one run through a network needs besides its input: the tape or none, the source of statistics, random numbers.
///
/// A forward pass is const and changes nothing: new running statistics are staged here, and written by `commit()`
/// when the step is done.
template <Backend B>
class Pass {
public:
    /// Evaluation: nothing is recorded, statistics are the running ones.
    explicit Pass(B& backend) : backend_(&backend) {}

    /// Training: operations are recorded on `tape`.
    explicit Pass(Tape<B>& tape, Statistics statistics = Statistics::batch, Random random = Random{})
        : backend_(&tape.backend()), tape_(&tape), statistics_(statistics), random_(random),
          staged_(tape.lend_list()) {}
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() {
        if (tape_) tape_->return_list(std::move(staged_));
    }

    B& backend() const { return *backend_; }
    Tape<B>* tape() const { return tape_; }
    Statistics statistics() const { return statistics_; }
    Random& random() { return random_; }

    /// Number of equal runs of frames that batch statistics are taken over, each on its own.
    Index groups() const { return groups_; }
    void set_groups(Index groups) { groups_ = groups; }

    /// Sets another number of groups until it goes.
    class Groups {
    public:
        Groups(Pass& pass, Index groups) : pass_(pass), before_(std::exchange(pass.groups_, groups)) {}
        Groups(const Groups&) = delete;
        Groups& operator=(const Groups&) = delete;
        ~Groups() { pass_.groups_ = before_; }

    private:
        Pass& pass_;
        Index before_;
    };

    /// A value that enters the network here: on the pass's tape, no gradient wanted.
    Variable<B> input(Tensor<B> value) const { return {std::move(value), tape_, Tape<B>::no_place}; }

    /// Remembers a batch's statistics (biased variance) over `count` pixels a group for the running ones.
    void stage(const RunningStatistics<B>& running, Tensor<B> mean, Tensor<B> variance, Index count, double momentum) {
        staged_.push_back({running.mean, running.variance, running.batches.get(), std::move(mean), std::move(variance),
                           count, momentum});
    }

    const std::vector<StagedStatistics<B>>& staged() const { return staged_; }

    /// Writes the staged statistics, once a group and in order.
    void commit() {
        for (auto& s : staged_) {
            backend_->update_running(s.mean, s.variance, s.count, s.momentum, s.running_mean, s.running_variance);
            *s.batches += s.mean.shape().frames;
        }
        staged_.clear();
    }

private:
    B* backend_;
    Tape<B>* tape_ = nullptr;
    Statistics statistics_ = Statistics::running;
    Index groups_ = 1;
    Random random_{};
    std::vector<StagedStatistics<B>> staged_;
};

}  // namespace mtdn
