#pragma once

#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/nn/conv_block.hpp>

namespace mtdn {

/// Options of a U-Net.
struct UNetOptions {
    Index in_channels = 3;  ///< channels of a frame
    Index width = 32;       ///< channels of the first level; they double with each further one
    Index depth = 4;        ///< number of poolings
    Initialiser initialiser = Initialiser::uniform;  ///< first values
};

/// U-Net: the reference backbone. Blocks of two convolutions, 2×2 max pooling, 2×2 transposed convolutions,
/// concatenated skips in the order (upsampled, skip).
///
/// @shape (N, H, W, in_channels) → (N, H, W, width); H and W multiples of 2^depth
/// @source Ronneberger et al. 2015; paper §2.2, Fig. 5
template <Backend B>
class UNet {
public:
    /// Encoder maps from full resolution down, the bottleneck's last.
    using Levels = InlineVector<Variable<B>, 6>;

    /// @throws OptionError if a size is out of range
    [[gnu::cold]] UNet(B& backend, const UNetOptions& options, Random& random) : options_(options) {
        require<OptionError>(options.in_channels > 0 && options.width > 0, "UNet: channels must be positive, got ",
                             options.in_channels, " in, width ", options.width);
        require<OptionError>(options.depth >= 1 && options.depth <= 10, "UNet: depth must be 1 to 10, got ",
                             options.depth);
        Index in = options.in_channels, out = options.width;
        for (Index k = 1; k <= options.depth; ++k, in = out, out *= 2)
            encoder_.emplace_back("encoder" + std::to_string(k),
                                  ConvBlock<B>(backend, in, out, random, options.initialiser));
        encoder_.emplace_back(std::string("bottleneck"), ConvBlock<B>(backend, in, out, random, options.initialiser));
        for (Index k = options.depth; k >= 1; --k, out /= 2) {
            up_.emplace_back("up" + std::to_string(k),
                             ConvTranspose2d<B>(backend, out, out / 2, random, options.initialiser));
            decoder_.emplace_back("decoder" + std::to_string(k),
                                  ConvBlock<B>(backend, out, out / 2, random, options.initialiser));
        }
    }

    Levels encode(const Variable<B>& frames, Pass<B>& pass) const {
        Levels levels;
        Variable<B> x = frames;
        for (std::size_t k = 0; k + 1 < encoder_.size(); ++k) {
            auto level = encoder_[k].second.pooled(std::move(x), pass);
            levels.push_back(std::move(level.value));
            x = std::move(level.maxima);
        }
        levels.push_back(encoder_.back().second(std::move(x), pass));
        return levels;
    }

    // What has been read is let go of, level by level.
    Variable<B> decode(Levels levels, Pass<B>& pass, CoarserMaps<B>* coarser = nullptr) const {
        Variable<B> x = std::move(levels.back());
        for (std::size_t k = 0; k < decoder_.size(); ++k) {
            x = concat(up_[k].second(x, pass), std::exchange(levels[levels.size() - 2 - k], {}));
            x = decoder_[k].second(std::move(x), pass);
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
    const UNetOptions& options() const { return options_; }

    static void visit(auto& self, auto&& visitor) {
        visitor("", self.encoder_);
        visitor("", self.up_);
        visitor("", self.decoder_);
    }

private:
    UNetOptions options_;
    std::vector<std::pair<std::string, ConvBlock<B>>> encoder_;
    std::vector<std::pair<std::string, ConvTranspose2d<B>>> up_;
    std::vector<std::pair<std::string, ConvBlock<B>>> decoder_;
};

}  // namespace mtdn
