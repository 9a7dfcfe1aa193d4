#pragma once

#include <bit>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/frames.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/change/category.hpp>
#include <mtdn/change/pairs.hpp>
#include <mtdn/core/inline_vector.hpp>
#include <mtdn/nn/flat.hpp>
#include <mtdn/siamese/auxiliary_heads.hpp>
#include <mtdn/siamese/feature_fusion.hpp>
#include <mtdn/siamese/head.hpp>
#include <mtdn/siamese/joint_layers.hpp>
#include <mtdn/siamese/split.hpp>

namespace mtdn {

namespace detail {

/// The backbone's features of frames of any size: the last row and column are repeated up to the backbone's multiple,
/// and the features cropped back; maps of coarser levels, which only a `PyramidDecoder` is asked for, are not.
template <class Backbone, Backend B>
[[gnu::cold]]
Variable<B> features_of(const char* model, const Backbone& backbone, const Variable<B>& frames, Pass<B>& pass,
                        [[maybe_unused]] CoarserMaps<B>* coarser = nullptr) {
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
    if constexpr (PyramidDecoder<Backbone, B>)
        return crop(backbone.decode(backbone.encode(padded, pass), pass, coarser), s.height, s.width);
    else
        return crop(backbone.decode(backbone.encode(padded, pass), pass), s.height, s.width);
}

}  // namespace detail

/// One backbone run on both frames of a pair, its two feature maps fused, and a head for every task.
///
/// Random batches, cliques, prediction fusion and live use are all made of two primitives: `features` of frames, and
/// `compare` of features by pairs of indices. A frame's features are computed once, however many pairs it is in; and
/// where the fusion is linear, so are the heads' first convolutions of each slot (`slots`).
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
    [[gnu::cold]] Siamese(Backbone backbone, Fusion fusion, std::vector<std::string> tasks, Factory factory)
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
    /// @throws ShapeError if an index is out of range; OptionError if `always` is asked of what cannot be split
    [[gnu::cold]]
    InlineVector<Variable<B>, 4> compare(const Variable<B>& features, std::span<const Pair> pairs, Pass<B>& pass,
                                         HeadSplit split = HeadSplit::automatic) const {
        return answers<Logits>(features, pairs, pass, split);
    }

    /// Classes of every task's pixels: the first largest of what `compare` gives.
    ///
    /// @shape features (N, H, W, f) → for each task (number of pairs, H, W, 1)
    InlineVector<Tensor<B, std::uint8_t>, 4> classes(const Variable<B>& features, std::span<const Pair> pairs,
                                                     Pass<B>& pass, HeadSplit split = HeadSplit::automatic) const
        requires AnswersByClasses<TaskHead, B>
    {
        return answers<Classes>(features, pairs, pass, split);
    }

    /// Gives it auxiliary heads for the decoder's coarser levels, unless it has them; its parameters move to a new
    /// buffer.
    ///
    /// @throws OptionError if there are no coarser levels
    [[gnu::cold]] void add_auxiliary_heads(Random& random)
        requires PyramidDecoder<Backbone, B>
    {
        if (!auxiliary_.empty()) return;
        auto channels = backbone_.coarser_channels();
        for (Index& count : channels) count = fusion_.channels(count);
        auxiliary_ = detail::auxiliary_heads(backend(), channels, tasks_, category_count, random);
        parameters_ = flatten(backend(), *this);
    }

    /// Logits of every task for pairs of frames, and behind them those of the auxiliary heads, level by level from half
    /// resolution down.
    ///
    /// @shape frames (N, H, W, C), normalised → for each level and task (number of pairs, H, W, classes)
    [[gnu::cold]]
    LevelLogits<B> logits_of_levels(const Variable<B>& frames, std::span<const Pair> pairs, Pass<B>& pass) const
        requires PyramidDecoder<Backbone, B>
    {
        CoarserMaps<B> coarser;
        LevelLogits<B> logits(
            compare(detail::features_of("Siamese", backbone_, frames, pass, &coarser), pairs, pass));
        for (std::size_t level = 1; level <= coarser.size(); ++level)
            detail::append_logits_of_level(auxiliary_, tasks_.size(), level,
                                           fuse(coarser[coarser.size() - level], pairs), frames.shape(), pass, logits);
        return logits;
    }

    /// Whether heads' first convolutions can be run once a frame and slot: the fusion is linear, the heads name them.
    bool splits() const {
        if constexpr (SplittableHead<TaskHead, B>) {
            for (const auto& head : heads_)
                if (head.second.first_layer().convolution.bias()) return false;
            return detail::slots_of<B>(fusion_, backbone_.feature_channels()).has_value();
        }
        return false;
    }

    /// Channels of a frame's slot maps, all together; 0 if there are none.
    Index slot_channels() const {
        Index channels = 0;
        if constexpr (SplittableHead<TaskHead, B>) {
            if (!splits()) return 0;
            const Index maps = detail::slots_of<B>(fusion_, backbone_.feature_channels())->together() ? 1 : 2;
            for (const auto& head : heads_) channels += maps * head.second.first_layer().convolution.options().out;
        }
        return channels;
    }

    /// What the heads' first convolutions make of every frame in each slot: all that a comparison needs of a frame.
    ///
    /// @shape features (N, H, W, f) → for each task and slot (N, H, W, channels)
    /// @throws OptionError if they cannot be split
    SlotMaps<B> slots(const Variable<B>& features, Pass<B>& pass) const {
        return slot_maps(features, features, pass);
    }

    /// Logits of every task for pairs of frames, given by their indices into slot maps of a pass of the same kind.
    ///
    /// @throws ShapeError if an index is out of range; OptionError if the maps are of another kind of pass
    InlineVector<Variable<B>, 4> compare(const SlotMaps<B>& maps, std::span<const Pair> pairs, Pass<B>& pass) const {
        return answers<Logits>(maps, pairs, pass);
    }
    /// Their first largest channels.
    InlineVector<Tensor<B, std::uint8_t>, 4> classes(const SlotMaps<B>& maps, std::span<const Pair> pairs,
                                                     Pass<B>& pass) const
        requires AnswersByClasses<TaskHead, B>
    {
        return answers<Classes>(maps, pairs, pass);
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
        visitor("auxiliary", self.auxiliary_);
    }

private:
    static constexpr bool joins = joins_convolutions<B> && SplittableHead<TaskHead, B>;

    // What is asked of heads.
    struct Logits {
        using Answer = Variable<B>;
        static Answer of(const TaskHead& head, const Variable<B>& fused, Pass<B>& pass) { return head(fused, pass); }
        static Answer after_first_layer(const TaskHead& head, const Variable<B>& x, Pass<B>& pass) {
            return head.after_first_layer(x, pass);
        }
    };
    struct Classes {
        using Answer = Tensor<B, std::uint8_t>;
        static Answer of(const TaskHead& head, const Variable<B>& fused, Pass<B>& pass) {
            return head.classes(fused, pass);
        }
        static Answer after_first_layer(const TaskHead& head, const Variable<B>& x, Pass<B>& pass) {
            return head.classes_after_first_layer(x, pass);
        }
    };

    template <class Asked>
    [[gnu::cold]]
    InlineVector<typename Asked::Answer, 4> answers(const Variable<B>& features, std::span<const Pair> pairs,
                                                    Pass<B>& pass, HeadSplit split) const {
        if (split == HeadSplit::always || (split == HeadSplit::automatic && splitting_pays(pairs)))
            return answers_of_split<Asked>(features, pairs, pass);
        const auto fused = fuse(features, pairs);
        const typename Pass<B>::Groups one_group(pass, 1);
        InlineVector<typename Asked::Answer, 4> all;
        if constexpr (joins)
            if (const auto layers = detail::joint_layers(heads_, pass); layers.joined()) {
                const auto first = detail::run_joint_layers(layers, fused, pass);
                for (std::size_t task = 0; task < heads_.size(); ++task)
                    all.push_back(Asked::after_first_layer(heads_[task].second, first[task], pass));
                return all;
            }
        for (const auto& head : heads_) all.push_back(Asked::of(head.second, fused, pass));
        return all;
    }

    template <class Asked>
    InlineVector<typename Asked::Answer, 4> answers(const SlotMaps<B>& maps, std::span<const Pair> pairs,
                                                    Pass<B>& pass) const {
        InlineVector<Index, 256> queries, partners;
        for (const Pair& pair : pairs) {
            queries.push_back(pair.query);
            partners.push_back(pair.partner);
        }
        return answers_of_slots<Asked>(maps, queries, partners, pass);
    }

    Variable<B> fuse(const Variable<B>& features, std::span<const Pair> pairs) const {
        InlineVector<Index, 256> queries, partners;
        for (const Pair& pair : pairs) {
            queries.push_back(pair.query);
            partners.push_back(pair.partner);
        }
        const bool slices = are_consecutive(queries) && are_consecutive(partners);
        const auto maps = slices ? features : materialise(features);
        return fusion_(gather_frames<B>(maps, queries), gather_frames<B>(maps, partners));
    }

    // In units of a convolution of one frame's features: at most three quarters of what it takes pair by pair.
    [[gnu::cold]] bool splitting_pays(std::span<const Pair> pairs) const {
        if (pairs.size() < 2 || !splits()) return false;
        const Index features = backbone_.feature_channels();
        const bool together = detail::slots_of<B>(fusion_, features)->together();
        detail::NamedFrames queries, partners;
        for (const Pair& pair : pairs) {
            queries.name(pair.query);
            (together ? queries : partners).name(pair.partner);
        }
        const Index whole = static_cast<Index>(pairs.size()) * fusion_.channels(features);
        return 4 * features * (queries.count() + partners.count()) <= 3 * whole;
    }

    template <class Asked>
    [[gnu::cold]]
    InlineVector<typename Asked::Answer, 4> answers_of_split(const Variable<B>& features, std::span<const Pair> pairs,
                                                             Pass<B>& pass) const {
        detail::NamedFrames queries, partners;
        for (const Pair& pair : pairs) queries.name(pair.query);
        const auto slots = detail::slots_of<B>(fusion_, backbone_.feature_channels());
        const bool together = slots && slots->together();
        if (together) partners.frames = queries.frames;
        for (const Pair& pair : pairs) partners.name(pair.partner);
        if (together) queries.frames = partners.frames;
        // Where all frames are named, in order, they are read where they lie.
        const auto gathered = [&](const detail::NamedFrames& named) {
            bool all = named.count() == features.shape().frames;
            for (Index i = 0; all && i < named.count(); ++i) all = named.frames[static_cast<std::size_t>(i)] == i;
            return all ? features : gather_frames<B>(features, named.frames);
        };
        const auto query = gathered(queries);
        return answers_of_slots<Asked>(slot_maps(query, together ? query : gathered(partners), pass), queries.places,
                                       partners.places, pass);
    }

    [[gnu::cold]] SlotMaps<B> slot_maps(const Variable<B>& query, const Variable<B>& partner, Pass<B>& pass) const {
        require<OptionError>(splits(), "Siamese: heads' first convolutions cannot be run once a frame: the feature ",
                             "fusion \"", fusion_.name(),
                             "\" is not linear, or a head does not name a first convolution without bias");
        SlotMaps<B> result;
        if constexpr (SplittableHead<TaskHead, B>) {
            const FusedSlots slots = *detail::slots_of<B>(fusion_, backbone_.feature_channels());
            result.per_task = slots.together() ? 1 : 2;
            result.folded = detail::folds(pass);
            if constexpr (joins)
                if (const auto all = detail::joint_layers(heads_, pass); all.joined()) {
                    const auto of_query = detail::joint_slot_maps(all, slots.query, query, pass);
                    const auto of_partner =
                        slots.together() ? of_query : detail::joint_slot_maps(all, slots.partner, partner, pass);
                    for (std::size_t task = 0; task < heads_.size(); ++task) {
                        result.maps.push_back(of_query[task]);
                        if (!slots.together()) result.maps.push_back(of_partner[task]);
                    }
                    return result;
                }
            for (const auto& head : heads_) {
                const auto layer = head.second.first_layer();
                const Tensor<B> scale = result.folded ? by_running_statistics(layer.norm).scale : Tensor<B>{};
                const auto map = [&](const FusedSlot& slot, const Variable<B>& frames) {
                    return detail::slot_map(layer.convolution.weight(), scale, layer.convolution.window(), slot, frames,
                                            pass);
                };
                result.maps.push_back(map(slots.query, query));
                if (!slots.together()) result.maps.push_back(map(slots.partner, partner));
            }
        }
        return result;
    }

    template <class Asked>
    [[gnu::cold]]
    InlineVector<typename Asked::Answer, 4> answers_of_slots(const SlotMaps<B>& maps, std::span<const Index> queries,
                                                             std::span<const Index> partners, Pass<B>& pass) const {
        require<OptionError>(splits() && maps.maps.size() == heads_.size() * maps.per_task,
                             "Siamese::compare: the slot maps are of another model");
        require<OptionError>(maps.folded == detail::folds(pass), "Siamese::compare: slot maps of ",
                             maps.folded ? "evaluation" : "training", " in a pass for ",
                             maps.folded ? "training" : "evaluation",
                             "; make them by slots(features, pass) of its kind");
        InlineVector<typename Asked::Answer, 4> all;
        if constexpr (SplittableHead<TaskHead, B>) {
            const FusedSlots slots = *detail::slots_of<B>(fusion_, backbone_.feature_channels());
            const typename Pass<B>::Groups one_group(pass, 1);
            for (std::size_t task = 0; task < heads_.size(); ++task) {
                const auto& head = heads_[task].second;
                all.push_back(Asked::after_first_layer(
                    head,
                    detail::combine_slots(head.first_layer(), slots, maps.query(task), queries, maps.partner(task),
                                          partners, pass),
                    pass));
            }
        }
        return all;
    }

    Backbone backbone_;
    Fusion fusion_;
    std::vector<std::string> tasks_;
    std::vector<std::pair<std::string, TaskHead>> heads_;
    AuxiliaryHeads<B> auxiliary_;
    FlatParameters<B> parameters_;
    Index size_ = 0;
};

template <class Backbone, class Fusion, class... More>
Siamese(Backbone, Fusion, More&&...) -> Siamese<Backbone, Fusion>;

}  // namespace mtdn
