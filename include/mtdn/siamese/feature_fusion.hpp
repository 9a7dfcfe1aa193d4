#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <mtdn/autograd/elements.hpp>

namespace mtdn {

/// `fusion(query, partner)`: the two frames' feature maps made one.
template <class F, class B>
concept fuses_two_feature_maps = requires(const F& fusion, const Variable<B>& map) {
    { fusion(map, map) } -> std::same_as<Variable<B>>;
};

/// `fusion.channels(c)`: channels of what it makes of two maps of c channels.
template <class F>
concept states_its_fused_channels = requires(const F& fusion, Index channels) {
    { fusion.channels(channels) } -> std::convertible_to<Index>;
};

/// `fusion.name()`: what it is called in files and options.
template <class F>
concept states_its_name = requires(const F& fusion) {
    { fusion.name() } -> std::convertible_to<std::string>;
};

/// How the feature maps of a pair's two frames become the input of the heads.
///
/// @shape (P, H, W, C) twice → (P, H, W, channels(C))
template <class F, class B>
concept FeatureFusion = Backend<B> && std::copyable<F> && fuses_two_feature_maps<F, B> &&
                        states_its_fused_channels<F> && states_its_name<F>;

/// What a linear fusion does with one slot's map: `factor` times it is added to the fused channels from `first` on.
struct FusedSlot {
    Index first = 0;
    double factor = 1;
};

/// The two slots of a linear fusion.
struct FusedSlots {
    FusedSlot query;
    FusedSlot partner;

    /// Whether both are added to the same channels, so that one convolution of a frame serves both.
    bool together() const { return query.first == partner.first; }
};

/// `fusion.slots(c)`: what it does with each slot's map of c channels; none if it is chosen at run time and not linear.
template <class F>
concept names_each_slots_weights = requires(const F& fusion, Index channels) {
    { fusion.slots(channels) } -> std::convertible_to<std::optional<FusedSlots>>;
};

/// A feature fusion that is linear, so that a convolution of it is the sum of two, one of each slot's map.
template <class F, class B>
concept LinearFeatureFusion = FeatureFusion<F, B> && names_each_slots_weights<F>;

namespace detail {
/// A fusion's slots, if it is linear.
template <Backend B, class Fusion>
std::optional<FusedSlots> slots_of(const Fusion& fusion, Index features) {
    if constexpr (LinearFeatureFusion<Fusion, B>) return fusion.slots(features);
    else return std::nullopt;
}

}  // namespace detail

/// Both maps, one behind the other (the published fusion).
struct Concatenate {
    std::string name() const { return "concat"; }
    Index channels(Index features) const { return 2 * features; }
    FusedSlots slots(Index features) const { return {{0, 1}, {features, 1}}; }
    template <Backend B>
    Variable<B> operator()(const Variable<B>& query, const Variable<B>& partner) const {
        return concat(query, partner);
    }
};

/// query − partner.
struct Difference {
    std::string name() const { return "difference"; }
    Index channels(Index features) const { return features; }
    FusedSlots slots(Index) const { return {{0, 1}, {0, -1}}; }
    template <Backend B>
    Variable<B> operator()(const Variable<B>& query, const Variable<B>& partner) const {
        return subtract(query, partner);
    }
};

/// |query − partner|: the same for both orders, so appearing and disappearing look alike.
struct AbsoluteDifference {
    std::string name() const { return "absolute"; }
    Index channels(Index features) const { return features; }
    template <Backend B>
    Variable<B> operator()(const Variable<B>& query, const Variable<B>& partner) const {
        return activate(subtract(query, partner), Activation::absolute);
    }
};

/// query · partner: the same for both orders, so appearing and disappearing look alike.
struct Product {
    std::string name() const { return "product"; }
    Index channels(Index features) const { return features; }
    template <Backend B>
    Variable<B> operator()(const Variable<B>& query, const Variable<B>& partner) const {
        return multiply(query, partner);
    }
};

/// A feature fusion that is chosen at run time.
template <Backend B>
class AnyFeatureFusion {
public:
    AnyFeatureFusion() : AnyFeatureFusion(Concatenate{}) {}
    template <class F>
        requires(!std::same_as<F, AnyFeatureFusion>) && FeatureFusion<F, B>
    AnyFeatureFusion(F fusion)
        : name_(fusion.name()), channels_([fusion](Index features) { return fusion.channels(features); }),
          slots_([fusion](Index features) { return detail::slots_of<B>(fusion, features); }),
          fuse_([fusion](const Variable<B>& a, const Variable<B>& b) { return fusion(a, b); }) {}

    std::string name() const { return name_; }
    Index channels(Index features) const { return channels_(features); }
    std::optional<FusedSlots> slots(Index features) const { return slots_(features); }
    Variable<B> operator()(const Variable<B>& query, const Variable<B>& partner) const { return fuse_(query, partner); }

private:
    std::string name_;
    std::function<Index(Index)> channels_;
    std::function<std::optional<FusedSlots>(Index)> slots_;
    std::function<Variable<B>(const Variable<B>&, const Variable<B>&)> fuse_;
};

/// The feature fusion of that name: "concat", "difference", "absolute" or "product".
///
/// @throws OptionError if there is no such name
template <Backend B>
AnyFeatureFusion<B> feature_fusion(std::string_view name) {
    if (name == "concat") return Concatenate{};
    if (name == "difference") return Difference{};
    if (name == "absolute") return AbsoluteDifference{};
    if (name == "product") return Product{};
    fail<OptionError>("feature_fusion: \"", name, "\" is none; expected concat, difference, absolute or product");
}

}  // namespace mtdn
