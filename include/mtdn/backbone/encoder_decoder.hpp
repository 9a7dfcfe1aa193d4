#pragma once

#include <concepts>
#include <type_traits>
#include <vector>

#include <mtdn/autograd/pass.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/nn/module.hpp>

namespace mtdn {

/// `net.encode(frames, pass)` on a const net gives the levels of a pyramid, of any type of the net's own: a forward
/// pass changes nothing, so that one net may run on any number of frames.
template <class N, class B>
concept encodes_frames_without_changing_itself =
    requires(const N& net, const Variable<B>& frames, Pass<B>& pass) { net.encode(frames, pass); };

/// `net.decode(levels, pass)` on a const net takes what `encode` gave and gives one feature map, a `Variable<B>`.
template <class N, class B>
concept decodes_levels_into_a_feature_map =
    requires(const N& net, const Variable<B>& frames, Pass<B>& pass) {
        { net.decode(net.encode(frames, pass), pass) } -> std::same_as<Variable<B>>;
    };

/// `net.feature_channels()`: channels of the feature map.
template <class N>
concept states_its_feature_channels = requires(const N& net) {
    { net.feature_channels() } -> std::convertible_to<Index>;
};

/// `net.size_multiple()`: what the sides of its input must be multiples of.
template <class N>
concept states_its_size_multiple = requires(const N& net) {
    { net.size_multiple() } -> std::convertible_to<Index>;
};

/// A backbone: frames in, a feature map of the same height and width out, with named parts.
///
/// Laws: frames of a batch do not influence each other when statistics are the running ones; the feature map has
/// `feature_channels()` channels and the input's size; names are unique and stay the same.
/// `mtdn::testing::check_backbone` verifies them.
template <class N, class B>
concept EncoderDecoder = Backend<B> && Module<N> && encodes_frames_without_changing_itself<N, B> &&
                         decodes_levels_into_a_feature_map<N, B> && states_its_feature_channels<N> &&
                         states_its_size_multiple<N>;

/// Feature maps of a decoder's coarser levels, the coarsest first.
template <Backend B>
using CoarserMaps = InlineVector<Variable<B>, 4>;

/// `net.decode(levels, pass, coarser)`, `coarser` a `CoarserMaps<B>*`: also appends to it, unless it is null.
template <class N, class B>
concept gives_its_coarser_maps =
    requires(const N& net, const Variable<B>& frames, Pass<B>& pass, CoarserMaps<B>* coarser) {
        { net.decode(net.encode(frames, pass), pass, coarser) } -> std::same_as<Variable<B>>;
    };

/// `net.coarser_channels()`: channels of these maps, in their order.
template <class N>
concept states_its_coarser_channels = requires(const N& net) {
    { net.coarser_channels() } -> std::same_as<std::vector<Index>>;
};

/// A backbone that gives its decoder's coarser levels, too, so that they may be supervised.
///
/// Laws: the last of these maps has half the input's height and width, and each before it half those of the next; the
/// feature map is the same whether they are asked for or not.
template <class N, class B>
concept PyramidDecoder = EncoderDecoder<N, B> && gives_its_coarser_maps<N, B> && states_its_coarser_channels<N>;

namespace detail {

template <class N>
struct BackendOf;
template <template <class> class N, Backend B>
struct BackendOf<N<B>> {
    using type = B;
};
template <class N>
    requires requires { typename N::Backend; }
struct BackendOf<N> {
    using type = typename N::Backend;
};

}  // namespace detail

/// The backend of a network: its member type `Backend`, or its first template argument.
template <class N>
using backend_of = typename detail::BackendOf<N>::type;

/// The backend value that a network's parameters live on.
template <class N>
[[gnu::cold]] auto& backend_value(const N& net) {
    const auto list = detail::parameters_of<backend_of<N>>(const_cast<N&>(net));  // which are only read
    require<OptionError>(!list.empty(), "backend_value: the network has no parameters");
    return list.front().parameter->value.backend();
}

}  // namespace mtdn
