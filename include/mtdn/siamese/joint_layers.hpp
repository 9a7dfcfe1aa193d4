#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/side_by_side.hpp>
#include <mtdn/siamese/split.hpp>

namespace mtdn::detail {

/// The first layers of all heads, side by side, for one pass: one convolution, one normalisation. Parameters, and
/// running statistics, stay the heads' own.
template <Backend B>
struct JointLayers {
    InlineVector<FirstLayer<B>, 4> layers;
    InlineVector<Index, 4> widths;  // channels of each result
    Parameter<B> weight{};
    ScaleAndShift<B> folded{};  // of running statistics, where the pass folds them in

    bool joined() const { return !weight.value.empty(); }
    Window window() const { return layers.front().convolution.window(); }
};

/// Joined where the backend says that it pays, the layers are alike in all but their widths, and the pass is one of
/// training by the batch's statistics that keeps values as they are, or of evaluation. A tape that rounds what it keeps
/// could not round channels that several share.
template <class Head, Backend B>
[[gnu::cold]]
JointLayers<B> joint_layers(const std::vector<std::pair<std::string, Head>>& heads, Pass<B>& pass) {
    JointLayers<B> all;
    Tape<B>* tape = pass.tape();
    const bool learns = tape && pass.statistics() == Statistics::batch && tape->precision() == Precision::single;
    if (heads.size() < 2 || (!learns && !folds(pass))) return all;
    InlineVector<const Parameter<B>*, 4> weights;
    Index width = 0;
    for (const auto& head : heads) {
        const FirstLayer<B> layer = head.second.first_layer();
        const auto& weight = layer.convolution.weight();
        if (layer.convolution.bias() || !pass.backend().joins_convolution(weight.value, layer.convolution.window()))
            return all;
        if (!all.layers.empty()) {
            const FirstLayer<B>& first = all.layers.front();
            if (layer.convolution.window() != first.convolution.window() || layer.activation != first.activation ||
                weight.value.shape().width != first.convolution.weight().value.shape().width ||
                layer.norm.options().epsilon != first.norm.options().epsilon)
                return all;
        }
        all.layers.push_back(layer);
        weights.push_back(&weight);
        all.widths.push_back(weight.value.shape().channels);
        width += all.widths.back();
    }
    all.weight = side_by_side<B>(weights, tape);
    if (!folds(pass)) return all;
    const Shape vector = vector_shape(width);
    all.folded = {Tensor<B>(pass.backend(), vector), Tensor<B>(pass.backend(), vector)};
    Index first = 0;
    for (const auto& layer : all.layers) {
        const Index count = layer.norm.weight().value.shape().channels;
        by_running_statistics(layer.norm,
                              {all.folded.scale.channels(first, count), all.folded.shift.channels(first, count)});
        first += count;
    }
    return all;
}

/// What every head's first layer makes of the same input.
template <Backend B>
[[gnu::cold]]
InlineVector<Variable<B>, 4> run_joint_layers(const JointLayers<B>& all, const Variable<B>& x, Pass<B>& pass) {
    const FirstLayer<B>& first = all.layers.front();
    const Window window = all.window();
    const Shape in = x.shape();
    const Index width = all.weight.value.shape().channels;
    B& backend = pass.backend();
    if (folds(pass)) {
        const Tensor<B> y(backend, {in.frames, window.output(in.height), window.output(in.width), width});
        backend.convolve(operand_of(x), all.weight.value, all.folded.scale, all.folded.shift, window, first.activation,
                         y);
        return split_channels<B>(Variable<B>(y), all.widths);
    }
    InlineVector<const Parameter<B>*, 4> weights, biases;
    for (const auto& layer : all.layers) {
        weights.push_back(&layer.norm.weight());
        biases.push_back(&layer.norm.bias());
    }
    const Shape statistic{pass.groups(), 1, 1, width};
    const BatchStatistics<B> found{Tensor<B>(backend, statistic), Tensor<B>(backend, statistic)};
    const Parameter<B> weight = side_by_side<B>(weights, pass.tape()), bias = side_by_side<B>(biases, pass.tape());
    Pass<B> of_all(*pass.tape());
    of_all.set_groups(pass.groups());
    const Variable<B> y = batch_normalise(convolve(x, all.weight, nullptr, window, found), weight, bias, {},
                                          first.norm.options().epsilon, 0, first.activation, of_all, found);
    const auto& staged = of_all.staged().front();
    Index begin = 0;
    for (const auto& layer : all.layers) {
        const Index count = layer.norm.weight().value.shape().channels;
        pass.stage(layer.norm.running(), staged.mean.channels(begin, count), staged.variance.channels(begin, count),
                   staged.count, layer.norm.options().momentum);
        begin += count;
    }
    return split_channels<B>(y, all.widths);
}

/// What every head's first convolution makes of frames in one slot.
template <Backend B>
[[gnu::cold]]
InlineVector<Variable<B>, 4> joint_slot_maps(const JointLayers<B>& all, const FusedSlot& slot,
                                             const Variable<B>& frames, const Pass<B>& pass) {
    return split_channels<B>(slot_map(all.weight, all.folded.scale, all.window(), slot, frames, pass), all.widths);
}

}  // namespace mtdn::detail
