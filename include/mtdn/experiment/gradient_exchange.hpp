#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <mtdn/autograd/tape.hpp>
#include <mtdn/nn/flat.hpp>

namespace mtdn {

/// Sums the ranks' gradients, in buckets that are begun while the way back goes on.
///
/// A bucket is a run of neighbouring parameters. They are begun from the end of the flat buffer to its beginning, as
/// the way back goes from a network's end to its beginning: so all ranks begin them in one order.
template <Backend B>
class GradientExchange {
public:
    using Scalar = typename B::Scalar;

    /// @param elements  of a bucket, or more where a parameter is larger
    GradientExchange(const FlatParameters<B>& parameters, Index elements)
        : parameters_(parameters), host_(static_cast<std::size_t>(parameters.values.shape().size())) {
        Bucket bucket{parameters.entries.size(), parameters.entries.size()};
        while (bucket.entry > 0) {
            --bucket.entry;
            if (bucket.entry > 0 && place(bucket).second < elements) continue;
            buckets_.push_back(bucket);
            bucket.end = bucket.entry;
        }
    }

    /// A way back begins; one that an exception cut short is forgotten.
    void begin() { begun_ = 0; }

    /// Begins the buckets that the tape is done with.
    void advance(const Tape<B>& tape) {
        for (; begun_ < buckets_.size() && done(tape, buckets_[begun_]); ++begun_) {
            const auto [first, count] = place(buckets_[begun_]);
            const std::span<Scalar> values(host_.data() + first, static_cast<std::size_t>(count));
            tape.backend().download(parameters_.gradients.piece(first, vector_shape(count)), values);
            tape.ranks().start_all_reduce(values);
        }
    }

    /// Waits for all sums and gives them back to the gradients, when the way back is over.
    void finish(const Tape<B>& tape) {
        advance(tape);
        tape.ranks().finish();
        upload(std::span<const Scalar>(host_), parameters_.gradients);
    }

private:
    // Parameters from `entry` on, before `end`.
    struct Bucket {
        std::size_t entry, end;
    };

    // First element and number of elements, gaps included.
    std::pair<Index, Index> place(const Bucket& bucket) const {
        const auto offset = [&](std::size_t i) {
            return i < parameters_.entries.size() ? parameters_.entries[i].offset : parameters_.values.shape().size();
        };
        return {offset(bucket.entry), offset(bucket.end) - offset(bucket.entry)};
    }

    bool done(const Tape<B>& tape, const Bucket& bucket) const {
        for (std::size_t i = bucket.entry; i < bucket.end; ++i) {
            const auto& entry = parameters_.entries[i];
            if (entry.trainable && !tape.done_with(parameters_.gradients.piece(entry.offset, vector_shape(entry.size))))
                return false;
        }
        return true;
    }

    const FlatParameters<B>& parameters_;
    std::vector<Bucket> buckets_;
    std::vector<Scalar> host_;  // the gradients on their way
    std::size_t begun_ = 0;
};

}  // namespace mtdn
