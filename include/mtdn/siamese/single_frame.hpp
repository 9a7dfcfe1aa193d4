#pragma once

#include <string>
#include <utility>
#include <vector>

#include <mtdn/siamese/siamese.hpp>

namespace mtdn {

/// Plain segmentation: a backbone and, for every task, a 1×1 convolution to {background, feature}. The baseline, and
/// the pre-training of a Siamese model's backbone.
template <class Backbone>
class SingleFrame {
public:
    using Backend = backend_of<Backbone>;
    using B = Backend;
    static_assert(EncoderDecoder<Backbone, B>);

    /// @throws OptionError if there is no task or a name is there twice
    [[gnu::cold]] SingleFrame(Backbone backbone, std::vector<std::string> tasks, Random& random)
        : backbone_(std::move(backbone)), tasks_(std::move(tasks)) {
        require<OptionError>(!tasks_.empty(), "SingleFrame: no task");
        B& b = backend_value(backbone_);
        const Conv2dOptions to_classes{.in = backbone_.feature_channels(), .out = 2, .kernel = 1};
        for (const auto& task : tasks_) {
            for (const auto& output : outputs_)
                require<OptionError>(output.first != task, "SingleFrame: task \"", task, "\" is there twice");
            outputs_.emplace_back(task, Conv2d<B>(b, to_classes, random));
        }
        parameters_ = flatten(b, *this);
    }

    /// Logits of every task.
    ///
    /// @shape frames (N, H, W, C), normalised → for each task (N, H, W, 2)
    /// @throws ShapeError if a side is shorter than the backbone's multiple or the channels differ
    InlineVector<Variable<B>, 4> segment(const Variable<B>& frames, Pass<B>& pass) const {
        const auto maps = detail::features_of("SingleFrame", backbone_, frames, pass);
        InlineVector<Variable<B>, 4> logits;
        for (const auto& output : outputs_) logits.push_back(output.second(maps, pass));
        return logits;
    }

    /// Gives it auxiliary heads for the decoder's coarser levels, unless it has them; its parameters move to a new
    /// buffer.
    ///
    /// @throws OptionError if there are no coarser levels
    [[gnu::cold]] void add_auxiliary_heads(Random& random)
        requires PyramidDecoder<Backbone, B>
    {
        if (!auxiliary_.empty()) return;
        auxiliary_ = detail::auxiliary_heads(backend(), backbone_.coarser_channels(), tasks_, 2, random);
        parameters_ = flatten(backend(), *this);
    }

    /// Logits of every task, and behind them those of the auxiliary heads, level by level from half resolution down.
    ///
    /// @shape frames (N, H, W, C), normalised → for each level and task (N, H, W, 2)
    [[gnu::cold]] LevelLogits<B> logits_of_levels(const Variable<B>& frames, Pass<B>& pass) const
        requires PyramidDecoder<Backbone, B>
    {
        CoarserMaps<B> coarser;
        const auto maps = detail::features_of("SingleFrame", backbone_, frames, pass, &coarser);
        LevelLogits<B> logits;
        for (const auto& output : outputs_) logits.push_back(output.second(maps, pass));
        for (std::size_t level = 1; level <= coarser.size(); ++level)
            detail::append_logits_of_level(auxiliary_, tasks_.size(), level, coarser[coarser.size() - level],
                                           frames.shape(), pass, logits);
        return logits;
    }

    const std::vector<std::string>& tasks() const { return tasks_; }
    B& backend() const { return parameters_.values.backend(); }
    const Backbone& backbone() const { return backbone_; }
    Backbone& backbone() { return backbone_; }
    FlatParameters<B>& parameters() { return parameters_; }
    const FlatParameters<B>& parameters() const { return parameters_; }

    /// Side that frames' longer sides are scaled to before they enter, pixels; 0: as they are.
    Index size() const { return size_; }
    void set_size(Index size) { size_ = size; }

    static void visit(auto& self, auto&& visitor) {
        visitor("backbone", self.backbone_);
        visitor("outputs", self.outputs_);
        visitor("auxiliary", self.auxiliary_);
    }

private:
    Backbone backbone_;
    std::vector<std::string> tasks_;
    std::vector<std::pair<std::string, Conv2d<B>>> outputs_;
    AuxiliaryHeads<B> auxiliary_;
    FlatParameters<B> parameters_;
    Index size_ = 0;
};

template <class Backbone, class... More>
SingleFrame(Backbone, More&&...) -> SingleFrame<Backbone>;

}  // namespace mtdn
