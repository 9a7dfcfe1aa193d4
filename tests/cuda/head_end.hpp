#pragma once

// The end of a head at once, against the reference's two convolutions and arg-max, one after the other.
#include <algorithm>
#include <string>
#include <vector>

#include <mtdn/backend/head_end.hpp>
#include <mtdn/backend/testing/checks.hpp>

namespace mtdn::testing {

/// The last two convolutions of a head, of an operand in parts.
struct HeadEndCase {
    std::string name;
    Shape frames;              // channels are the parts'
    std::vector<Index> parts;  // channels; a normalisation is pending at every other one, from the second on
    Index out = 3, classes = 4;
    Index padding = 1;
    bool bias = true;
    cases::Layout layout = cases::Layout::whole;  // of the operand and of the logits
};

inline std::vector<HeadEndCase> head_end_cases() {
    using cases::Layout;
    return {{"the published network's", {2, 18, 35, 0}, {16}},
            {"one pixel", {1, 1, 1, 0}, {4}},
            {"a whole tile, and slices", {1, 16, 32, 0}, {8}, 4, 4, 1, true, Layout::slice},
            {"two chunks and a bit", {2, 5, 9, 0}, {36}, 2, 2},
            {"channels that are not read by fours", {3, 7, 33, 0}, {5}, 1, 3, 1, false},
            {"parts, the second with a normalisation that waits", {4, 17, 6, 0}, {12, 16}, 3, 4},
            {"parts of odd channels", {2, 6, 7, 0}, {3, 2, 14}, 4, 1},
            {"without padding", {1, 20, 37, 0}, {16}, 3, 4, 0},
            {"more padding than the window sees", {1, 3, 4, 0}, {16}, 3, 4, 2}};
}

/// Logits, and classes.
template <class B>
struct HeadAnswers {
    std::vector<typename B::Scalar> logits;
    std::vector<std::uint8_t> classes;
    friend bool operator==(const HeadAnswers&, const HeadAnswers&) = default;
};

/// At once where `Joined`, played back from a recording where `played`.
///
/// @param equal  whether all of a pixel's logits are to be the same
template <bool Joined, Backend B>
HeadAnswers<B> head_answers(B& backend, const HeadEndCase& c, bool equal = false,
                            [[maybe_unused]] bool played = false) {
    cases::Operands<B> operands(backend, c.name);
    std::vector<Tensor<B>> tensors;
    std::vector<OperandPart<B>> parts;
    Index in = 0;
    for (const Index channels : c.parts) {
        OperandPart<B> part{tensors.emplace_back(operands.random(c.frames.with_channels(channels), c.layout))};
        if (parts.size() % 2 == 1) {
            const Shape vectors{c.frames.frames / 2, 1, 1, channels};
            part.scale = tensors.emplace_back(operands.random(vectors));
            part.shift = tensors.emplace_back(operands.random(vectors));
            part.activation = Activation::leaky_relu;
        }
        parts.push_back(part);
        in += channels;
    }
    const Operand<B> x{std::span<const OperandPart<B>>(parts)};
    const Window window{.kernel = 3, .stride = 1, .padding = c.padding};
    const auto w = operands.random({3, 3, in, c.out}), scale = operands.random(vector_shape(c.out));
    const auto shift = operands.random(vector_shape(c.out));
    const auto last = operands.random({1, 1, c.out, c.classes}), values = operands.random(vector_shape(c.classes));
    if (equal) {
        backend.fill(last, 0);
        backend.fill(values, 0.5);
    }
    const Tensor<B> bias = c.bias ? values : Tensor<B>{};
    const Shape y{c.frames.frames, window.output(c.frames.height), window.output(c.frames.width), c.classes};
    const auto logits = operands.random(y, c.layout);
    const Tensor<B, std::uint8_t> classes(backend, y.with_channels(1));
    if constexpr (Joined) {
        const HeadEnd<B> end{w, scale, shift, window, last, bias};
        require<Error>(backend.joins_head_end(end), c.name, ": the backend does not join it");
        const auto finish = [&] {
            backend.finish_head(x, end, View<B, typename B::Scalar>(logits));
            backend.finish_head(x, end, View<B, std::uint8_t>(classes));
        };
        if (played) backend.replay(backend.record(finish));
        else finish();
    } else {
        const Tensor<B> between(backend, y.with_channels(c.out));
        backend.convolve(x, w, scale, shift, window, Activation::relu, between);
        backend.convolve(Operand<B>(between), last, Tensor<B>{}, bias, {.kernel = 1}, Activation::identity, logits);
        backend.arg_max(logits, classes);
    }
    HeadAnswers<B> answers{values_of(logits), std::vector<std::uint8_t>(static_cast<std::size_t>(y.pixels()))};
    backend.download(View<B, const std::uint8_t>(classes), std::span<std::uint8_t>(answers.classes));
    return answers;
}

/// Where logits are further off than single precision explains, or classes are not theirs.
template <Backend B>
    requires joins_head_ends<B>
std::vector<std::string> check_head_end(B& backend) {
    std::vector<std::string> failures;
    Reference<double> exact;
    for (const HeadEndCase& c : head_end_cases()) {
        const auto ours = head_answers<true>(backend, c);
        if (const double off = deviation(ours.logits, head_answers<false>(exact, c).logits).rms; !(off <= 2e-6))
            failures.push_back(concatenate(c.name, ": logits are off by ", off));
        const auto count = static_cast<std::size_t>(c.classes);
        for (std::size_t pixel = 0; pixel < ours.classes.size(); ++pixel) {
            const auto* const first = ours.logits.data() + pixel * count;
            const auto largest = std::max_element(first, first + count) - first;
            if (ours.classes[pixel] != largest) {
                failures.push_back(concatenate(c.name, ": pixel ", pixel, " is of class ", int{ours.classes[pixel]},
                                               ", its largest logit of ", largest));
                break;
            }
        }
        for (const std::uint8_t code : head_answers<true>(backend, c, true).classes)
            if (code != 0) {
                failures.push_back(concatenate(c.name, ": of equal logits number ", int{code}, " is taken"));
                break;
            }
    }
    return failures;
}

}  // namespace mtdn::testing
