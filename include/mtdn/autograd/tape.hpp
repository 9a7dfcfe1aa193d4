#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include <mtdn/backend/backend.hpp>

namespace mtdn {

template <Backend B>
class Variable;

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

    explicit Tape(B& backend) : backend_(&backend) {}
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;
    ~Tape() { clear(); }

    B& backend() const { return *backend_; }

    /// A place for the gradient of a new result.
    Place new_place() {
        gradients_.emplace_back();
        return static_cast<Place>(gradients_.size()) - 1;
    }

    /// Records one operation. `way_back(tape)` takes the gradient of its result and adds those of its operands; what
    /// it has captured is kept until then, and nothing else is.
    template <class WayBack>
    void record(WayBack&& way_back) {
        using Operation = Recorded<std::decay_t<WayBack>>;
        static_assert(sizeof(Operation) <= chunk_size && alignof(Operation) <= alignof(std::max_align_t));
        void* memory = reserve(sizeof(Operation), alignof(Operation));
        nodes_.push_back(new (memory) Operation(std::forward<WayBack>(way_back)));
    }

    /// The gradient that has gathered at a place, which is emptied; an empty tensor if none has arrived.
    Tensor<B> take_gradient(Place place) {
        return std::exchange(gradients_[static_cast<std::size_t>(place)], Tensor<B>{});
    }

    /// Adds to the gradient at a place. `gradient` may share its values with others and is not written.
    void add_gradient(Place place, Tensor<B> gradient) {
        if (place == no_place) return;
        auto& gathered = gradients_[static_cast<std::size_t>(place)];
        if (gathered.empty()) {
            gathered = std::move(gradient);
        } else {
            Tensor<B> sum(*backend_, gathered.shape());
            backend_->combine(1, gathered, 1, gradient, sum);
            gathered = std::move(sum);
        }
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
        chunk_ = 0;
        used_ = 0;
        ++recording_;
    }

    /// Number of operations recorded.
    Index size() const { return static_cast<Index>(nodes_.size()); }
    /// Number of this recording; grows with every `clear` and `backward`.
    std::uint64_t recording() const { return recording_; }

private:
    struct Node {
        Node() = default;
        Node(const Node&) = delete;
        Node& operator=(const Node&) = delete;
        virtual ~Node() = default;
        virtual void go_back(Tape& tape) = 0;
    };

    template <class WayBack>
    struct Recorded final : Node {
        explicit Recorded(WayBack way) : way_back(std::move(way)) {}
        void go_back(Tape& tape) override { way_back(tape); }
        WayBack way_back;
    };

    void drop_last() {
        nodes_.back()->~Node();
        nodes_.pop_back();
    }

    // Nodes lie one behind the other in chunks that survive the step.
    void* reserve(std::size_t size, std::size_t alignment) {
        used_ = (used_ + alignment - 1) / alignment * alignment;
        if (chunks_.empty() || used_ + size > chunk_size) {
            if (!chunks_.empty()) ++chunk_;
            if (chunk_ == chunks_.size()) chunks_.push_back(std::make_unique<std::byte[]>(chunk_size));
            used_ = 0;
        }
        void* memory = chunks_[chunk_].get() + used_;
        used_ += size;
        return memory;
    }

    static constexpr std::size_t chunk_size = std::size_t{1} << 16;

    B* backend_;
    std::vector<Tensor<B>> gradients_;
    std::vector<Node*> nodes_;
    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    std::size_t chunk_ = 0;
    std::size_t used_ = 0;
    std::uint64_t recording_ = 0;
};

}  // namespace mtdn
