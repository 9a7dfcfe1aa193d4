#pragma once

#include <string>
#include <vector>

#include <mtdn/backend/testing/cases.hpp>

/// Operations that take an `Operand`, on operands of several parts with normalisations pending.
namespace mtdn::testing::cases {

struct PartShape {
    Index channels = 1;
    bool pending = false;
    Activation activation = Activation::relu;
    Layout layout = Layout::whole;
};

/// An operand of some parts, and what slides over it.
struct Parted {
    Shape frames;  // channels are the parts'
    std::vector<PartShape> parts;
    Index groups = 1;  // of the pending normalisations, and of the statistics of what comes out
    Index out = 1;
    Window window{.kernel = 3, .padding = 1};

    Shape x() const {
        Index channels = 0;
        for (const auto& part : parts) channels += part.channels;
        return frames.with_channels(channels);
    }
    Shape y() const { return {frames.frames, window.output(frames.height), window.output(frames.width), out}; }
    Shape w() const { return {window.kernel, window.kernel, x().channels, out}; }
    double operations() const { return 2.0 * static_cast<double>(y().pixels() * w().size()); }
    std::string label() const {
        std::string text = Label(x(), "-o", out, window, "-g", groups);
        for (const auto& part : parts)
            text += std::string(Label("-", part.channels, part.pending ? "pending" : "", part.activation, part.layout));
        return text;
    }
};

/// The tensors of an operand of parts.
template <Backend B>
struct PartedTensors {
    struct One {
        Tensor<B> x, scale, shift;
        Activation activation;
    };
    std::vector<One> all;

    PartedTensors(Operands<B>& operands, const Parted& c) {
        for (const auto& part : c.parts) {
            One one{operands.random(c.frames.with_channels(part.channels), part.layout), {}, {}, part.activation};
            if (part.pending) {
                one.scale = operands.random({c.groups, 1, 1, part.channels});
                one.shift = operands.random({c.groups, 1, 1, part.channels});
            }
            all.push_back(one);
        }
    }
    Operand<B> operand() const {
        std::vector<OperandPart<B>> parts;
        for (const auto& one : all) parts.push_back({one.x, one.scale, one.shift, one.activation});
        return Operand<B>(parts);
    }
};

/// Convolution of an operand of parts, forward, with statistics, and back to the weights.
template <Backend B>
std::vector<Case<B>> convolve_parts(const Parted& c) {
    return {make<B>("convolve_parts", "forward", c.label(),
                    [c](B& b, Operands<B>& operands) {
                        const PartedTensors<B> x(operands, c);
                        auto w = operands.random(c.w()), bias = operands.random(vector_shape(c.out));
                        auto y = operands.result(c.y()), none = Tensor<B>();
                        return operands.ready(
                            [=, &b] { b.convolve(x.operand(), w, none, bias, c.window, Activation::silu, y); });
                    },
                    c.operations()),
            make<B>("convolve_parts", "with_statistics", c.label(),
                    [c](B& b, Operands<B>& operands) {
                        const PartedTensors<B> x(operands, c);
                        auto w = operands.random(c.w()), y = operands.result(c.y());
                        auto mean = operands.result({c.groups, 1, 1, c.out});
                        auto variance = operands.result({c.groups, 1, 1, c.out});
                        return operands.ready(
                            [=, &b] { b.convolve_with_statistics(x.operand(), w, c.window, y, mean, variance); });
                    },
                    c.operations()),
            make<B>("convolve_parts", "backward_weights", c.label(),
                    [c](B& b, Operands<B>& operands) {
                        const PartedTensors<B> x(operands, c);
                        auto dy = operands.random(c.y()), dw = operands.result(c.w());
                        return operands.ready(
                            [=, &b] { b.convolve_backward_weights(x.operand(), dy, c.window, dw, Tensor<B>()); });
                    },
                    c.operations())};
}

/// Maximum over windows of an operand of parts, both ways.
template <Backend B>
std::vector<Case<B>> pool_parts(Parted c) {
    c.out = c.x().channels;
    return {make<B>("max_pool_parts", "forward", c.label(),
                    [c](B& b, Operands<B>& operands) {
                        const PartedTensors<B> x(operands, c);
                        auto y = operands.result(c.y());
                        return operands.ready([=, &b] { b.max_pool(x.operand(), c.window, y); });
                    }),
            make<B>("max_pool_parts", "backward", c.label(), [c](B& b, Operands<B>& operands) {
                const PartedTensors<B> x(operands, c);
                auto dy = operands.random(c.y()), dx = operands.result(c.x());
                return operands.ready([=, &b] { b.max_pool_backward(x.operand(), dy, c.window, dx); });
            })};
}

/// Parts around the widths of vector registers, plain and pending, on images with and without an inside.
inline std::vector<Parted> parted_shapes() {
    const PartShape plain{16}, pending{.channels = 16, .pending = true};
    return {
        {.frames = {2, 9, 7, 0}, .parts = {pending}, .groups = 2, .out = 16},
        {.frames = {2, 14, 13, 0}, .parts = {plain, {.channels = 32, .pending = true}}, .groups = 2, .out = 20},
        {.frames = {4, 8, 9, 0}, .parts = {pending, pending, plain}, .groups = 2, .out = 17},
        {.frames = {1, 11, 12, 0},
         .parts = {{3}, {.channels = 13, .pending = true, .layout = Layout::slice}, {.channels = 7, .pending = true}},
         .out = 12},
        {.frames = {2, 10, 11, 0},
         .parts = {{.channels = 16, .pending = true, .activation = Activation::silu}, plain},
         .out = 16},
        {.frames = {2, 6, 5, 0}, .parts = {{2}, {.channels = 3, .pending = true}}, .out = 5},
        {.frames = {2, 5, 13, 0}, .parts = {{.channels = 3, .pending = true}}, .out = 4, .window = {.kernel = 1}},
        {.frames = {2, 6, 11, 0}, .parts = {{.channels = 4, .pending = true}}, .groups = 2, .out = 3},
        {.frames = {2, 6, 5, 0}, .parts = {pending, {3}}, .out = 4, .window = {.kernel = 1}},
        {.frames = {1, 7, 8, 0}, .parts = {{5}, pending}, .out = 9, .window = {.kernel = 3, .stride = 2, .padding = 1}},
        {.frames = {2, 6, 6, 0}, .parts = {{4}, pending}, .groups = 2, .out = 6, .window = {.kernel = 5, .padding = 2}},
        {.frames = {1, 8, 8, 0}, .parts = {pending, {5}}, .out = 8, .window = {.kernel = 3}}};
}

}  // namespace mtdn::testing::cases
