#pragma once

// Gradients that wait for a batch norm's way back: what their reader takes, against the reference's way back, and a
// convolution's ways back that read them on load, against the same of gradients that are finished first.
#include <cmath>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include <mtdn/backend/pending_gradients.hpp>
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

/// What a backend's waiting gradients come to.
struct PendingResults {
    bool on_load = false;
    std::vector<std::vector<float>> normalised;         // dx, dweight and dbias of the norm
    std::vector<std::vector<float>> finished, waiting;  // dx, dw and dbias of the convolution, of either
};

template <Backend B>
    requires reads_pending_gradients<B>
PendingResults pending_results(B& backend, const PendingCase& c) {
    PendingResults results;
    const PendingOperands<B> o(backend, c);
    const Tensor<B> scale(backend, c.vectors()), shift(backend, c.vectors());
    const Tensor<B> factor(backend, c.vectors()), offset(backend, c.vectors()), dx(backend, c.y());
    backend.normalisation(o.mean, o.variance, o.weight, o.bias, o.epsilon, scale, shift);
    const Tensor<B, double> sums(backend, {2 * c.groups, 1, 1, c.out});
    backend.normalise_backward_later(o.dy, o.variance, o.epsilon, {o.raw, o.mean, scale, shift, c.activation, sums},
                                     false, factor, offset, o.dweight, o.dbias);
    const PendingGradients<B> gradients{o.dy, o.raw, scale, shift, factor, offset, c.activation};
    backend.finish_gradients(gradients, dx);
    results.normalised = {values_of(dx), values_of(o.dweight), values_of(o.dbias)};
    results.on_load = backend.reads_pending(gradients, c.window());
    const auto back = [&](const auto& dy) {
        const Tensor<B> back_to_data(backend, c.x), dw(backend, c.w()), dbias(backend, vector_shape(c.out));
        backend.fill(dw, 1);
        backend.fill(dbias, 1);
        backend.convolve_backward_data(dy, o.w, c.window(), back_to_data, GradientSums<B>{});
        backend.convolve_backward_weights(o.x, dy, c.window(), dw, dbias);
        return std::vector{values_of(back_to_data), values_of(dw), values_of(dbias)};
    };
    results.finished = back(dx);
    if (results.on_load) results.waiting = back(gradients);
    return results;
}

/// Where gradients that wait come to something else than those that do not.
///
/// @param on_load  whether convolutions should read them
template <Backend B>
std::vector<std::string> check_pending_gradients(B& backend, bool on_load) {
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
            failures.push_back(c.name + ": read on load the results are not those of finished gradients");
    }
    return failures;
}

/// What goes back to a batch norm's result, x, with the norm's sums.
struct SummedCase {
    enum class By { convolution, transposed, pool };
    std::string name;
    By by;
    Shape x;
    Index out;
    Window window{.kernel = 3, .padding = 1};
    Activation activation = Activation::relu;
    Index groups = 1;
    double mean = 0;
    bool spread = false;  // pixels of x are further apart than their channels
    bool before = false;  // gradients have come before
    bool taken = true;    // by tensor cores

    Shape dy() const {
        if (by == By::transposed) return {x.frames, 2 * x.height, 2 * x.width, out};
        return {x.frames, window.output(x.height), window.output(x.width), out};
    }
};

inline std::vector<SummedCase> summed_cases() {
    using By = SummedCase::By;
    const Window one{.kernel = 1}, three{.kernel = 3, .padding = 1}, half{.kernel = 2, .stride = 2};
    return {{"one pixel", By::convolution, {1, 1, 1, 1}, 4},
            {"tiles of pixels and of channels", By::convolution, {2, 16, 32, 64}, 8, three, Activation::relu, 2},
            {"a pixel and a channel more than tiles", By::convolution, {2, 17, 33, 33}, 12, three,
             Activation::leaky_relu, 2},
            {"more frames than groups", By::convolution, {6, 5, 9, 5}, 8, three, Activation::relu, 3, 0, true},
            {"no padding", By::convolution, {1, 19, 18, 20}, 8, {.kernel = 3}, Activation::identity},
            {"more tiles than threads that join them", By::convolution, {2, 3, 560, 9}, 4, one, Activation::relu, 2},
            {"a mean far from 0", By::convolution, {2, 12, 17, 8}, 16, three, Activation::relu, 1, 100},
            {"gradients that are not read by fours", By::convolution, {2, 6, 5, 8}, 6},
            {"an activation of three slopes", By::convolution, {2, 6, 5, 8}, 8, three, Activation::absolute, 1, 0,
             false, false, false},
            {"a stride", By::convolution, {2, 6, 8, 8}, 8, {.kernel = 3, .stride = 2, .padding = 1}, Activation::relu,
             1, 0, false, false, false},
            {"transposed", By::transposed, {4, 9, 17, 36}, 8, {}, Activation::relu, 2},
            {"transposed, a tile of channels", By::transposed, {1, 16, 16, 32}, 4, {}, Activation::leaky_relu},
            {"transposed, not by fours", By::transposed, {2, 5, 6, 8}, 3, {}, Activation::relu, 1, 0, false, false,
             false},
            {"pooled", By::pool, {4, 8, 6, 5}, 5, half, Activation::relu, 2},
            {"pooled, an odd size, gradients before", By::pool, {2, 9, 7, 12}, 12, half, Activation::leaky_relu, 1, 3,
             true, true},
            {"pooled, more pixels than a piece has, windows that overlap", By::pool, {2, 90, 100, 3}, 3,
             {.kernel = 3, .stride = 2}, Activation::tanh, 2, 0, false, true}};
}

/// dx without and with the sums, these, and whether they were taken.
struct SummedResults {
    std::vector<float> alone, dx, x, mean, scale, shift;
    std::vector<double> sums;
    bool taken = true;
};

template <Backend B>
SummedResults summed_results(B& backend, const SummedCase& c) {
    using By = SummedCase::By;
    cases::Operands<B> operands(backend, c.name);
    const Shape vectors{c.groups, 1, 1, c.x.channels};
    const Shape all = c.spread ? c.x.with_channels((c.x.channels + 3) / 4 * 4 + 4) : c.x;
    const auto x = operands.random(all, cases::Layout::whole, c.mean - 1, c.mean + 1)
                       .channels(all.channels - c.x.channels, c.x.channels);
    const auto mean = operands.statistics(x, c.groups).first;
    const auto scale = operands.random(vectors), centre = operands.random(vectors, cases::Layout::whole, -0.5, 0.5);
    const Tensor<B> shift(backend, vectors);  // so that about half of what is activated is above 0
    backend.multiply(scale, mean, shift);
    backend.combine(-1, shift, 1, centre, shift);
    const auto dy = operands.random(c.dy(), cases::Layout::whole, -0.5, 1), before = operands.random(c.x);
    const Index kernel = c.by == By::transposed ? 2 : c.window.kernel;
    const auto w = operands.random({kernel, kernel, c.x.channels, c.out});
    const Tensor<B> alone(backend, c.x), dx(backend, c.x);
    const Shape twice = vectors.with_frames(2 * c.groups);
    const Tensor<B, double> sums(backend, twice);
    const GradientSums<B> norm{x, mean, scale, shift, c.activation, sums};
    SummedResults results;
    if (c.by == By::convolution) {
        backend.convolve_backward_data(dy, w, c.window, alone);
        results.taken = backend.convolve_backward_data(dy, w, c.window, dx, norm);
    } else if (c.by == By::transposed) {
        backend.transposed_convolve_backward_data(dy, w, alone);
        results.taken = backend.transposed_convolve_backward_data(dy, w, dx, norm);
    } else {
        const Operand<B> operand{std::vector<OperandPart<B>>{{x, scale, shift, c.activation}}};
        backend.max_pool_backward(operand, dy, c.window, alone);
        if (c.before) backend.combine(1, before, 1, alone, alone);
        backend.max_pool_backward(dy, c.window, c.before ? before : Tensor<B>{}, dx, norm);
    }
    if (results.taken) {
        std::vector<float> halves(static_cast<std::size_t>(2 * twice.size()));
        const Shape of_halves = twice.with_channels(2 * twice.channels);
        backend.download({reinterpret_cast<const float*>(sums.data()), of_halves, of_halves.channels}, halves);
        results.sums.resize(halves.size() / 2);
        std::memcpy(results.sums.data(), halves.data(), halves.size() * sizeof(float));
    }
    results.alone = values_of(alone);
    results.dx = values_of(dx);
    results.x = values_of(x);
    results.mean = values_of(mean);
    results.scale = values_of(scale);
    results.shift = values_of(shift);
    return results;
}

/// Where sums of gradients are not those of what was stored, up to rounding in single precision, or change it.
///
/// @param cores    whether tensor cores are asked for, which should take them
/// @param library  whether a library, which does not, has the convolutions
template <Backend B>
std::vector<std::string> check_gradient_sums(B& backend, bool cores, bool library = false) {
    std::vector<std::string> failures;
    for (const SummedCase& c : summed_cases()) {
        using By = SummedCase::By;
        const auto ours = summed_results(backend, c);
        if (ours.dx != ours.alone) failures.push_back(c.name + ": dx is another one with the sums");
        if (ours.taken != (c.by == By::pool || (cores && c.taken && !(library && c.by == By::convolution))))
            failures.push_back(c.name + ": sums are taken, or not");
        if (!ours.taken) continue;
        const auto channels = static_cast<std::size_t>(c.x.channels), size = ours.mean.size();
        std::vector<double> sums(2 * size), sizes(2 * size);
        for (std::size_t i = 0; i < ours.dx.size(); ++i) {
            const std::size_t at = i * static_cast<std::size_t>(c.groups) / ours.dx.size() * channels + i % channels;
            const double z = std::fma(double{ours.scale[at]}, double{ours.x[i]}, double{ours.shift[at]});
            double gradient = detail::reference::activation_derivative(c.activation, z);
            // What rounding may put on the other side.
            if (std::abs(z) < 1e-6 * (1 + std::abs(c.mean))) gradient = std::nan("");
            const double terms[] = {ours.dx[i] * gradient, ours.dx[i] * gradient * (double{ours.x[i]} - ours.mean[at])};
            for (std::size_t k = 0; k < 2; ++k) {
                sums[k * size + at] += terms[k];
                sizes[k * size + at] += std::abs(terms[k]);
            }
        }
        for (std::size_t i = 0; i < sums.size(); ++i)
            if (!std::isnan(sums[i]) && !(std::abs(ours.sums[i] - sums[i]) <= 1e-6 * sizes[i] + 1e-12))
                failures.push_back(concatenate(c.name, ": sum ", i, " of ", sums.size(), " is ", ours.sums[i],
                                               ", expected ", sums[i]));
    }
    return failures;
}

}  // namespace mtdn::testing
