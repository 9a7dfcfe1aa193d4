#pragma once

// Slopes that wait for a batch norm's way back: what their reader takes, against the reference's way back, and a
// convolution's ways back that read them on load, against the same of slopes that are finished first.
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include <mtdn/backend/pending_slopes.hpp>
#include <mtdn/backend/testing/checks.hpp>

namespace mtdn::testing {

/// A 3×3 convolution whose result is normalised, and what waits on the way back.
struct PendingCase {
    std::string name;
    Shape x;
    Index out;
    Index padding = 1;
    Activation activation = Activation::relu;
    Index groups = 1;
    double mean = 0;       // of what is normalised
    bool spread = false;   // pixels are further apart than their channels
    bool on_load = true;   // where tensor cores convolve
    Index kernel = 3;

    Window window() const { return {.kernel = kernel, .padding = padding}; }
    Shape y() const { return {x.frames, window().output(x.height), window().output(x.width), out}; }
    Shape w() const { return {kernel, kernel, x.channels, out}; }
    Shape vectors() const { return {groups, 1, 1, out}; }
};

inline std::vector<PendingCase> pending_cases() {
    return {{"frames of one pixel", {4, 1, 1, 4}, 4},
            {"a tile of pixels and of channels", {2, 16, 16, 32}, 32, 1, Activation::relu, 2},
            {"two tiles of channels each way", {2, 16, 16, 64}, 64, 1, Activation::leaky_relu, 1, 3},
            {"a pixel more than tiles, a few channels more", {2, 17, 33, 36}, 36, 1, Activation::relu, 2},
            {"a row less than two tiles", {1, 31, 9, 12}, 8, 1, Activation::identity},
            {"five channels of more", {4, 9, 18, 20}, 5, 1, Activation::relu, 2, 0, true},
            {"35 channels of more", {2, 6, 20, 33}, 35, 1, Activation::leaky_relu, 1, 0, true},
            {"no padding", {1, 19, 18, 20}, 32, 0},
            {"more padding than a window sees", {1, 5, 7, 8}, 12, 3},
            {"a mean far from 0", {2, 12, 17, 8}, 16, 1, Activation::relu, 1, 30},
            {"channels that are not read by fours", {2, 6, 5, 8}, 6, 1, Activation::relu, 1, 0, false, false},
            {"an activation of more than two slopes", {2, 6, 5, 8}, 8, 1, Activation::gelu, 1, 0, false, false},
            {"a window of one pixel", {2, 6, 5, 8}, 8, 0, Activation::relu, 1, 0, false, false, 1}};
}

/// What a batch norm's way back needs, the same values on every backend.
template <Backend B>
struct PendingOperands {
    Tensor<B> x, w, raw, dy, mean, variance, weight, bias, dweight, dbias;
    static constexpr double epsilon = 1e-5;

    PendingOperands(B& backend, const PendingCase& c) {
        cases::Operands<B> operands(backend, c.name);
        const Shape all = c.spread ? c.y().with_channels((c.out + 3) / 4 * 4 + 4) : c.y();
        const Index first = c.spread ? 4 : 0;
        x = operands.random(c.x);
        w = operands.random(c.w());
        raw = operands.random(all, cases::Layout::whole, c.mean - 1, c.mean + 1).channels(first, c.out);
        dy = operands.random(all, cases::Layout::whole, -0.5, 1).channels(first, c.out);
        std::tie(mean, variance) = operands.statistics(raw, c.groups);
        weight = operands.random(vector_shape(c.out), cases::Layout::whole, -1, 1.5);
        bias = operands.random(vector_shape(c.out));
        dweight = operands.random(vector_shape(c.out));
        dbias = operands.random(vector_shape(c.out));
    }
};

/// dx and the norm's dweight and dbias by one operation.
template <Backend B>
std::vector<std::vector<typename B::Scalar>> normalised_at_once(B& backend, const PendingCase& c) {
    const PendingOperands<B> o(backend, c);
    const Tensor<B> dx(backend, c.y());
    backend.normalise_backward(o.raw, o.dy, o.mean, o.variance, o.weight, o.bias, o.epsilon, c.activation, true, dx,
                               o.dweight, o.dbias);
    return {values_of(dx), values_of(o.dweight), values_of(o.dbias)};
}

/// What a backend's waiting slopes come to.
struct PendingResults {
    bool on_load = false;
    std::vector<std::vector<float>> normalised;         // dx, dweight and dbias of the norm
    std::vector<std::vector<float>> finished, waiting;  // dx, dw and dbias of the convolution, of either
};

template <Backend B>
    requires reads_pending_slopes<B>
PendingResults pending_results(B& backend, const PendingCase& c) {
    PendingResults results;
    const PendingOperands<B> o(backend, c);
    const Tensor<B> scale(backend, c.vectors()), shift(backend, c.vectors());
    const Tensor<B> factor(backend, c.vectors()), offset(backend, c.vectors()), dx(backend, c.y());
    backend.normalisation(o.mean, o.variance, o.weight, o.bias, o.epsilon, scale, shift);
    backend.normalise_backward_later(o.raw, o.dy, o.mean, o.variance, o.weight, o.bias, o.epsilon, c.activation, scale,
                                     factor, offset, o.dweight, o.dbias);
    const PendingSlopes<B> slopes{o.dy, o.raw, scale, shift, factor, offset, c.activation};
    backend.finish_slopes(slopes, dx);
    results.normalised = {values_of(dx), values_of(o.dweight), values_of(o.dbias)};
    results.on_load = backend.reads_pending(slopes, c.window());
    const auto back = [&](const auto& dy) {
        const Tensor<B> back_to_data(backend, c.x), dw(backend, c.w()), dbias(backend, vector_shape(c.out));
        backend.fill(dw, 1);
        backend.fill(dbias, 1);
        backend.convolve_backward_data(dy, o.w, c.window(), back_to_data);
        backend.convolve_backward_weights(o.x, dy, c.window(), dw, dbias);
        return std::vector{values_of(back_to_data), values_of(dw), values_of(dbias)};
    };
    results.finished = back(dx);
    if (results.on_load) results.waiting = back(slopes);
    return results;
}

/// Where slopes that wait come to something else than those that do not.
///
/// @param on_load  whether convolutions should read them
template <Backend B>
std::vector<std::string> check_pending_slopes(B& backend, bool on_load) {
    std::vector<std::string> failures;
    Reference<double> exact;
    for (const PendingCase& c : pending_cases()) {
        const auto ours = pending_results(backend, c);
        const auto expected = normalised_at_once(exact, c);
        // scale · x + shift loses as many bits as the mean is deviations from 0, on the way forward as well.
        const double allowed = 2e-6 * (1 + std::abs(c.mean));
        for (std::size_t i = 0; i < expected.size(); ++i)
            if (const double off = deviation(ours.normalised[i], expected[i]).rms; !(off <= allowed))
                failures.push_back(concatenate(c.name, ": result ", i, " of the norm is off by ", off));
        if (ours.on_load != (on_load && c.on_load)) failures.push_back(c.name + ": read on load, or not");
        if (ours.on_load && ours.waiting != ours.finished)
            failures.push_back(c.name + ": read on load the results are not those of finished slopes");
    }
    return failures;
}

}  // namespace mtdn::testing
