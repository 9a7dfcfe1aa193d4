#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/nn/batch_norm.hpp>

namespace mtdn {

/// relu(norm(conv(relu(norm(conv x)))) + shortcut), the first convolution with a stride.
///
/// The shortcut is the input, or a 1×1 convolution of it with a norm where sizes differ.
///
/// @shape (N, H, W, in) → (N, H/stride, W/stride, out)
/// @source He et al. 2016, Fig. 2
template <Backend B>
class ResidualBlock {
public:
    [[gnu::cold]] ResidualBlock(B& backend, Index in, Index out, Index stride, Random& random, Initialiser initialiser)
        : conv1_(backend, {.in = in, .out = out, .stride = stride, .bias = false, .initialiser = initialiser}, random),
          norm1_(backend, out),
          conv2_(backend, {.in = out, .out = out, .bias = false, .initialiser = initialiser}, random),
          norm2_(backend, out) {
        if (stride == 1 && in == out) return;
        shortcut_.emplace(backend, Conv2dOptions{.in = in, .out = out, .kernel = 1, .stride = stride, .bias = false,
                                                 .initialiser = initialiser}, random);
        shortcut_norm_.emplace(backend, out);
    }

    Variable<B> operator()(const Variable<B>& x, Pass<B>& pass) const {
        const auto middle = convolve_and_normalise(conv1_, norm1_, Activation::relu, x, pass);
        const auto change = convolve_and_normalise(conv2_, norm2_, Activation::identity, middle, pass);
        if (!shortcut_) return relu(add(change, x));
        return relu(add(change, convolve_and_normalise(*shortcut_, *shortcut_norm_, Activation::identity, x, pass)));
    }

    static void visit(auto& self, auto&& visitor) {
        visitor("conv1", self.conv1_);
        visitor("norm1", self.norm1_);
        visitor("conv2", self.conv2_);
        visitor("norm2", self.norm2_);
        visitor("shortcut", self.shortcut_);
        visitor("shortcut_norm", self.shortcut_norm_);
    }

private:
    Conv2d<B> conv1_;
    BatchNorm2d<B> norm1_;
    Conv2d<B> conv2_;
    BatchNorm2d<B> norm2_;
    std::optional<Conv2d<B>> shortcut_;
    std::optional<BatchNorm2d<B>> shortcut_norm_;
};

/// Options of a residual encoder-decoder.
struct ResidualNetOptions {
    Index in_channels = 3;  ///< channels of a frame
    Index width = 32;       ///< channels of the first level; they double with each further one
    Index depth = 4;        ///< number of halvings
    Initialiser initialiser = Initialiser::he_normal;  ///< first values
};

/// Residual encoder with strided convolutions; decoder by bilinear up-sampling, to which projected skips are added.
///
/// @shape (N, H, W, in_channels) → (N, H, W, width); H and W multiples of 2^depth
template <Backend B>
class ResidualNet {
public:
    /// Encoder maps from full resolution down.
    using Levels = InlineVector<Variable<B>, 6>;

    /// @throws OptionError if a size is out of range
    [[gnu::cold]] ResidualNet(B& backend, const ResidualNetOptions& options, Random& random) : options_(options) {
        require<OptionError>(options.in_channels > 0 && options.width > 0,
                             "ResidualNet: channels must be positive, got ", options.in_channels, " in, width ",
                             options.width);
        require<OptionError>(options.depth >= 1 && options.depth <= 10, "ResidualNet: depth must be 1 to 10, got ",
                             options.depth);
        const auto initialiser = options.initialiser;
        encoder_.emplace_back(backend, options.in_channels, options.width, 1, random, initialiser);
        Index channels = options.width;
        for (Index k = 0; k < options.depth; ++k, channels *= 2)
            encoder_.emplace_back(backend, channels, 2 * channels, 2, random, initialiser);
        for (Index k = 0; k < options.depth; ++k, channels /= 2) {
            const Conv2dOptions to_half{.in = channels, .out = channels / 2, .kernel = 1, .initialiser = initialiser};
            const Conv2dOptions same{.in = channels / 2, .out = channels / 2, .kernel = 1, .initialiser = initialiser};
            up_.emplace_back(backend, to_half, random);
            skip_.emplace_back(backend, same, random);
            decoder_.emplace_back(backend, channels / 2, channels / 2, 1, random, initialiser);
        }
    }

    Levels encode(const Variable<B>& frames, Pass<B>& pass) const {
        Levels levels{encoder_.front()(frames, pass)};
        for (std::size_t k = 1; k < encoder_.size(); ++k) levels.push_back(encoder_[k](levels.back(), pass));
        return levels;
    }

    Variable<B> decode(const Levels& levels, Pass<B>& pass, CoarserMaps<B>* coarser = nullptr) const {
        Variable<B> x = levels.back();
        for (std::size_t k = 0; k < decoder_.size(); ++k) {
            const Variable<B>& level = levels[levels.size() - 2 - k];
            const auto raised = upsample2(up_[k](x, pass), Interpolation::bilinear);
            x = decoder_[k](add(raised, skip_[k](level, pass)), pass);
            if (coarser && k + 1 < decoder_.size()) coarser->push_back(x);
        }
        return x;
    }

    Index in_channels() const { return options_.in_channels; }
    Index feature_channels() const { return options_.width; }
    Index size_multiple() const { return Index{1} << options_.depth; }
    std::vector<Index> coarser_channels() const {
        std::vector<Index> channels;
        for (Index k = options_.depth - 1; k >= 1; --k) channels.push_back(options_.width << k);
        return channels;
    }
    const ResidualNetOptions& options() const { return options_; }

    static void visit(auto& self, auto&& visitor) {
        visitor("encoder", self.encoder_);
        visitor("up", self.up_);
        visitor("skip", self.skip_);
        visitor("decoder", self.decoder_);
    }

private:
    ResidualNetOptions options_;
    std::vector<ResidualBlock<B>> encoder_;
    std::vector<Conv2d<B>> up_;
    std::vector<Conv2d<B>> skip_;
    std::vector<ResidualBlock<B>> decoder_;
};

}  // namespace mtdn
