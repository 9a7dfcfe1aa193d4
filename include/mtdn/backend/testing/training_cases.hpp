#pragma once

#include <string>
#include <vector>

#include <mtdn/backend/testing/operands.hpp>

/// Builders of cases for what training adds: classes of pixels, losses, updates of parameters.
namespace mtdn::testing::cases {

struct Classification {
    Shape x;
    Layout layout = Layout::whole;
    double range = 4;  // logits lie in [−range, range)
    FocalOptions focal{};
    bool weights = true;

    std::string label() const { return Label(x, layout, range != 4 ? "-far" : ""); }
    std::string focal_label() const {
        constexpr const char* reductions[] = {"", "-sum", "-by_weights"};
        return Label(x, layout, range != 4 ? "-far" : "", "-gamma", focal.gamma,
                     reductions[static_cast<int>(focal.reduction)], focal.smoothing > 0 ? "-smoothed" : "",
                     weights ? "" : "-unweighted");
    }
};

template <Backend B>
std::vector<Case<B>> classify(const Classification& c) {
    using T = Tensor<B>;
    const auto forward = [c](std::string operation, auto work) {
        return make<B>(operation, "forward", c.label(), [=](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout, -c.range, c.range), y = operands.result(c.x, c.layout);
            return operands.ready([=, &b] { work(b, x, y); });
        });
    };
    // Any y and dy do for the ways back: they are functions of both.
    const auto backward = [c](std::string operation, double low, double high, auto work) {
        return make<B>(operation, "backward", c.label(), [=](B& b, Operands<B>& operands) {
            auto y = operands.random(c.x, c.layout, low, high), dy = operands.random(c.x, c.layout);
            auto dx = operands.result(c.x, c.layout);
            return operands.ready([=, &b] { work(b, y, dy, dx); });
        });
    };
    const Shape classes = vector_shape(c.x.channels);
    return {
        forward("softmax", [](B& b, const T& x, const T& y) { b.softmax(x, y); }),
        backward("softmax", 0, 1, [](B& b, const T& y, const T& dy, const T& dx) { b.softmax_backward(y, dy, dx); }),
        forward("log_softmax", [](B& b, const T& x, const T& y) { b.log_softmax(x, y); }),
        backward("log_softmax", -4, 0,
                 [](B& b, const T& y, const T& dy, const T& dx) { b.log_softmax_backward(y, dy, dx); }),
        make<B>("arg_max", "forward", c.label(),
                [c](B& b, Operands<B>& operands) {
                    auto x = operands.random(c.x, c.layout, -c.range, c.range, c.range / 4);  // ties
                    auto codes = operands.codes(c.x);
                    return operands.ready([=, &b] { b.arg_max(x, codes); });
                }),
        make<B>("overlap", "forward", c.label(),
                [c, classes](B& b, Operands<B>& operands) {
                    auto x = operands.random(c.x, c.layout, -c.range, c.range);
                    auto labels = operands.labels(c.x, c.x.channels);
                    auto sums = operands.result(classes.with_frames(3));
                    return operands.ready([=, &b] { b.overlap_sums(x, labels, sums); });
                }),
        make<B>("overlap", "backward", c.label(), [c, classes](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout, -c.range, c.range);
            auto labels = operands.labels(c.x, c.x.channels);
            auto gradients = operands.random(classes.with_frames(2));
            auto dx = operands.result(c.x, c.layout);
            return operands.ready([=, &b] { b.overlap_backward(x, labels, gradients, dx); });
        })};
}

template <Backend B>
std::vector<Case<B>> focal(const Classification& c) {
    const auto weights_for = [c](Operands<B>& operands) {
        return c.weights ? operands.random(vector_shape(c.x.channels), Layout::whole, 0.5, 20) : Tensor<B>();
    };
    return {
        make<B>("focal_loss", "forward", c.focal_label(),
                [=](B& b, Operands<B>& operands) {
                    auto x = operands.random(c.x, c.layout, -c.range, c.range);
                    auto labels = operands.labels(c.x, c.x.channels);
                    auto weights = weights_for(operands);
                    auto loss = operands.result(vector_shape(1)), divisor = operands.result(vector_shape(1));
                    return operands.ready([=, &b] { b.focal_loss(x, labels, weights, c.focal, loss, divisor); });
                }),
        make<B>("focal_loss", "backward", c.focal_label(), [=](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout, -c.range, c.range);
            auto labels = operands.labels(c.x, c.x.channels);
            auto weights = weights_for(operands);
            auto divisor = operands.random(vector_shape(1), Layout::whole, 50, 100);
            auto dloss = operands.random(vector_shape(1), Layout::whole, 0.5, 2);
            auto dx = operands.result(c.x, c.layout);
            return operands.ready([=, &b] { b.focal_loss_backward(x, labels, weights, c.focal, divisor, dloss, dx); });
        })};
}

template <Backend B>
Case<B> adamw(Index size, const AdamWStep& step) {
    return make<B>("adamw", "update", Label(size, "-step", step.step), [=](B& b, Operands<B>& operands) {
        const Shape shape = vector_shape(size);
        auto gradient = operands.random(shape), parameter = operands.result(shape);
        auto first = operands.result(shape), second = operands.result(shape, Layout::whole, 0, 1);
        return operands.ready([=, &b] { b.adamw(step, gradient, parameter, first, second); });
    });
}

template <Backend B>
Case<B> sgd(Index size, const SgdStep& step) {
    return make<B>(
        "sgd", "update",
        Label(size, "-momentum", step.momentum, step.nesterov ? "-nesterov" : "", step.first ? "-first" : ""),
        [=](B& b, Operands<B>& operands) {
            const Shape shape = vector_shape(size);
            auto gradient = operands.random(shape), parameter = operands.result(shape);
            auto velocity = step.momentum > 0 ? operands.result(shape) : Tensor<B>();
            return operands.ready([=, &b] { b.sgd(step, gradient, parameter, velocity); });
        });
}

template <Backend B>
Case<B> sum_of_squares(Index size) {
    return make<B>("sum_of_squares", "forward", Label(size), [=](B& b, Operands<B>& operands) {
        auto x = operands.random(vector_shape(size)), sum = operands.result(vector_shape(1));
        return operands.ready([=, &b] { b.fill(sum, b.sum_of_squares(x)); });
    });
}

}  // namespace mtdn::testing::cases
