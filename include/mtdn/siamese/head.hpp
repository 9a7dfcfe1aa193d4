#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/backend/head_end.hpp>
#include <mtdn/nn/batch_norm.hpp>
#include <mtdn/nn/module.hpp>

namespace mtdn {

/// `head(features, pass)` on a const head: logits of as many channels as there are classes.
template <class H, class B>
concept maps_fused_features_to_logits = requires(const H& head, const Variable<B>& fused, Pass<B>& pass) {
    { head(fused, pass) } -> std::same_as<Variable<B>>;
};

/// What answers for one task: fused features in, logits of the same height and width out.
///
/// @shape (P, H, W, fused channels) → (P, H, W, classes)
template <class H, class B>
concept Head = Backend<B> && Module<H> && maps_fused_features_to_logits<H, B>;

/// The first layer of a head: activation(norm(convolution)).
template <class B>
struct FirstLayer {
    const Conv2d<B>& convolution;
    const BatchNorm2d<B>& norm;
    Activation activation;
};

/// `head.first_layer()`, and `head.after_first_layer(x, pass)`: the logits from that layer's result.
template <class H, class B>
concept names_its_first_convolution = requires(const H& head, const Variable<B>& x, Pass<B>& pass) {
    { head.first_layer() } -> std::same_as<FirstLayer<B>>;
    { head.after_first_layer(x, pass) } -> std::same_as<Variable<B>>;
};

/// A head whose first convolution may be run on each frame of a pair alone, where the fusion is linear.
template <class H, class B>
concept SplittableHead = Head<H, B> && names_its_first_convolution<H, B>;

/// A head that gives its answer as classes too: `head.classes(features, pass)`, and
/// `head.classes_after_first_layer(x, pass)`, the first largest of the logits' channels.
template <class H, class B>
concept AnswersByClasses = SplittableHead<H, B> && requires(const H& head, const Variable<B>& x, Pass<B>& pass) {
    { head.classes(x, pass) } -> std::same_as<Tensor<B, std::uint8_t>>;
    { head.classes_after_first_layer(x, pass) } -> std::same_as<Tensor<B, std::uint8_t>>;
};

/// Options of a head.
struct HeadOptions {
    /// channels after each 3×3 convolution; empty: 2f, f, f/2, 3 for features of f channels
    std::vector<Index> widths{};
    Index classes = 4;  ///< channels of the logits
    Initialiser initialiser = Initialiser::uniform;  ///< first values
};

/// The published head: [convolution 3×3 → batch normalisation → ReLU] for every width, then 1×1 with a bias.
///
/// @source paper §2.2, Fig. 5
template <Backend B>
class ConvHead {
public:
    /// @param fused     channels of the fused features
    /// @param features  channels of one frame's features, for the published widths
    /// @throws OptionError if a width is not positive
    [[gnu::cold]] ConvHead(B& backend, Index fused, Index features, const HeadOptions& options, Random& random) {
        std::vector<Index> widths = options.widths;
        if (widths.empty()) widths = {2 * features, features, std::max<Index>(1, features / 2), 3};
        Index in = fused, place = 0;
        for (const Index width : widths) {
            require<OptionError>(width > 0, "ConvHead: widths must be positive, got ", width);
            const Conv2dOptions conv{.in = in, .out = width, .bias = false, .initialiser = options.initialiser};
            convs_.emplace_back(std::to_string(place), Conv2d<B>(backend, conv, random));
            norms_.emplace_back(std::to_string(place + 1), BatchNorm2d<B>(backend, width));
            in = width;
            place += 3;  // convolution, norm, ReLU: the places in the published sequence
        }
        const Conv2dOptions last{.in = in, .out = options.classes, .kernel = 1, .initialiser = options.initialiser};
        convs_.emplace_back(std::to_string(place), Conv2d<B>(backend, last, random));
    }

    Variable<B> operator()(const Variable<B>& fused, Pass<B>& pass) const {
        return logits_from(0, fused, pass);
    }

    FirstLayer<B> first_layer() const { return {convs_[0].second, norms_[0].second, Activation::relu}; }
    Variable<B> after_first_layer(const Variable<B>& x, Pass<B>& pass) const { return logits_from(1, x, pass); }

    Tensor<B, std::uint8_t> classes(const Variable<B>& fused, Pass<B>& pass) const
        requires joins_head_ends<B>
    {
        return answer_from<std::uint8_t>(0, fused, pass);
    }
    Tensor<B, std::uint8_t> classes_after_first_layer(const Variable<B>& x, Pass<B>& pass) const
        requires joins_head_ends<B>
    {
        return answer_from<std::uint8_t>(1, x, pass);
    }

    /// Channels after each 3×3 convolution.
    std::vector<Index> widths() const {
        std::vector<Index> widths;
        for (std::size_t i = 0; i < norms_.size(); ++i) widths.push_back(convs_[i].second.options().out);
        return widths;
    }

    static void visit(auto& self, auto&& visitor) {
        for (std::size_t i = 0; i < self.convs_.size(); ++i) {
            visitor(self.convs_[i].first, self.convs_[i].second);
            if (i < self.norms_.size()) visitor(self.norms_[i].first, self.norms_[i].second);
        }
    }

private:
    Variable<B> logits_from(std::size_t layer, Variable<B> x, Pass<B>& pass) const {
        if constexpr (joins_head_ends<B>)
            if (!pass.tape()) return Variable<B>(answer_from<typename B::Scalar>(layer, x, pass));
        for (std::size_t i = layer; i < norms_.size(); ++i)
            x = convolve_and_normalise(convs_[i].second, norms_[i].second, Activation::relu, x, pass);
        return convs_.back().second(x, pass);
    }

    // Logits or, as bytes, classes. The backend joins what comes last where it can.
    template <class T>
    Tensor<B, T> answer_from(std::size_t layer, Variable<B> x, Pass<B>& pass) const {
        constexpr bool logits = std::same_as<T, typename B::Scalar>;
        const auto& last = convs_.back().second;
        B& backend = pass.backend();
        for (std::size_t i = layer; i < norms_.size(); ++i) {
            const auto& conv = convs_[i].second;
            HeadEnd<B> end{.w = conv.weight().value, .window = conv.window(), .last = last.weight().value,
                           .bias = last.bias()->value};
            if (!pass.tape() && i + 1 == norms_.size() && x.shape().channels == conv.options().in &&
                backend.joins_head_end(end)) {
                const auto [scale, shift] = by_running_statistics(norms_[i].second);
                end.scale = scale;
                end.shift = shift;
                const Tensor<B, T> y(backend, x.shape().with_channels(logits ? last.options().out : 1));
                backend.finish_head(operand_of(x), end, y);
                return y;
            }
            x = convolve_and_normalise(conv, norms_[i].second, Activation::relu, x, pass);
        }
        const Tensor<B> value = value_of(last(x, pass));
        if constexpr (logits) return value;
        else {
            const Tensor<B, T> codes(backend, value.shape().with_channels(1));
            backend.arg_max(value, codes);
            return codes;
        }
    }

    std::vector<std::pair<std::string, Conv2d<B>>> convs_;
    std::vector<std::pair<std::string, BatchNorm2d<B>>> norms_;
};

}  // namespace mtdn
