#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <mtdn/autograd/late_number.hpp>
#include <mtdn/change/pairs.hpp>

namespace mtdn {

namespace detail {
/// What a step has on a backend that records work.
template <Backend B>
struct StepRecording {
    void forget() {}
};
template <QueuedBackend B>
struct StepRecording<B> {
    typename B::Recording recording{};
    bool can_be_recorded = false;
    /// Has the work recorded anew, for its memory is another.
    void forget() { recording = {}; }
};
}  // namespace detail

/// A kind of training step: where its input lies, what it leaves, and its work once that has been recorded.
///
/// What steps of one kind have in common is what operations are given by value: shapes, the frames that pairs name
/// within the batch, and which parameters learn.
template <Backend B>
struct Step : detail::StepRecording<B> {
    std::vector<Pair> pairs;
    bool frozen_backbone = false;
    Tensor<B> input;                               ///< frames as the network takes them
    std::vector<Tensor<B, std::uint8_t>> labels;   ///< of each task, (items, height, width, 1)
    Tensor<B, std::uint8_t> moves{};               ///< how frames come from where they are kept, if they are
    Tensor<B> loss{};                              ///< one number
    /// Counters of batches that normalisations have seen, and by how much a step raises them.
    std::vector<std::pair<std::int64_t*, Index>> counted{};
};

/// The kinds of steps that a trainer has met, with their memory.
///
/// A backend that records work records a kind when it comes the second time (the first time shows whether the host
/// meets the device within it) and plays it back from then on. Of kinds that come seldom the last few are kept.
template <Backend B>
class StepKinds {
public:
    explicit StepKinds(B& backend) : backend_(&backend) {}

    /// The step of a kind; its input and labels are there, uninitialised at first.
    Step<B>& of(const Shape& frames, std::span<const Pair> pairs, bool frozen_backbone, Index items,
                std::size_t tasks) {
        ++time_;
        Kept* place = &steps_[0];
        for (Kept& kept : steps_) {
            if (kept.step && kept.step->input.shape() == frames && kept.step->frozen_backbone == frozen_backbone &&
                kept.step->labels.front().shape().frames == items &&
                std::equal(pairs.begin(), pairs.end(), kept.step->pairs.begin(), kept.step->pairs.end())) {
                kept.used = time_;
                return *kept.step;
            }
            if (kept.used < place->used) place = &kept;
        }
        place->used = time_;
        place->step.reset();  // before the other takes memory
        place->step = std::make_unique<Step<B>>();
        Step<B>& step = *place->step;
        step.pairs.assign(pairs.begin(), pairs.end());
        step.frozen_backbone = frozen_backbone;
        step.input = Tensor<B>(*backend_, frames);
        for (std::size_t task = 0; task < tasks; ++task)
            step.labels.emplace_back(*backend_, Shape{items, frames.height, frames.width, 1});
        return step;
    }

    /// Does the work of a step, or plays it back. `work()` fills in the step's `loss` and `counted`; what it does on
    /// the host besides is done no more once it has been recorded.
    template <class Work>
    void run(Step<B>& step, Work&& work) {
        if constexpr (QueuedBackend<B>) {
            if (step.recording) {
                backend_->replay(step.recording);
                for (const auto& [counter, more] : step.counted) *counter += more;
            } else if (step.can_be_recorded) {
                step.recording = backend_->record(work);
                backend_->replay(step.recording);
            } else {
                const Index meetings = backend_->meetings();
                work();
                step.can_be_recorded = backend_->records() && backend_->meetings() == meetings;
            }
        } else {
            work();
        }
    }

private:
    // Elsewhere nothing but the input's memory would be kept.
    static constexpr std::size_t most = QueuedBackend<B> ? 8 : 1;

    struct Kept {
        std::unique_ptr<Step<B>> step;
        std::uint64_t used = 0;
    };

    B* backend_;
    Kept steps_[most];
    std::uint64_t time_ = 0;
};

}  // namespace mtdn
