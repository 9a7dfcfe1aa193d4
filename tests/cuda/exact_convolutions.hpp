#pragma once

// Convolutions whose every product and sum is exact in every precision: a backend that loses a pixel, or takes a wrong
// tap, differs from the reference, and one that does not is equal to it in every bit.
#include <string>
#include <vector>

#include <mtdn/backend/testing/checks.hpp>

namespace mtdn::testing {

/// A convolution of stride 1 of an operand in parts, all three ways.
struct ExactConvolution {
    struct Part {
        Index channels;
        bool pending = false;
        cases::Layout layout = cases::Layout::whole;
    };
    std::string name;
    Shape frames;  // channels are the parts'
    std::vector<Part> parts;
    Index out;
    Window window;
    Activation activation = Activation::identity;
    cases::Layout layout = cases::Layout::whole;  // of what comes out, and of its gradients

    Shape x() const {
        Index channels = 0;
        for (const Part& part : parts) channels += part.channels;
        return frames.with_channels(channels);
    }
    Shape y() const { return {frames.frames, window.output(frames.height), window.output(frames.width), out}; }
    Shape w() const { return {window.kernel, window.kernel, x().channels, out}; }
};

inline std::vector<ExactConvolution> exact_convolutions() {
    const auto slice = cases::Layout::slice;
    const Window one{.kernel = 1}, three{.kernel = 3, .padding = 1};
    return {{"one pixel", {1, 1, 1, 0}, {{1}}, 1, three},
            {"one pixel of a 1x1 convolution", {1, 1, 1, 0}, {{1}}, 1, one},
            {"a tile of pixels and of channels", {1, 16, 16, 0}, {{32}}, 64, three},
            {"a pixel more than tiles, an odd number of channels", {2, 17, 33, 0}, {{3}}, 35, three},
            {"a row less than two tiles, half a chunk", {1, 31, 9, 0}, {{12}}, 16, three, Activation::relu},
            {"no padding", {1, 19, 18, 0}, {{20}}, 32, {.kernel = 3}},
            {"more padding than a window sees", {1, 5, 7, 0}, {{8}}, 5, {.kernel = 3, .padding = 3}},
            {"wide padding", {2, 4, 6, 0}, {{40}}, 33, {.kernel = 3, .padding = 2}},
            {"1x1, channels a few more than tiles", {1, 3, 50, 0}, {{36}}, 65, one},
            {"1x1 with padding", {1, 6, 5, 0}, {{17}}, 4, {.kernel = 1, .padding = 1}},
            {"slices", {1, 9, 11, 0}, {{20, false, slice}}, 7, three, Activation::identity, slice},
            {"parts with normalisations pending", {4, 6, 7, 0}, {{16, true}, {8}, {12, true}, {4}}, 20, three},
            {"parts that are not read by fours", {2, 6, 5, 0}, {{5, true}, {7}, {3, true, slice}}, 9, three},
            {"a last part of five channels", {2, 9, 5, 0}, {{16, true}, {5, true}}, 33, three}};
}

/// A convolution's operand, of multiples of 1/16; `offset` is added to what is pending.
///
/// Multiples of 1/16 have five bits, and of 1/32 below 4 seven, of the eight of bfloat16; products are multiples of
/// 2⁻¹⁰ and a sum of some thousand stays below 2¹³.
template <Backend B>
class ExactOperand {
public:
    ExactOperand(cases::Operands<B>& operands, const ExactConvolution& c, double offset = 0) {
        for (const auto& from : c.parts) {
            OperandPart<B> part{tensors_.emplace_back(
                operands.random(c.frames.with_channels(from.channels), from.layout, -1, 1, 1.0 / 16))};
            if (from.pending) {
                const Shape vectors{2, 1, 1, from.channels};
                part.scale = tensors_.emplace_back(operands.random(vectors, cases::Layout::whole, 0, 1.9, 0.5));
                part.shift = tensors_.emplace_back(
                    operands.random(vectors, cases::Layout::whole, offset - 1, offset + 1, 1.0 / 16));
                part.activation = Activation::relu;
            }
            parts_.push_back(part);
        }
    }
    Operand<B> operand() const { return Operand<B>{std::span<const OperandPart<B>>(parts_)}; }

private:
    std::vector<Tensor<B>> tensors_;
    std::vector<OperandPart<B>> parts_;
};

/// What the three passes of a convolution give: y, dx, dw.
template <Backend B>
std::vector<std::vector<typename B::Scalar>> exact_results(B& backend, const ExactConvolution& c) {
    cases::Operands<B> operands(backend, c.name);
    const auto some = [&](const Shape& shape, cases::Layout layout = cases::Layout::whole) {
        return operands.random(shape, layout, -1, 1, 1.0 / 16);
    };
    const ExactOperand<B> x(operands, c);
    const auto w = some(c.w()), bias = some(vector_shape(c.out)), dy = some(c.y(), c.layout);
    const auto scale = operands.random(vector_shape(c.out), cases::Layout::whole, 0.5, 1.9, 0.5);
    const auto y = operands.result(c.y(), c.layout), dx = operands.result(c.x());
    const auto dw = some(c.w());
    backend.convolve(x.operand(), w, scale, bias, c.window, c.activation, y);
    backend.convolve_backward_data(dy, w, c.window, dx);
    backend.convolve_backward_weights(x.operand(), dy, c.window, dw, Tensor<B>());
    return {values_of(y), values_of(dx), values_of(dw)};
}

/// A transposed convolution, all three ways.
struct ExactTransposed {
    std::string name;
    Shape x;
    Index out;
    cases::Layout layout = cases::Layout::whole;
};

inline std::vector<ExactTransposed> exact_transposed() {
    return {{"transposed, one pixel", {1, 1, 1, 1}, 4},
            {"transposed, a tile of pixels, two of channels", {1, 16, 16, 32}, 16},
            {"transposed, a pixel more than tiles", {2, 17, 33, 12}, 20},
            {"transposed, from channels that are not read by fours", {2, 5, 7, 6}, 8},
            {"transposed, to channels that are not read by fours", {1, 6, 4, 8}, 3},
            {"transposed, slices", {1, 9, 20, 24}, 40, cases::Layout::slice}};
}

template <Backend B>
std::vector<std::vector<typename B::Scalar>> exact_results(B& backend, const ExactTransposed& c) {
    cases::Operands<B> operands(backend, c.name);
    const auto some = [&](const Shape& shape, cases::Layout layout = cases::Layout::whole) {
        return operands.random(shape, layout, -1, 1, 1.0 / 16);
    };
    const Shape weights{2, 2, c.x.channels, c.out}, result{c.x.frames, 2 * c.x.height, 2 * c.x.width, c.out};
    const auto x = some(c.x, c.layout), w = some(weights), bias = some(vector_shape(c.out)),
               dy = some(result, c.layout);
    const auto y = operands.result(result, c.layout), dx = operands.result(c.x, c.layout), dw = some(weights);
    backend.transposed_convolve(x, w, bias, y);
    backend.transposed_convolve_backward_data(dy, w, dx);
    backend.transposed_convolve_backward_weights(x, dy, dw, Tensor<B>());
    return {values_of(y), values_of(dx), values_of(dw)};
}

/// Where a backend's results are not the reference's.
template <Backend B>
std::vector<std::string> check_exact_convolutions(B& backend) {
    std::vector<std::string> failures;
    Reference<double> exact;
    const auto check = [&](const auto& c) {
        const auto ours = exact_results(backend, c);
        const auto expected = exact_results(exact, c);
        const char* passes[] = {"y", "dx", "dw"};
        for (std::size_t i = 0; i < ours.size(); ++i)
            if (std::vector<double>(ours[i].begin(), ours[i].end()) != expected[i])
                failures.push_back(concatenate(c.name, ": ", passes[i], " is off by ",
                                               deviation(ours[i], expected[i]).rms));
    };
    for (const auto& c : exact_convolutions()) check(c);
    for (const auto& c : exact_transposed()) check(c);
    return failures;
}

}  // namespace mtdn::testing
