#pragma once

#include <functional>

#include <mtdn/backend/backend.hpp>

namespace mtdn {

// What a backend that queues its work may do besides, so that the host runs ahead of it. What these name is used where
// it is there; without it the host waits, and the numbers are the same.

/// Gives a number later: `b.read_later(x)` asks for the one element of x, as it is when all that is queued so far is
/// done, and returns the request's number; `b.late_number(request)` waits for that, and for nothing that was queued
/// since. The last eight requests can be read. Throws DataError where a loss before it was given a wrong label.
template <class B>
concept reads_numbers_later = requires(B& b, detail::In<B> x, Index request) {
    { b.read_later(x) } -> std::same_as<Index>;
    { b.late_number(request) } -> std::same_as<double>;
};

/// Records operations instead of running them, and plays them back, any number of times.
///
/// `b.records()`: whether its options want that. `b.record(work)` calls `work` and returns what it would have queued;
/// `b.replay(recording)` queues that. Operations have the arguments that they were recorded with; what changes from one
/// time to the next lies in tensors that were made before. Memory that `work` obtains and gives back stays the
/// recording's own, or that of several, of which one plays at a time. `b.meetings()`: how often the host has copied,
/// or waited, so far; work that does either cannot be recorded.
template <class B>
concept records_work = requires(B& b, const std::function<void()>& work, const typename B::Recording& recording) {
    { b.records() } -> std::same_as<bool>;
    { b.record(work) } -> std::same_as<typename B::Recording>;
    { b.replay(recording) } -> std::same_as<void>;
    { b.meetings() } -> std::same_as<Index>;
};

/// `b.limit_norm(x, limit)`: scales x so that its Euclidean norm is at most `limit`; x is contiguous.
template <class B>
concept limits_norms = requires(B& b, detail::Out<B> x, double limit) {
    { b.limit_norm(x, limit) } -> std::same_as<void>;
};

/// Divides the sums of overlaps itself.
///
/// `b.overlap_loss(sums, options, loss, gradients)`: of what `overlap_sums` gives, loss (1, 1, 1, 1) is the Tversky
///   loss, gradients (2, 1, 1, C) its derivatives by the first two sums.
/// `b.overlap_backward(logits, labels, gradients, dloss, dlogits)`: as without dloss (1, 1, 1, 1), times that.
template <class B>
concept divides_overlaps = requires(B& b, detail::In<B> x, detail::InLabels<B> labels, const TverskyOptions& options,
                                    detail::Out<B> y) {
    { b.overlap_loss(x, options, y, y) } -> std::same_as<void>;
    { b.overlap_backward(x, labels, x, x, y) } -> std::same_as<void>;
};

/// A backend whose host does not wait within a training step.
template <class B>
concept QueuedBackend =
    Backend<B> && reads_numbers_later<B> && records_work<B> && limits_norms<B> && divides_overlaps<B>;

}  // namespace mtdn
