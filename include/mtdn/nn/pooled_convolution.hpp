#pragma once

#include <utility>

#include <mtdn/autograd/resizing.hpp>
#include <mtdn/nn/batch_norm.hpp>

namespace mtdn {

/// A value, and the largest values of its 2×2 squares.
template <Backend B>
struct Pooled {
    Variable<B> value;
    Variable<B> maxima;
};

/// `convolve_and_normalise`, and `max_pool2` of that. Where the backend has the convolution write one value of each
/// square, nobody reads the whole for it; in training the normalisation of these is as pending as that of the whole.
///
/// A tape that rounds what it keeps would round them before they are normalised, so it goes the other way.
template <Backend B>
Pooled<B> convolve_normalise_and_pool(const Conv2d<B>& conv, const BatchNorm2d<B>& norm, Activation activation,
                                      Variable<B> x, Pass<B>& pass) {
    if constexpr (pools_convolutions<B>) {
        B& backend = pass.backend();
        const Tape<B>* tape = pass.tape();
        const Shape in = x.shape();
        const Window window = conv.window(), squares{.kernel = 2, .stride = 2};
        const Tensor<B>& w = conv.weight().value;
        const Shape out{in.frames, window.output(in.height), window.output(in.width), w.shape().channels};
        const bool learns = tape && pass.statistics() == Statistics::batch && tape->precision() == Precision::single &&
                            in.frames % pass.groups() == 0;
        if ((learns || !tape) && !conv.bias() && in.channels == w.shape().width && out.height > 1 && out.width > 1 &&
            backend.pools_convolution(w, window, activation)) {
            const Tensor<B> extremes(backend, {out.frames, out.height / 2, out.width / 2, out.channels});
            if (!tape) {
                const auto [scale, shift] = by_running_statistics(norm);
                const Tensor<B> y(backend, out);
                backend.convolve(operand_of(x), w, scale, shift, window, activation, y, {{}, extremes});
                return {Variable<B>(y), Variable<B>(extremes)};
            }
            const Shape statistic{pass.groups(), 1, 1, out.channels};
            const BatchStatistics<B> found{Tensor<B>(backend, statistic), Tensor<B>(backend, statistic)};
            const Variable<B> y = norm(convolve(x, conv.weight(), nullptr, window, found,
                                                SquareExtremes<B>{norm.weight().value, extremes}),
                                       pass, activation, found);
            const auto& pending = y.parts().front().pending;
            auto part = detail::record_max_pool(y, squares, extremes).parts().front();
            part.pending = {pending.scale, pending.shift, activation};
            return {y, {std::move(part), pass.tape()}};
        }
    }
    // What has been read is let go of.
    const Variable<B> y = convolve_and_normalise(conv, norm, activation, std::exchange(x, {}), pass);
    return {y, max_pool2(y)};
}

}  // namespace mtdn
