#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <mtdn/change/pairs.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/random.hpp>
#include <mtdn/core/shape.hpp>
#include <mtdn/data/permutation.hpp>

namespace mtdn {

/// A frame of one of the sampled sequences.
struct FrameReference {
    Index sequence = 0;
    Index frame = 0;
    friend bool operator==(const FrameReference&, const FrameReference&) = default;
};

/// What one training step looks at.
struct Batch {
    std::vector<FrameReference> frames;
    std::vector<Index> geometry;  ///< one a frame, unique in the epoch: frames with equal ids are transformed alike
    std::vector<Pair> pairs;      ///< indices into `frames`
    Index first_frame = 0;        ///< frames that this epoch's batches before this one hold

    friend bool operator==(const Batch&, const Batch&) = default;
};

/// The part of a batch that one of several ranks works on.
struct Share {
    std::vector<Index> frames;  ///< which of the batch's, ascending
    std::vector<Pair> pairs;    ///< indices into `frames`
    bool counts = true;         ///< false: there is too little for all ranks; what is here counts elsewhere

    friend bool operator==(const Share&, const Share&) = default;
};

/// A rank's share of a batch, into a share whose memory is used again.
///
/// Neighbouring pairs (frames, if there are no pairs) under one geometry stay together (a clique is not cut), and ranks
/// get contiguous pieces of as many of such runs, or of one more. Where there are fewer runs than ranks, some ranks get
/// the first one, and do not count.
inline void share_of(const Batch& batch, Index rank, Index ranks, Share& share) {
    const bool of_pairs = !batch.pairs.empty();
    const std::size_t items = of_pairs ? batch.pairs.size() : batch.frames.size();
    const auto geometry = [&](std::size_t i) {
        return batch.geometry[of_pairs ? static_cast<std::size_t>(batch.pairs[i].query) : i];
    };
    Index runs = 0;
    for (std::size_t i = 0; i < items; ++i) runs += i == 0 || geometry(i) != geometry(i - 1) ? 1 : 0;
    Index first = rank * runs / ranks, last = (rank + 1) * runs / ranks;
    share.counts = first < last;
    if (!share.counts) first = 0, last = 1;

    share.frames.clear();
    share.pairs.clear();
    Index run = -1;
    for (std::size_t i = 0; i < items; ++i) {
        run += i == 0 || geometry(i) != geometry(i - 1) ? 1 : 0;
        if (run < first || run >= last) continue;
        if (!of_pairs) {
            share.frames.push_back(static_cast<Index>(i));
            continue;
        }
        share.pairs.push_back(batch.pairs[i]);
        share.frames.push_back(batch.pairs[i].query);
        share.frames.push_back(batch.pairs[i].partner);
    }
    std::sort(share.frames.begin(), share.frames.end());
    share.frames.erase(std::unique(share.frames.begin(), share.frames.end()), share.frames.end());
    const auto place = [&](Index frame) {
        return std::lower_bound(share.frames.begin(), share.frames.end(), frame) - share.frames.begin();
    };
    for (Pair& pair : share.pairs) pair = {place(pair.query), place(pair.partner)};
}

/// `sampler.batches()` and `sampler.items()`: the batches, and the pairs in them (frames, if there are no pairs).
template <class S>
concept counts_what_an_epoch_holds = requires(const S& sampler) {
    { sampler.batches() } -> std::same_as<Index>;
    { sampler.items() } -> std::same_as<Index>;
};

/// `sampler.batch(epoch, i)`: the i-th batch of an epoch, 0 ≤ i < batches.
template <class S>
concept makes_a_batch_by_its_number = requires(const S& sampler, Index epoch, Index i) {
    { sampler.batch(epoch, i) } -> std::same_as<Batch>;
};

/// Makes the batches of an epoch.
///
/// Law: a batch is a function of the sampler's seed, the epoch and its number, so that training resumes anywhere.
template <class S>
concept BatchSampler = counts_what_an_epoch_holds<S> && makes_a_batch_by_its_number<S> && std::copy_constructible<S>;

namespace detail {

/// Offsets at which each sequence's items begin, and the total at the end.
[[gnu::cold]] inline std::vector<Index> offsets_of(const std::vector<Index>& counts) {
    std::vector<Index> offsets(counts.size() + 1, 0);
    std::partial_sum(counts.begin(), counts.end(), offsets.begin() + 1);
    return offsets;
}

/// The sequence that item `i` falls into.
inline Index sequence_of(const std::vector<Index>& offsets, Index i) {
    return std::upper_bound(offsets.begin(), offsets.end(), i) - offsets.begin() - 1;
}

[[gnu::cold]]
inline std::vector<Index> pair_counts(const std::vector<Index>& frame_counts, const AnyPairPolicy& policy) {
    std::vector<Index> counts;
    for (Index frames : frame_counts) counts.push_back(policy.count(frames));
    return counts;
}

inline void check_batch(const char* who, Index batch, Index items, Index index, Index batches) {
    require<OptionError>(batch > 0, who, ": batch must be positive, got ", batch);
    require<DataError>(items > 0, who, ": the sequences hold nothing to draw");
    require<OptionError>(index >= 0 && index < batches, who, ": batch ", index, " of ", batches);
}

template <class Sampler>
Batch made(const Sampler& sampler, Index epoch, Index index) {
    Batch batch;
    sampler.batch(epoch, index, batch);
    return batch;
}

constexpr Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

}  // namespace detail

/// Random pairs: an epoch visits each pair of the policy once; the last, smaller batch is kept.
///
/// A batch of B pairs holds [t₁ … t_B, t'₁ … t'_B]; both frames of a pair share a geometry.
///
/// @source paper §2.1.3, §2.4
class PairSampler {
public:
    struct Options {
        Index batch = 16;        ///< pairs a step
        std::uint64_t seed = 0;  ///< of the order
    };

    /// @param frame_counts frames of each training sequence
    [[gnu::cold]] PairSampler(std::vector<Index> frame_counts, AnyPairPolicy policy, Options options)
        : frame_counts_(std::move(frame_counts)),
          policy_(std::move(policy)),
          options_(options),
          offsets_(detail::offsets_of(detail::pair_counts(frame_counts_, policy_))) {
        detail::check_batch("PairSampler", options_.batch, items(), 0, 1);
    }

    Index items() const { return offsets_.back(); }
    Index batches() const { return detail::divide_up(items(), options_.batch); }

    Batch batch(Index epoch, Index index) const { return detail::made(*this, epoch, index); }

    /// The same into a batch, whose memory is used again.
    void batch(Index epoch, Index index, Batch& result) const {
        detail::check_batch("PairSampler", options_.batch, items(), index, batches());
        const Permutation order(items(), Random(options_.seed, "pairs", static_cast<std::uint64_t>(epoch)));
        const Index first = index * options_.batch, count = std::min(options_.batch, items() - first);
        result.pairs.clear();
        result.first_frame = 2 * first;
        result.frames.resize(static_cast<std::size_t>(2 * count));
        result.geometry.resize(result.frames.size());
        for (Index i = 0; i < count; ++i) {
            const Index item = order(first + i), sequence = detail::sequence_of(offsets_, item);
            const auto at = static_cast<std::size_t>(sequence);
            const Pair pair = policy_.pair(frame_counts_[at], item - offsets_[at]);
            const auto query = static_cast<std::size_t>(i), partner = static_cast<std::size_t>(count + i);
            result.frames[query] = {sequence, pair.query};
            result.frames[partner] = {sequence, pair.partner};
            result.geometry[query] = result.geometry[partner] = first + i;
            result.pairs.push_back({i, count + i});
        }
    }

private:
    std::vector<Index> frame_counts_;
    AnyPairPolicy policy_;
    Options options_;
    std::vector<Index> offsets_;
};

/// Cliques: K different frames of one sequence and all their K² ordered pairs, under one geometry.
///
/// A sequence is drawn with probability ∝ its pairs; an epoch has as many pairs as the policy (rounded up to a clique).
class CliqueSampler {
public:
    struct Options {
        Index clique = 4;        ///< frames a clique, K
        Index batch = 16;        ///< pairs a step, a multiple of K²
        std::uint64_t seed = 0;  ///< of the draw
    };

    /// @param frame_counts frames of each training sequence, at least K
    [[gnu::cold]] CliqueSampler(std::vector<Index> frame_counts, const AnyPairPolicy& policy, Options options)
        : frame_counts_(std::move(frame_counts)),
          options_(options),
          offsets_(detail::offsets_of(detail::pair_counts(frame_counts_, policy))) {
        const Index k = options_.clique;
        require<OptionError>(k >= 2, "CliqueSampler: a clique has at least 2 frames, got ", k);
        require<OptionError>(options_.batch > 0 && options_.batch % (k * k) == 0,
                             "CliqueSampler: batch counts pairs and must be a multiple of ", k * k, " for cliques of ",
                             k, ", got ", options_.batch);
        for (std::size_t i = 0; i < frame_counts_.size(); ++i)
            require<OptionError>(frame_counts_[i] >= k, "CliqueSampler: training sequence ", i, " has ",
                                 frame_counts_[i], " frames, too few for cliques of ", k);
        detail::check_batch("CliqueSampler", options_.batch, offsets_.back(), 0, 1);
    }

    Index items() const { return cliques() * options_.clique * options_.clique; }
    Index batches() const { return detail::divide_up(cliques(), cliques_a_batch()); }

    Batch batch(Index epoch, Index index) const { return detail::made(*this, epoch, index); }

    /// The same into a batch, whose memory is used again.
    void batch(Index epoch, Index index, Batch& result) const {
        detail::check_batch("CliqueSampler", options_.batch, items(), index, batches());
        const Index k = options_.clique, first = index * cliques_a_batch();
        const Index count = std::min(cliques_a_batch(), cliques() - first);
        result.frames.clear();
        result.geometry.clear();
        result.pairs.clear();
        result.first_frame = first * k;
        for (Index c = first; c < first + count; ++c) {
            Random random(options_.seed, "cliques", static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(c));
            const Index sequence = detail::sequence_of(offsets_, random.below(offsets_.back()));
            const auto base = static_cast<Index>(result.frames.size());
            // The whole sequence in random order; its first K frames stay.
            for (Index i = 0; i < frame_counts_[static_cast<std::size_t>(sequence)]; ++i)
                result.frames.push_back({sequence, i});
            random.shuffle(result.frames.begin() + base, result.frames.end());
            result.frames.resize(static_cast<std::size_t>(base + k));
            result.geometry.insert(result.geometry.end(), static_cast<std::size_t>(k), c);
            for (Index i = 0; i < k; ++i)
                for (Index j = 0; j < k; ++j) result.pairs.push_back({base + i, base + j});
        }
    }

private:
    Index cliques_a_batch() const { return options_.batch / (options_.clique * options_.clique); }
    Index cliques() const { return detail::divide_up(offsets_.back(), options_.clique * options_.clique); }

    std::vector<Index> frame_counts_;
    Options options_;
    std::vector<Index> offsets_;  // of pairs
};

/// Single frames, for a plain segmentation network: an epoch visits each frame once.
class FrameSampler {
public:
    struct Options {
        Index batch = 4;         ///< frames a step
        std::uint64_t seed = 0;  ///< of the order
    };

    [[gnu::cold]] FrameSampler(const std::vector<Index>& frame_counts, Options options)
        : options_(options), offsets_(detail::offsets_of(frame_counts)) {
        detail::check_batch("FrameSampler", options_.batch, items(), 0, 1);
    }

    Index items() const { return offsets_.back(); }
    Index batches() const { return detail::divide_up(items(), options_.batch); }

    Batch batch(Index epoch, Index index) const { return detail::made(*this, epoch, index); }

    /// The same into a batch, whose memory is used again.
    void batch(Index epoch, Index index, Batch& result) const {
        detail::check_batch("FrameSampler", options_.batch, items(), index, batches());
        const Permutation order(items(), Random(options_.seed, "frames", static_cast<std::uint64_t>(epoch)));
        result.frames.clear();
        result.geometry.clear();
        result.pairs.clear();
        result.first_frame = index * options_.batch;
        for (Index i = result.first_frame; i < std::min(items(), result.first_frame + options_.batch); ++i) {
            const Index item = order(i), sequence = detail::sequence_of(offsets_, item);
            result.frames.push_back({sequence, item - offsets_[static_cast<std::size_t>(sequence)]});
            result.geometry.push_back(i);
        }
    }

private:
    Options options_;
    std::vector<Index> offsets_;
};

static_assert(BatchSampler<PairSampler> && BatchSampler<CliqueSampler> && BatchSampler<FrameSampler>);

/// Any sampler, chosen at run time.
class AnyBatchSampler {
public:
    template <class S>
    requires(!std::same_as<S, AnyBatchSampler>) && BatchSampler<S> AnyBatchSampler(S sampler)
        : sampler_(std::make_shared<Holder<S>>(std::move(sampler))) {}

    Index batches() const { return sampler_->batches(); }
    Index items() const { return sampler_->items(); }
    Batch batch(Index epoch, Index index) const { return detail::made(*this, epoch, index); }
    /// The same into a batch, whose memory is used again if the sampler can do so.
    void batch(Index epoch, Index index, Batch& result) const { sampler_->batch(epoch, index, result); }

private:
    struct Interface {
        virtual ~Interface() = default;
        virtual Index batches() const = 0;
        virtual Index items() const = 0;
        virtual void batch(Index epoch, Index index, Batch& result) const = 0;
    };
    template <class S>
    struct Holder final : Interface {
        explicit Holder(S held) : sampler(std::move(held)) {}
        Index batches() const override { return sampler.batches(); }
        Index items() const override { return sampler.items(); }
        void batch(Index epoch, Index index, Batch& result) const override {
            if constexpr (requires { sampler.batch(epoch, index, result); })
                sampler.batch(epoch, index, result);
            else
                result = sampler.batch(epoch, index);
        }
        S sampler;
    };
    std::shared_ptr<const Interface> sampler_;
};
static_assert(BatchSampler<AnyBatchSampler>);

}  // namespace mtdn
