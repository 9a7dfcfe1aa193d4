#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <utility>
#include <vector>

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
        for (std::size_t i = layer; i < norms_.size(); ++i)
            x = convolve_and_normalise(convs_[i].second, norms_[i].second, Activation::relu, x, pass);
        return convs_.back().second(x, pass);
    }

    std::vector<std::pair<std::string, Conv2d<B>>> convs_;
    std::vector<std::pair<std::string, BatchNorm2d<B>>> norms_;
};

}  // namespace mtdn
