#pragma once

// The way back from a focal loss through the convolution before it, at once, against the reference's one after the
// other.
#include <cmath>
#include <string>
#include <vector>

#include <mtdn/backend/pending_loss.hpp>
#include <mtdn/backend/testing/checks.hpp>

namespace mtdn::testing {

/// The last convolution, 1×1 to the logits, of an operand in parts, and its loss.
struct JoinedCase {
    std::string name;
    Shape frames;                // channels are the parts'
    std::vector<Index> parts;    // channels; a normalisation is pending at every other one, from the first on
    Index classes;
    FocalOptions options{};
    bool weighted = false;
    bool ignored = false;        // no pixel counts
    bool to_data = true, bias = true;
};

inline std::vector<JoinedCase> joined_cases() {
    return {{"the published network's", {4, 9, 11, 0}, {3}, 4, {.gamma = 2}, true},
            {"one pixel", {1, 1, 1, 0}, {1}, 2, {.gamma = 0}},
            {"more pixels than a piece has", {2, 90, 100, 0}, {3}, 4, {.gamma = 1.5, .reduction = Reduction::weights},
             true},
            {"parts", {2, 5, 7, 0}, {1, 3}, 3, {.gamma = 2, .smoothing = 0.1}},
            {"no pixel that counts", {2, 5, 7, 0}, {2}, 4, {}, true, true},
            {"a sum, not to the data, without a bias", {2, 6, 5, 0}, {4}, 4, {.reduction = Reduction::none}, false,
             false, false, false}};
}

/// dx, dw and dbias, one after the other or, where `Joined`, at once.
template <bool Joined, Backend B>
std::vector<std::vector<typename B::Scalar>> back_through_loss(B& backend, const JoinedCase& c) {
    using cases::Layout;
    cases::Operands<B> operands(backend, c.name);
    std::vector<Tensor<B>> tensors;
    std::vector<OperandPart<B>> parts;
    Index in = 0;
    for (const Index channels : c.parts) {
        OperandPart<B> part{tensors.emplace_back(operands.random(c.frames.with_channels(channels), Layout::slice))};
        if (parts.size() % 2 == 0) {
            const Shape vectors{c.frames.frames, 1, 1, channels};
            part.scale = tensors.emplace_back(operands.random(vectors));
            part.shift = tensors.emplace_back(operands.random(vectors));
            part.activation = Activation::relu;
        }
        parts.push_back(part);
        in += channels;
    }
    const Operand<B> x{std::span<const OperandPart<B>>(parts)};
    const Window window{.kernel = 1};
    const Shape all = c.frames.with_channels(c.classes), weights_shape{1, 1, in, c.classes};
    const auto logits = operands.random(all, Layout::slice, -3, 3), w = operands.random(weights_shape);
    const auto labels = operands.labels(all, c.classes);
    if (c.ignored) {
        const std::vector<std::uint8_t> codes(static_cast<std::size_t>(all.pixels()), 255);
        backend.upload(std::span<const std::uint8_t>(codes), View<B, std::uint8_t>(labels));
    }
    Tensor<B> weights;
    if (c.weighted) weights = operands.random(vector_shape(c.classes), Layout::whole, 0.5, 2);
    const auto dloss = operands.random(vector_shape(1), Layout::whole, 0.5, 2);
    const Tensor<B> loss(backend, vector_shape(1)), divisor(backend, vector_shape(1));
    const auto dx = operands.random(c.frames.with_channels(in), Layout::slice), dw = operands.random(weights_shape);
    const auto db = operands.random(vector_shape(c.classes));
    const Tensor<B> dbias = c.bias ? db : Tensor<B>{};
    backend.focal_loss(logits, labels, weights, c.options, loss, divisor);
    if constexpr (Joined) {
        require<Error>(backend.joins_loss(w, window), c.name, ": the backend does not join it");
        const PendingLoss<B> pending{logits, labels, weights, c.options, divisor, dloss};
        backend.convolve_backward_with_loss(x, pending, w, c.to_data ? dx : Tensor<B>{}, dw, dbias);
    } else {
        const Tensor<B> dlogits(backend, all);
        backend.focal_loss_backward(logits, labels, weights, c.options, divisor, dloss, dlogits);
        if (c.to_data) backend.convolve_backward_data(dlogits, w, window, dx);
        backend.convolve_backward_weights(x, dlogits, window, dw, dbias);
    }
    return {values_of(dx), values_of(dw), values_of(db)};
}

/// Where the two are further apart than single precision explains.
template <Backend B>
    requires joins_losses<B>
std::vector<std::string> check_joined_loss(B& backend) {
    std::vector<std::string> failures;
    Reference<double> exact;
    for (const JoinedCase& c : joined_cases()) {
        const auto ours = back_through_loss<true>(backend, c);
        const auto expected = back_through_loss<false>(exact, c);
        const char* results[] = {"dx", "dw", "dbias"};
        for (std::size_t i = 0; i < ours.size(); ++i)
            if (const double off = deviation(ours[i], expected[i]).rms; !(off <= 2e-6))
                failures.push_back(concatenate(c.name, ": ", results[i], " is off by ", off));
    }
    return failures;
}

}  // namespace mtdn::testing
