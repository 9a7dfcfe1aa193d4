#pragma once

// One training of a Siamese model on one batch, step by step, as PyTorch does it beside us.
#include <mtdn/loss/focal.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/optim/adamw.hpp>
#include <mtdn/siamese/published_names.hpp>
#include <mtdn/siamese/siamese.hpp>

namespace mtdn::testing {

/// Labels and class weights of one task.
template <Backend B>
struct TaskTruth {
    Tensor<B, std::uint8_t> labels;  ///< (pairs, H, W, 1)
    std::vector<double> class_weights;
};

/// What a training leaves behind, under published names and in PyTorch's layouts.
struct Trained {
    StateDictionary first_gradients;
    std::vector<double> losses;
    StateDictionary state;
};

/// Trains by AdamW on the pairs (i, B + i) of 2B frames, statistics taken by branch, loss focal and summed
/// over the tasks.
template <class M, Backend B>
Trained train_on_one_batch(M& model, const Tensor<B>& frames, const std::vector<TaskTruth<B>>& truth, int steps,
                           double rate) {
    B& backend = model.backend();
    const auto names = PublishedNames::siamese(model.tasks());
    std::vector<Pair> pairs;
    for (Index i = 0; i < frames.shape().frames / 2; ++i) pairs.push_back({i, frames.shape().frames / 2 + i});
    std::vector<FocalLoss<B>> losses;
    for (const auto& task : truth) losses.emplace_back(backend, FocalOptions{}, task.class_weights);
    enable_gradients(model.parameters(), model);
    const std::vector<ParameterGroup> groups{{0, model.parameters().values.shape().size()}};
    AdamW<B> optimizer;
    Tape<B> tape(backend);
    Trained result;
    for (int step = 0; step < steps; ++step) {
        backend.fill(model.parameters().gradients, 0);
        Pass<B> pass(tape);
        pass.set_groups(2);
        const auto logits = model.compare(model.features(pass.input(frames), pass), pairs, pass);
        auto loss = losses[0](logits[0], truth[0].labels);
        for (std::size_t i = 1; i < logits.size(); ++i) loss = add(loss, losses[i](logits[i], truth[i].labels));
        result.losses.push_back(static_cast<double>(download(value_of(loss)).front()));
        tape.backward(loss);
        if (step == 0)
            visit_parameters(model, [&](const std::string& path, const Parameter<B>& p) {
                result.first_gradients.emplace_back(names.published(path),
                                                    mtdn::detail::export_tensor(p.kind, p.gradient));
            });
        optimizer.step(model.parameters().values, model.parameters().gradients, groups, rate);
        pass.commit();
    }
    for (auto& [path, tensor] : state_of(model)) result.state.emplace_back(names.published(path), tensor);
    return result;
}

}  // namespace mtdn::testing
