#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mtdn/change/accumulator.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>

namespace mtdn {

/// One pair that is asked about a frame, and the slot in which that frame stands.
struct Comparison {
    Pair pair;
    Slot slot = Slot::query;

    friend constexpr bool operator==(const Comparison&, const Comparison&) = default;
};

/// `fusion.partners(query, frames)`: the pairs that segment frame `query` of so many, at least one.
template <class F>
concept lists_the_pairs_that_segment_a_frame = requires(const F& fusion, Index query, Index frames) {
    { fusion.partners(query, frames) } -> std::same_as<std::vector<Comparison>>;
};

/// `fusion.accumulator(height, width)`: an empty accumulator for one frame.
template <class F>
concept starts_an_accumulator = requires(const F& fusion, Index height, Index width) {
    { fusion.accumulator(height, width) } -> std::same_as<PredictionAccumulator>;
};

/// How the categories predicted for pairs become a frame's mask.
///
/// Streams: the caller asks for a frame's pairs, adds each one's logits or categories to the accumulator as they come,
/// and takes mask and uncertainty from it. Laws: `partners` is not empty; the frame stands in the named slot of each
/// pair; both frames of a pair lie in [0, frames). `mtdn::testing::check_prediction_fusion` verifies them.
template <class F>
concept PredictionFusion = lists_the_pairs_that_segment_a_frame<F> && starts_an_accumulator<F> &&
    is_chosen_by_name<F> && std::copy_constructible<F>;

namespace detail {

inline void require_frame(const char* fusion, Index query, Index frames) {
    if (query < 0 || query >= frames)
        fail<OptionError>(fusion, ": frame ", query, " of a sequence of ", frames, " frames (counted from 0)");
}

}  // namespace detail

/// Every frame is compared with the first. @source paper §2.1.4
struct ForwardFusion {
    std::string name() const { return "forward"; }
    std::vector<Comparison> partners(Index query, Index frames) const {
        detail::require_frame("ForwardFusion", query, frames);
        return {{{query, 0}, Slot::query}};
    }
    PredictionAccumulator accumulator(Index height, Index width) const { return {height, width}; }
};

/// Every frame is compared with the last: the paper's choice. @source paper §2.1.4
struct BackwardFusion {
    std::string name() const { return "backward"; }
    std::vector<Comparison> partners(Index query, Index frames) const {
        detail::require_frame("BackwardFusion", query, frames);
        return {{{query, frames - 1}, Slot::query}};
    }
    PredictionAccumulator accumulator(Index height, Index width) const { return {height, width}; }
};

/// Every frame is compared with the next, the last with itself. @source paper §3.4.3
struct ConsecutiveFusion {
    std::string name() const { return "consecutive"; }
    std::vector<Comparison> partners(Index query, Index frames) const {
        detail::require_frame("ConsecutiveFusion", query, frames);
        return {{{query, query + 1 < frames ? query + 1 : query}, Slot::query}};
    }
    PredictionAccumulator accumulator(Index height, Index width) const { return {height, width}; }
};

/// How an ensemble compares and averages.
struct EnsembleOptions {
    bool soft = false;        ///< average the probability of feature instead of votes; takes logits
    bool both_slots = false;  ///< compare (t, n) and (n, t) for every frame n, instead of (t, n) alone
};

/// Every frame is compared with all frames, itself included, and the pairs' answers are averaged.
///
/// @source paper §3.4.3, Table 6
class EnsembleFusion {
public:
    EnsembleFusion(EnsembleOptions options = {}) : options_(options) {}

    const EnsembleOptions& options() const { return options_; }
    std::string name() const { return "ensemble"; }

    std::vector<Comparison> partners(Index query, Index frames) const {
        detail::require_frame("EnsembleFusion", query, frames);
        std::vector<Comparison> comparisons;
        for (Index other = 0; other < frames; ++other) {
            comparisons.push_back({{query, other}, Slot::query});
            if (options_.both_slots) comparisons.push_back({{other, query}, Slot::partner});
        }
        return comparisons;
    }

    PredictionAccumulator accumulator(Index height, Index width) const { return {height, width, options_.soft}; }

private:
    EnsembleOptions options_;
};

static_assert(PredictionFusion<ForwardFusion> && PredictionFusion<BackwardFusion>);
static_assert(PredictionFusion<ConsecutiveFusion> && PredictionFusion<EnsembleFusion>);

/// Holds any prediction fusion, chosen at run time. Copies share it.
class AnyPredictionFusion {
public:
    /// The paper's choice, `BackwardFusion`.
    AnyPredictionFusion() : AnyPredictionFusion(BackwardFusion{}) {}

    template <class F>
    requires(!std::same_as<F, AnyPredictionFusion>) && PredictionFusion<F> AnyPredictionFusion(F fusion)
        : held_(std::make_shared<Held<F>>(std::move(fusion))) {}

    std::string name() const { return held_->name(); }
    std::vector<Comparison> partners(Index query, Index frames) const { return held_->partners(query, frames); }
    PredictionAccumulator accumulator(Index height, Index width) const { return held_->accumulator(height, width); }

private:
    struct Holder {
        virtual ~Holder() = default;
        virtual std::string name() const = 0;
        virtual std::vector<Comparison> partners(Index query, Index frames) const = 0;
        virtual PredictionAccumulator accumulator(Index height, Index width) const = 0;
    };

    template <class F>
    struct Held final : Holder {
        explicit Held(F given) : fusion(std::move(given)) {}
        std::string name() const override { return fusion.name(); }
        std::vector<Comparison> partners(Index query, Index frames) const override {
            return fusion.partners(query, frames);
        }
        PredictionAccumulator accumulator(Index height, Index width) const override {
            return fusion.accumulator(height, width);
        }
        F fusion;
    };

    std::shared_ptr<const Holder> held_;
};
static_assert(PredictionFusion<AnyPredictionFusion>);

/// The fusion of that name: "backward", "forward", "consecutive" or "ensemble", the latter with `options`.
///
/// @throws OptionError, listing the names, if there is none, or if options are given to a fusion that has none
inline AnyPredictionFusion prediction_fusion(std::string_view name, EnsembleOptions options = {}) {
    if (name == "ensemble") return EnsembleFusion{options};
    const AnyPredictionFusion others[] = {BackwardFusion{}, ForwardFusion{}, ConsecutiveFusion{}};
    for (const AnyPredictionFusion& fusion : others) {
        if (fusion.name() != name) continue;
        require<OptionError>(!options.soft && !options.both_slots,
                             "prediction_fusion: soft and both_slots are options ", "of ensemble; ", name, " has none");
        return fusion;
    }
    fail<OptionError>("prediction_fusion: \"", name, "\" is none; expected backward, forward, consecutive or ensemble");
}

}  // namespace mtdn
