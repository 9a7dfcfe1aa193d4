#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <mtdn/autograd/waiting_loss.hpp>
#include <mtdn/autograd/waiting_gradients.hpp>
#include <mtdn/core/communicator.hpp>

namespace mtdn {

template <Backend B>
class Variable;

/// A batch's statistics that wait to enter the running ones.
///
/// @shape mean, variance (g, 1, 1, C); running (1, 1, 1, C)
template <Backend B>
struct StagedStatistics {
    Tensor<B> running_mean, running_variance;
    std::int64_t* batches = nullptr;
    Tensor<B> mean, variance;
    Index count = 0;  ///< pixels a group
    double momentum = 0;
};

/// What was computed, so that gradients can be carried back through it.
///
/// Every call of an operation has its own node and its own *place*, where the gradient of its result gathers. So one
/// network may run on any number of inputs before the way back. `backward` walks the nodes in reverse, adds into the
/// parameters' gradients in that order, and frees what each node kept as it goes. The tape is then empty and records
/// anew; its memory is kept.
template <Backend B>
class Tape {
public:
    /// Where a gradient gathers; `no_place` for what needs none.
    using Place = Index;
    static constexpr Place no_place = -1;

    /// @param kept  precision in which values wait that ways back read again. In bfloat16 they take half the
    ///              memory; they are rounded once nobody else holds them, so the way forth is the same
    /// @param ranks that record the same operations, each on some of the frames and pairs. Batch statistics and losses
    ///              are those over all of them; a parameter's gradient is this rank's share of the sum
    /// @throws OptionError for TF32
    explicit Tape(B& backend, Precision kept = Precision::single, AnyCommunicator ranks = {})
        : backend_(&backend), precision_(kept), ranks_(std::move(ranks)), shared_(ranks_.size() > 1) {
        require<OptionError>(kept == Precision::single || kept == Precision::bfloat16,
                             "Tape: values are kept in single precision or bfloat16, not in TF32");
    }
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;
    ~Tape() { clear(); }

    B& backend() const { return *backend_; }
    /// Precision in which values wait.
    Precision precision() const { return precision_; }

    const AnyCommunicator& ranks() const { return ranks_; }
    /// Whether there are other ranks.
    bool shared() const { return shared_; }
    /// Whether this rank's frames and pairs count; if not, it goes along so that the others' exchanges find it.
    bool counts() const { return counts_; }
    void set_counts(bool counts) { counts_ = counts; }

    /// Says that the operation recorded next adds to a parameter's gradient on its way back.
    void adds_to(const Tensor<B>& gradient) {
        if (shared_) uses_.push_back({gradient.data(), nodes_.size()});
    }
    /// Whether the way back has come past all operations that add to a gradient. Of a gradient that none has named by
    /// `adds_to` it is known at the end.
    bool done_with(const Tensor<B>& gradient) const {
        if (nodes_.empty()) return true;
        const auto first = std::find_if(uses_.begin(), uses_.end(),
                                        [&](const auto& use) { return use.first == gradient.data(); });
        return first != uses_.end() && first->second >= nodes_.size();
    }

    /// Calls `step()` whenever the way back has done one more operation.
    void on_way_back(std::function<void()> step) { step_ = std::move(step); }

    /// A place for the gradient of a new result.
    [[gnu::noinline]] Place new_place() {
        gradients_.emplace_back();
        return static_cast<Place>(gradients_.size()) - 1;
    }

    /// The same of some channels, from `first` on, of a value whose gradient gathers at `whole` and is of such a shape.
    Place new_place_of_channels(Place whole, const Shape& shape, Index first, Index count) {
        slices_.push_back({new_place(), whole, shape, first, count});
        return slices_.back().place;
    }

    /// A tensor for the gradient that comes to a place next: fresh or, where it is one of channels and nothing has come
    /// there yet, those channels of the whole's.
    Tensor<B> room_for(Place place, const Shape& shape) {
        const auto slice =
            std::find_if(slices_.begin(), slices_.end(), [=](const Slice& s) { return s.place == place; });
        if (slice == slices_.end() || !gradients_[static_cast<std::size_t>(place)].sum.empty())
            return Tensor<B>(*backend_, shape);
        auto& whole = gradients_[static_cast<std::size_t>(slice->whole)];
        if (whole.sum.empty()) whole = {Tensor<B>(*backend_, slice->shape), true};
        return whole.sum.channels(slice->first, slice->count);
    }

    /// Records one operation. `way_back(tape)` takes the gradient of its result and adds those of its operands; what
    /// it has captured is kept until then, and nothing else is.
    template <class WayBack>
    void record(WayBack&& way_back) {
        record(no_place, [way = std::forward<WayBack>(way_back)](Tape& tape, const Tensor<B>&) { way(tape); });
    }

    /// The same for an operation with one result: `way_back(tape, dy)` gets its gradient, if one has arrived.
    template <class WayBack>
    void record(Place result, WayBack&& way_back) {
        using Operation = Recorded<std::decay_t<WayBack>>;
        static_assert(alignof(Operation) <= alignof(std::max_align_t));
        void* memory = reserve(sizeof(Operation), alignof(Operation));
        append(new (memory) Operation{{result, Operation::go_back, Operation::destroy},
                                      std::forward<WayBack>(way_back)});
    }

    /// Keeps a value for the way back of the operation that is recorded next: `kept(i)` gives it back, to that way back
    /// and to those recorded later.
    [[gnu::noinline]] Index keep(const Tensor<B>& value) {
        if (precision_ == Precision::single) {
            values_.push_back({value, {}, nodes_.size()});
        } else {
            round_values();
            for (const std::size_t i : whole_)
                if (values_[i].whole.data() == value.data() && values_[i].whole.shape() == value.shape() &&
                    values_[i].whole.stride() == value.stride())
                    return static_cast<Index>(i);
            whole_.push_back(values_.size());
            values_.push_back({value, {}, nodes_.size()});
        }
        return static_cast<Index>(values_.size()) - 1;
    }

    /// The value that `keep` has called `i`.
    [[gnu::noinline]] Tensor<B> kept(Index i) {
        const KeptValue& value = values_[static_cast<std::size_t>(i)];
        if (!value.whole.empty()) return value.whole;
        if (widened_of_ != i) {
            widened_ = Tensor<B>(*backend_, value.rounded.shape());
            backend_->widen(value.rounded, widened_);
            widened_of_ = i;
        }
        return widened_;
    }

    /// A copy of some numbers that lives as long as what is recorded.
    std::span<const Index> keep(std::span<const Index> numbers) {
        auto* copy = static_cast<Index*>(reserve(numbers.size_bytes(), alignof(Index)));
        std::uninitialized_copy(numbers.begin(), numbers.end(), copy);
        return {copy, numbers.size()};
    }

    /// An empty list for a pass, in the memory of the last one that was given back.
    std::vector<StagedStatistics<B>> lend_list() { return std::exchange(staged_, {}); }
    /// Takes the list back.
    void return_list(std::vector<StagedStatistics<B>> staged) {
        staged.clear();
        staged_ = std::move(staged);
    }

    /// The gradient that has gathered at a place, which is emptied; an empty tensor if none has arrived.
    Tensor<B> take_gradient(Place place) {
        finish_waiting(place);
        return std::exchange(gradients_[static_cast<std::size_t>(place)], Gathered{}).sum;
    }

    /// Adds to the gradient at a place. `gradient` may share its values with others and is not written.
    void add_gradient(Place place, Tensor<B> gradient) {
        if (place == no_place) return;
        finish_waiting(place);
        forget_sums(place);
        auto& gathered = gradients_[static_cast<std::size_t>(place)];
        if (gathered.sum.empty()) {
            gathered.sum = std::move(gradient);
        } else if (gathered.own) {
            backend_->accumulate(gradient, gathered.sum);
        } else {
            Tensor<B> sum(*backend_, gathered.sum.shape());
            backend_->combine(1, gathered.sum, 1, gradient, sum);
            gathered = {std::move(sum), true};
        }
    }

    /// Adds to the gradient of some frames, from `first` on, of the value at a place, which is of shape `whole`.
    void add_gradient_of_frames(Place place, const Shape& whole, Index first, const Tensor<B>& gradient) {
        finish_waiting(place);
        forget_sums(place);
        auto& gathered = gradients_[static_cast<std::size_t>(place)];
        if (!gathered.own) {
            Tensor<B> sum(*backend_, whole);
            if (gathered.sum.empty()) backend_->fill(sum, 0);
            else backend_->copy(gathered.sum, sum);
            gathered = {std::move(sum), true};
        }
        backend_->accumulate(gradient, gathered.sum.frames(first, gradient.shape().frames));
    }

    /// Adds to the gradient at a place what waits for a batch norm's way back. It is finished where more comes to that
    /// place, or the gradient is taken by what does not ask for it as it is.
    void add_waiting(Place place, WaitingGradients<B> gradients) {
        if (place == no_place) return;
        finish_waiting(waiting_at_);
        const bool first = gradients_[static_cast<std::size_t>(place)].sum.empty();
        waiting_ = std::move(gradients);
        waiting_at_ = place;
        if (!first) finish_waiting(place);
    }

    /// What waits at a place, which is emptied; none where nothing does.
    WaitingGradients<B> take_waiting(Place place) {
        if (place != waiting_at_) return {};
        waiting_at_ = no_place;
        return std::exchange(waiting_, WaitingGradients<B>{});
    }

    /// The same of what waits for a focal loss's way back.
    void add_waiting(Place place, WaitingLoss<B> loss) {
        if (place == no_place) return;
        finish_waiting(place);
        auto& gathered = gradients_[static_cast<std::size_t>(place)];
        if (gathered.sum.empty()) gathered.loss = std::make_shared<const WaitingLoss<B>>(std::move(loss));
        else add_gradient(place, loss.finished());
    }
    /// Null where nothing waits.
    std::shared_ptr<const WaitingLoss<B>> take_waiting_loss(Place place) {
        return std::exchange(gradients_[static_cast<std::size_t>(place)].loss, nullptr);
    }

    /// Whether nothing has come to a place yet.
    bool is_empty(Place place) {
        if (place == no_place) return false;
        finish_waiting(place);
        return gradients_[static_cast<std::size_t>(place)].sum.empty();
    }
    /// The first gradient at a place, with the sums that the batch norm there takes of it. They are forgotten when more
    /// comes, to this place or, with sums, to another.
    void add_summed(Place place, Tensor<B> gradient, Tensor<B, double> sums) {
        add_gradient(place, std::move(gradient));
        sums_ = std::move(sums);
        summed_at_ = place;
    }
    /// Sums of all that has come to a place; an empty tensor where they are not known.
    Tensor<B, double> take_sums(Place place) {
        if (place != summed_at_) return {};
        summed_at_ = no_place;
        return std::exchange(sums_, Tensor<B, double>{});
    }

    /// Gradients of a scalar by all parameters that it depends on, added to the parameters' gradients.
    ///
    /// @throws ShapeError if `loss` is not one number
    /// @throws Error if it is not of this tape's present recording: not recorded, or walked already
    void backward(const Variable<B>& loss) { backward(loss, 1.0); }

    /// The same for a multiple of the loss.
    void backward(const Variable<B>& loss, double factor);

    /// Forgets what was recorded.
    void clear() {
        while (!nodes_.empty()) drop_last();
        gradients_.clear();
        if constexpr (reads_pending_gradients<B>) {
            take_waiting(waiting_at_);
            take_sums(summed_at_);
        }
        uses_.clear();
        slices_.clear();
        chunk_ = 0;
        used_ = 0;
        ++recording_;
    }

    /// Number of operations recorded.
    Index size() const { return static_cast<Index>(nodes_.size()); }
    /// Number of this recording; grows with every `clear` and `backward`.
    std::uint64_t recording() const { return recording_; }

private:
    // Two functions, where a virtual destructor and a table of them would be a few more for every operation.
    struct Node {
        Place result;
        void (*go_back)(const Node&, Tape&, const Tensor<B>& dy);
        void (*destroy)(Node&);
    };

    template <class WayBack>
    struct Recorded : Node {
        static void go_back(const Node& node, Tape& tape, const Tensor<B>& dy) {
            static_cast<const Recorded&>(node).way_back(tape, dy);
        }
        static void destroy(Node& node) { static_cast<Recorded&>(node).~Recorded(); }
        WayBack way_back;
    };

    [[gnu::noinline]] void append(Node* node) { nodes_.push_back(node); }

    // Calls the last operation's way back, unless nothing wants to go that way.
    void go_back() {
        const Node& node = *nodes_.back();
        const Tensor<B> dy = node.result == no_place ? Tensor<B>{} : take_gradient(node.result);
        if (node.result == no_place || !dy.empty()) node.go_back(node, *this, dy);
    }

    // Has what waits at a place, if anything does, added to its gradient.
    void finish_waiting([[maybe_unused]] Place place) {
        if constexpr (reads_pending_gradients<B>)
            if (place != no_place && place == waiting_at_) add_gradient(place, take_waiting(place).finished());
        if constexpr (joins_losses<B>)
            if (place != no_place)
                if (const auto loss = take_waiting_loss(place)) add_gradient(place, loss->finished());
    }

    void forget_sums([[maybe_unused]] Place place) {
        if constexpr (reads_pending_gradients<B>) take_sums(place);
    }

    void drop_last() {
        nodes_.back()->destroy(*nodes_.back());
        nodes_.pop_back();
        while (!values_.empty() && values_.back().node >= nodes_.size()) values_.pop_back();
        whole_.clear();
        if (widened_of_ >= static_cast<Index>(values_.size())) {
            widened_ = {};
            widened_of_ = -1;
        }
    }

    // Rounds what nobody else holds any more.
    void round_values() {
        std::erase_if(whole_, [this](std::size_t i) {
            KeptValue& value = values_[i];
            if (!value.whole.alone()) return false;
            value.rounded = Tensor<B, BFloat16>(*backend_, value.whole.shape());
            backend_->round(value.whole, value.rounded);
            value.whole = {};
            return true;
        });
    }

    // Either whole or rounded; dropped with the first node that it was kept for.
    struct KeptValue {
        Tensor<B> whole;
        Tensor<B, BFloat16> rounded;
        std::size_t node = 0;
    };

    // What only some backends have.
    template <bool There, class T>
    using Where = std::conditional_t<There, T, std::nullptr_t>;

    struct Gathered {
        Tensor<B> sum{};
        bool own = false;  // nobody else holds its values
        Where<joins_losses<B>, std::shared_ptr<const WaitingLoss<B>>> loss{};  // where there is nothing else yet
    };

    struct Slice {
        Place place, whole;
        Shape shape;
        Index first, count;
    };

    struct Chunk {
        std::unique_ptr<std::byte[]> memory;
        std::size_t size;
    };

    // Nodes lie one behind the other in chunks that survive the step.
    [[gnu::noinline]] void* reserve(std::size_t size, std::size_t alignment) {
        used_ = (used_ + alignment - 1) / alignment * alignment;
        for (; chunk_ < chunks_.size() && used_ + size > chunks_[chunk_].size; ++chunk_) used_ = 0;
        if (chunk_ == chunks_.size()) {
            const std::size_t all = std::max(size, std::size_t{1} << 16);
            chunks_.push_back({std::make_unique<std::byte[]>(all), all});
            used_ = 0;
        }
        void* memory = chunks_[chunk_].memory.get() + used_;
        used_ += size;
        return memory;
    }

    B* backend_;
    Precision precision_;
    AnyCommunicator ranks_;
    bool shared_ = false, counts_ = true;
    std::vector<std::pair<const typename B::Scalar*, std::size_t>> uses_;  // of gradients, and the operations' numbers
    std::function<void()> step_;
    std::vector<KeptValue> values_;
    std::vector<std::size_t> whole_;  // those that may yet be rounded
    Tensor<B> widened_{};             // the last one that was read again
    Index widened_of_ = -1;
    std::vector<Gathered> gradients_;
    std::vector<Slice> slices_;  // the places of channels
    Where<reads_pending_gradients<B>, WaitingGradients<B>> waiting_{};  // one alone: what reads it comes next
    Place waiting_at_ = no_place;
    Where<reads_pending_gradients<B>, Tensor<B, double>> sums_{};  // likewise
    Place summed_at_ = no_place;
    std::vector<Node*> nodes_;
    std::vector<StagedStatistics<B>> staged_;  // empty; its memory is kept
    std::vector<Chunk> chunks_;
    std::size_t chunk_ = 0;
    std::size_t used_ = 0;
    std::uint64_t recording_ = 0;
};

}  // namespace mtdn
