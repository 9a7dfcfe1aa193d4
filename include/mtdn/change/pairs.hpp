#pragma once

#include <cmath>
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// Two frames that are compared, as indices: the query stands in the first slot, its partner in the second.
struct Pair {
    Index query = 0;
    Index partner = 0;

    friend constexpr bool operator==(const Pair&, const Pair&) = default;
};

/// `policy.count(frames)`: the number of pairs that so many frames make.
template <class P>
concept counts_the_pairs_of_a_sequence = requires(const P& policy, Index frames) {
    { policy.count(frames) } -> std::same_as<Index>;
};

/// `policy.pair(frames, i)`: the i-th of them, 0 ≤ i < count, found without forming the list.
template <class P>
concept finds_a_pair_by_its_number = requires(const P& policy, Index frames, Index i) {
    { policy.pair(frames, i) } -> std::same_as<Pair>;
};

/// `value.name()`: the name under which it is chosen and shown.
template <class T>
concept is_chosen_by_name = requires(const T& value) {
    { value.name() } -> std::convertible_to<std::string>;
};

/// Which pairs of a sequence's frames are compared.
///
/// Laws: for i in [0, count(frames)) the pairs differ and both their frames lie in [0, frames); equal arguments give
/// equal results. `mtdn::testing::check_pair_policy` verifies them.
template <class P>
concept PairPolicy = counts_the_pairs_of_a_sequence<P> && finds_a_pair_by_its_number<P> && is_chosen_by_name<P> &&
    std::copy_constructible<P>;

/// That a policy takes all pairs of one kind.
struct AllPairsKind {
    bool ordered = true;    ///< (s, t) and (t, s) both; else only s < t, the earlier frame being the query
    bool with_self = true;  ///< (t, t) too
};

/// A pair policy that says it takes all pairs of one kind: its class counts need no pair to be formed.
template <class P>
concept CompletePairPolicy = PairPolicy<P> && requires(const P& policy) {
    { policy.kind() } -> std::same_as<AllPairsKind>;
};

/// All pairs of a sequence's frames, {unordered, ordered} × {without, with self-pairs}.
///
/// @source paper §2.1.3, Table 1
class AllPairs {
public:
    constexpr explicit AllPairs(AllPairsKind kind) : kind_(kind) {}

    constexpr AllPairsKind kind() const { return kind_; }

    std::string name() const {
        return std::string(kind_.ordered ? "ordered" : "unordered") + (kind_.with_self ? "_self" : "");
    }

    constexpr Index count(Index frames) const {
        const Index different = frames * (frames - 1) / (kind_.ordered ? 1 : 2);
        return different + (kind_.with_self ? frames : 0);
    }

    /// @throws OptionError unless 0 ≤ i < count(frames)
    Pair pair(Index frames, Index i) const {
        if (i < 0 || i >= count(frames))
            fail<OptionError>(name(), ": pair ", i, " asked for, ", frames, " frames make ", count(frames),
                              " (counted from 0)");
        if (kind_.ordered && kind_.with_self) return {i / frames, i % frames};
        if (kind_.ordered) {
            const Index query = i / (frames - 1), other = i % (frames - 1);
            return {query, other < query ? other : other + 1};
        }
        // Row r holds the pairs (0, r) … (r − 1, r), so i = r (r − 1) / 2 + query. With self-pairs, (q, t) stands as
        // (q, t + 1).
        auto row = static_cast<Index>((1 + std::sqrt(1 + 8 * static_cast<double>(i))) / 2);
        while (row * (row - 1) / 2 > i) --row;
        while ((row + 1) * row / 2 <= i) ++row;
        return {i - row * (row - 1) / 2, kind_.with_self ? row - 1 : row};
    }

private:
    AllPairsKind kind_;
};

/// Each two different frames once, the earlier as query: n(n − 1)/2 pairs.
struct UnorderedPairs : AllPairs {
    constexpr UnorderedPairs() : AllPairs({.ordered = false, .with_self = false}) {}
};
/// As `UnorderedPairs`, and each frame with itself: n(n + 1)/2 pairs.
struct UnorderedSelfPairs : AllPairs {
    constexpr UnorderedSelfPairs() : AllPairs({.ordered = false, .with_self = true}) {}
};
/// Each two different frames in both orders: n(n − 1) pairs.
struct OrderedPairs : AllPairs {
    constexpr OrderedPairs() : AllPairs({.ordered = true, .with_self = false}) {}
};
/// As `OrderedPairs`, and each frame with itself: n² pairs. The default of training.
struct OrderedSelfPairs : AllPairs {
    constexpr OrderedSelfPairs() : AllPairs({.ordered = true, .with_self = true}) {}
};

static_assert(CompletePairPolicy<UnorderedPairs> && CompletePairPolicy<UnorderedSelfPairs>);
static_assert(CompletePairPolicy<OrderedPairs> && CompletePairPolicy<OrderedSelfPairs>);

/// Holds any pair policy, chosen at run time. Copies share it.
class AnyPairPolicy {
public:
    /// Ordered pairs with self-pairs.
    AnyPairPolicy() : AnyPairPolicy(OrderedSelfPairs{}) {}

    template <class P>
    requires(!std::same_as<P, AnyPairPolicy>) && PairPolicy<P> AnyPairPolicy(P policy)
        : held_(hold(std::move(policy))) {}

    Index count(Index frames) const { return held_->count(frames); }
    Pair pair(Index frames, Index i) const { return held_->pair(frames, i); }
    std::string name() const { return held_->name(); }
    /// Which of the complete policies it holds; none if another.
    std::optional<AllPairsKind> kind() const { return held_->kind(); }

private:
    struct Holder {
        virtual ~Holder() = default;
        virtual Index count(Index frames) const = 0;
        virtual Pair pair(Index frames, Index i) const = 0;
        virtual std::string name() const = 0;
        virtual std::optional<AllPairsKind> kind() const = 0;
    };

    template <class P>
    struct Held final : Holder {
        explicit Held(P given) : policy(std::move(given)) {}
        Index count(Index frames) const override { return policy.count(frames); }
        Pair pair(Index frames, Index i) const override { return policy.pair(frames, i); }
        std::string name() const override { return policy.name(); }
        std::optional<AllPairsKind> kind() const override {
            if constexpr (CompletePairPolicy<P>)
                return policy.kind();
            else
                return std::nullopt;
        }
        P policy;
    };

    // The four differ in their kind alone, so they share a holder.
    template <class P>
    static std::shared_ptr<const Holder> hold(P policy) {
        if constexpr (std::same_as<P, UnorderedPairs> || std::same_as<P, UnorderedSelfPairs> ||
                      std::same_as<P, OrderedPairs> || std::same_as<P, OrderedSelfPairs>)
            return std::make_shared<Held<AllPairs>>(policy);
        else
            return std::make_shared<Held<P>>(std::move(policy));
    }

    std::shared_ptr<const Holder> held_;
};
static_assert(PairPolicy<AnyPairPolicy>);

/// The pair policy of that name: "unordered", "unordered_self", "ordered" or "ordered_self".
///
/// @throws OptionError, listing the names, if there is none
[[gnu::cold]] inline AnyPairPolicy pair_policy(std::string_view name) {
    for (const AllPairs& policy : {AllPairs(UnorderedPairs{}), AllPairs(UnorderedSelfPairs{}), AllPairs(OrderedPairs{}),
                                   AllPairs(OrderedSelfPairs{})})
        if (policy.name() == name) return policy;
    fail<OptionError>("pair_policy: \"", name,
                      "\" is none; expected unordered, unordered_self, ordered or ordered_self");
}

}  // namespace mtdn
