#pragma once

#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/resizing.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/nn/convolution.hpp>

namespace mtdn {

/// Heads that answer for the tasks from the decoder's coarser levels, for deep supervision: a 1×1 convolution for each
/// level, from half resolution down, and task. Training alone runs them.
///
/// @source Lee et al. 2015
template <Backend B>
using AuxiliaryHeads = std::vector<std::pair<std::string, Conv2d<B>>>;

/// Logits of every level and task; more than those of two tasks and the four levels of a U-Net of depth 4 allocate.
template <Backend B>
using LevelLogits = InlineVector<Variable<B>, 8>;

namespace detail {

/// @param channels of what the heads of each level read, the coarsest first, as `PyramidDecoder` has them
template <Backend B>
[[gnu::cold]] AuxiliaryHeads<B> auxiliary_heads(B& backend, const std::vector<Index>& channels,
                                                const std::vector<std::string>& tasks, Index classes, Random& random) {
    require<OptionError>(!channels.empty(), "auxiliary heads: the decoder has no coarser levels for deep supervision; ",
                         "expected one of two halvings or more (U-Net: depth 2)");
    AuxiliaryHeads<B> heads;
    for (std::size_t level = 1; level <= channels.size(); ++level)
        for (const auto& task : tasks)
            heads.emplace_back(
                "level" + std::to_string(level) + "." + task,
                Conv2d<B>(backend, {.in = channels[channels.size() - level], .out = classes, .kernel = 1}, random));
    return heads;
}

/// Appends the logits of every task from one level's map, at the frames' size.
///
/// A coarse pixel's logits are repeated over its square, so that each pixel of the labels counts, by its own class
/// weight: the loss is that against the shares of the classes in the square. Labels reduced to one a square would lose
/// what is thin: by majority always, by the nearest most of the time.
///
/// @shape map (P, H / 2^level, W / 2^level, C), H × W being the frames' size or more → for each task (P, H, W, classes)
template <Backend B>
[[gnu::cold]] void append_logits_of_level(const AuxiliaryHeads<B>& heads, std::size_t tasks, std::size_t level,
                                          const Variable<B>& map, const Shape& frames, Pass<B>& pass,
                                          LevelLogits<B>& logits) {
    const Index height = map.shape().height << level, width = map.shape().width << level;
    for (std::size_t task = 0; task < tasks; ++task) {
        const auto coarse = heads[(level - 1) * tasks + task].second(map, pass);
        logits.push_back(
            crop(resize(coarse, height, width, Interpolation::nearest), frames.height, frames.width));
    }
}

}  // namespace detail

}  // namespace mtdn
