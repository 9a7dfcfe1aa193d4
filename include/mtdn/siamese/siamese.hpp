#pragma once

#include <bit>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/frames.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/nn/flat.hpp>
#include <mtdn/siamese/feature_fusion.hpp>
#include <mtdn/siamese/head.hpp>

namespace mtdn {

namespace detail {

/// The backbone's features of frames of any size: the last row and column are repeated up to the backbone's multiple,
/// and the features cropped back.
template <class Backbone, Backend B>
Variable<B> features_of(const char* model, const Backbone& backbone, const Variable<B>& frames, Pass<B>& pass) {
    const Shape s = frames.shape();
    const Index multiple = backbone.size_multiple();
    Index fitting = 1;
    while (2 * fitting <= std::min(s.height, s.width)) fitting *= 2;
    require<ShapeError>(s.height >= multiple && s.width >= multiple, model, ": frames ", s,
                        " have a side shorter than the backbone's multiple ", multiple,
                        "; a backbone of multiple ", fitting, " or less would do (U-Net: depth ",
                        std::bit_width(static_cast<std::size_t>(fitting)) - 1, ")");
    const auto up = [multiple](Index side) { return (side + multiple - 1) / multiple * multiple; };
    const auto padded = pad_edge(frames, up(s.height), up(s.width));
    return crop(backbone.decode(backbone.encode(padded, pass), pass), s.height, s.width);
}

}  // namespace detail

/// One backbone run on both frames of a pair, its two feature maps fused, and a head for every task.
///
/// Random batches, cliques, prediction fusion and live use are all made of two primitives: `features` of frames, and
/// `compare` of features by pairs of indices. A frame's features are computed once, however many pairs it is in.
///
/// @source paper §2.2, Fig. 5
template <class Backbone, class Fusion = Concatenate, class TaskHead = ConvHead<backend_of<Backbone>>>
class Siamese {
public:
    using Backend = backend_of<Backbone>;
    using B = Backend;
    static_assert(EncoderDecoder<Backbone, B>);
    static_assert(FeatureFusion<Fusion, B>);
    static_assert(Head<TaskHead, B>);

    /// With the published head, or one of the given options, for every task.
    ///
    /// @throws OptionError if there is no task or a name is there twice
    Siamese(Backbone backbone, Fusion fusion, std::vector<std::string> tasks, Random& random,
            const HeadOptions& options = {})
        : Siamese(std::move(backbone), std::move(fusion), std::move(tasks),
                  [&](B& backend, const std::string&, Index fused, Index features) {
                      return TaskHead(backend, fused, features, options, random);
                  }) {}

    /// With heads made by `factory(backend, task, fused channels, feature channels)`.
    template <class Factory>
        requires std::invocable<Factory&, B&, const std::string&, Index, Index>
    Siamese(Backbone backbone, Fusion fusion, std::vector<std::string> tasks, Factory factory)
        : backbone_(std::move(backbone)), fusion_(std::move(fusion)), tasks_(std::move(tasks)) {
        require<OptionError>(!tasks_.empty(), "Siamese: no task");
        B& b = backend_value(backbone_);
        const Index features = backbone_.feature_channels();
        for (std::size_t i = 0; i < tasks_.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j)
                require<OptionError>(tasks_[i] != tasks_[j], "Siamese: task \"", tasks_[i], "\" is there twice");
            heads_.emplace_back(tasks_[i], factory(b, tasks_[i], fusion_.channels(features), features));
        }
        parameters_ = flatten(b, *this);
    }

    /// Feature maps of frames, any size not below the backbone's multiple.
    ///
    /// @shape frames (N, H, W, C), normalised → (N, H, W, f)
    /// @throws ShapeError if a side is too short or the channels differ
    Variable<B> features(const Variable<B>& frames, Pass<B>& pass) const {
        return detail::features_of("Siamese", backbone_, frames, pass);
    }

    /// Logits of every task for pairs of frames, given by their indices into the features.
    ///
    /// @shape features (N, H, W, f) → for each task (number of pairs, H, W, classes)
    /// @throws ShapeError if an index is out of range
    InlineVector<Variable<B>, 4> compare(const Variable<B>& features, std::span<const Pair> pairs, Pass<B>& pass) const {
        InlineVector<Index, 256> queries, partners;
        for (const Pair& pair : pairs) {
            queries.push_back(pair.query);
            partners.push_back(pair.partner);
        }
        const auto maps = materialise(features);
        const auto fused = fusion_(gather_frames<B>(maps, queries), gather_frames<B>(maps, partners));
        const typename Pass<B>::Groups one_group(pass, 1);
        InlineVector<Variable<B>, 4> logits;
        for (const auto& head : heads_) logits.push_back(head.second(fused, pass));
        return logits;
    }

    const std::vector<std::string>& tasks() const { return tasks_; }
    B& backend() const { return parameters_.values.backend(); }
    const Backbone& backbone() const { return backbone_; }
    Backbone& backbone() { return backbone_; }
    const Fusion& fusion() const { return fusion_; }
    /// The heads with their tasks' names.
    const std::vector<std::pair<std::string, TaskHead>>& heads() const { return heads_; }
    /// The flat buffer that all parameters are views of.
    FlatParameters<B>& parameters() { return parameters_; }
    const FlatParameters<B>& parameters() const { return parameters_; }

    /// Side that frames' longer sides are scaled to before they enter, pixels; 0: as they are.
    Index size() const { return size_; }
    void set_size(Index size) { size_ = size; }

    static void visit(auto& self, auto&& visitor) {
        visitor("backbone", self.backbone_);
        visitor("heads", self.heads_);
    }

private:
    Backbone backbone_;
    Fusion fusion_;
    std::vector<std::string> tasks_;
    std::vector<std::pair<std::string, TaskHead>> heads_;
    FlatParameters<B> parameters_;
    Index size_ = 0;
};

template <class Backbone, class Fusion, class... More>
Siamese(Backbone, Fusion, More&&...) -> Siamese<Backbone, Fusion>;

}  // namespace mtdn
