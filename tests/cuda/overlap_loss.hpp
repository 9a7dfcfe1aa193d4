#pragma once

// Losses of overlaps and their way back, which a backend that records work plays back, against the reference.
#include <string>
#include <vector>

#include <mtdn/backend/testing/checks.hpp>
#include <mtdn/loss/weighted_sum.hpp>

namespace mtdn::testing {

/// A loss of some logits.
struct OverlapCase {
    std::string name;
    Shape logits;
    LossOptions loss;
    Index present;         // classes that labels name
    bool ignored = false;  // no pixel counts
};

inline std::vector<OverlapCase> overlap_cases() {
    const auto tversky = [](double a, double b, double smoothing) {
        return LossOptions{.name = "tversky", .tversky = {a, b, smoothing}};
    };
    return {{"Dice", {4, 9, 11, 4}, {.name = "dice"}, 4},
            {"more pixels than a piece has", {2, 90, 100, 4}, tversky(0.3, 0.7, 1), 4},
            {"one class is nowhere, nothing is smoothed", {2, 6, 5, 4}, tversky(0.3, 0.7, 0), 3},
            {"one pixel", {1, 1, 1, 2}, tversky(1, 0.25, 1), 2},
            {"more classes than a block sums at once", {2, 5, 7, 40}, tversky(0.5, 0, 0.1), 35},
            {"no pixel that counts", {2, 5, 7, 4}, {.name = "dice"}, 4, true},
            {"a sum", {2, 5, 7, 4}, {.name = "focal+dice:0.5+tversky:2:0.4:0.6"}, 4}};
}

/// The loss, times a number, of a rank's frames, and its gradient by their logits.
template <Backend B>
std::vector<std::vector<typename B::Scalar>> overlap_loss(B& backend, const OverlapCase& c,
                                                          const AnyCommunicator& ranks = {}) {
    using cases::Layout;
    cases::Operands<B> operands(backend, c.name);
    const Index frames = c.logits.frames / ranks.size(), first = ranks.rank() * frames;
    const auto logits = operands.random(c.logits, Layout::slice, -3, 3).frames(first, frames);
    const auto labels = operands.labels(c.logits, c.present).frames(first, frames);
    if (c.ignored) {
        const std::vector<std::uint8_t> codes(static_cast<std::size_t>(labels.shape().size()), 255);
        upload(std::span<const std::uint8_t>(codes), labels);
    }
    const auto value = operands.random(vector_shape(1)), dlogits = operands.random(logits.shape());
    const auto loss = make_loss(backend, c.loss);
    Tape<B> tape(backend, Precision::single, ranks);
    const auto work = [&] {
        const auto place = tape.new_place();
        tape.record([&, place](Tape<B>& t) { backend.copy(t.take_gradient(place), dlogits); });
        const auto scaled = scale(loss(Variable<B>(logits, &tape, place), labels), 0.75);
        backend.copy(value_of(scaled), value);
        tape.backward(scaled);
    };
    bool played = false;
    if constexpr (QueuedBackend<B>)
        if (!tape.shared()) {
            played = true;
            backend.replay(backend.record(work));  // which would throw where the host meets the device
        }
    if (!played) work();
    return {values_of(value), values_of(dlogits)};
}

/// Where the two are further apart than single precision explains.
template <Backend B>
std::vector<std::string> check_overlap_loss(B& backend) {
    std::vector<std::string> failures;
    Reference<double> exact;
    for (const OverlapCase& c : overlap_cases()) {
        const auto ours = overlap_loss(backend, c);
        const auto expected = overlap_loss(exact, c);
        for (std::size_t i = 0; i < ours.size(); ++i)
            if (const double off = deviation(ours[i], expected[i]).rms; !(off <= 2e-6))
                failures.push_back(concatenate(c.name, i == 0 ? ": the loss" : ": its gradient", " is off by ", off));
    }
    return failures;
}

}  // namespace mtdn::testing
