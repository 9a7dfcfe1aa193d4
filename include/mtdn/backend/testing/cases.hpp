#pragma once

#include <string>
#include <utility>
#include <vector>

#include <mtdn/backend/testing/operands.hpp>

/// Builders of cases, one an operation and pass: tests compare every backend with the reference on them, benches time
/// them on the network's shapes.
namespace mtdn::testing::cases {

// Every builder below is `name<B>(arguments)` and gives a case; `make` names it and hands it its operands.
template <Backend B, class Make>
Case<B> make(std::string operation, std::string pass, std::string shape, Make make_it, double operations = 0) {
    Case<B> result{std::move(operation), std::move(pass), std::move(shape), {}, operations};
    result.prepare = [make_it, name = result.name()](B& b) {
        Operands<B> operands(b, name);
        return make_it(b, operands);
    };
    return result;
}

struct Convolution {
    Shape x;
    Index out = 1;
    Window window{};
    Activation activation = Activation::identity;
    bool bias = true;
    Layout layout = Layout::whole;
    bool scale = false;

    Shape y() const { return {x.frames, window.output(x.height), window.output(x.width), out}; }
    Shape w() const { return {window.kernel, window.kernel, x.channels, out}; }
    double operations() const { return 2.0 * static_cast<double>(y().pixels() * w().size()); }
    std::string label() const {
        return Label(x, "-o", out, window, activation, scale ? "-scale" : "", bias ? "" : "-no_bias", layout);
    }
};

template <Backend B>
Case<B> convolve(const Convolution& c) {
    return make<B>(
        "convolve", "forward", c.label(),
        [c](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout), w = operands.random(c.w());
            auto scale = c.scale ? operands.random(vector_shape(c.out)) : Tensor<B>();
            auto bias = c.bias ? operands.random(vector_shape(c.out)) : Tensor<B>();
            auto y = operands.result(c.y(), c.layout);
            return operands.ready([=, &b] { b.convolve(x, w, scale, bias, c.window, c.activation, y); });
        },
        c.operations());
}

template <Backend B>
Case<B> convolve_backward_data(const Convolution& c) {
    return make<B>(
        "convolve", "backward_data", c.label(),
        [c](B& b, Operands<B>& operands) {
            auto dy = operands.random(c.y(), c.layout), w = operands.random(c.w()), dx = operands.result(c.x, c.layout);
            return operands.ready([=, &b] { b.convolve_backward_data(dy, w, c.window, dx); });
        },
        c.operations());
}

template <Backend B>
Case<B> convolve_backward_weights(const Convolution& c) {
    return make<B>(
        "convolve", "backward_weights", c.label(),
        [c](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout), dy = operands.random(c.y(), c.layout), dw = operands.result(c.w());
            auto dbias = c.bias ? operands.result(vector_shape(c.out)) : Tensor<B>();
            return operands.ready([=, &b] { b.convolve_backward_weights(x, dy, c.window, dw, dbias); });
        },
        c.operations());
}

struct Transposed {
    Shape x;
    Index out = 1;
    bool bias = true;
    Layout layout = Layout::whole;

    Shape y() const { return {x.frames, 2 * x.height, 2 * x.width, out}; }
    Shape w() const { return {2, 2, x.channels, out}; }
    double operations() const { return 2.0 * static_cast<double>(x.pixels() * w().size()); }
    std::string label() const { return Label(x, "-o", out, bias ? "" : "-no_bias", layout); }
};

template <Backend B>
Case<B> transposed_convolve(const Transposed& c) {
    return make<B>(
        "transposed_convolve", "forward", c.label(),
        [c](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout), w = operands.random(c.w());
            auto bias = c.bias ? operands.random(vector_shape(c.out)) : Tensor<B>();
            auto y = operands.result(c.y(), c.layout);
            return operands.ready([=, &b] { b.transposed_convolve(x, w, bias, y); });
        },
        c.operations());
}

template <Backend B>
Case<B> transposed_convolve_backward_data(const Transposed& c) {
    return make<B>(
        "transposed_convolve", "backward_data", c.label(),
        [c](B& b, Operands<B>& operands) {
            auto dy = operands.random(c.y(), c.layout), w = operands.random(c.w()), dx = operands.result(c.x, c.layout);
            return operands.ready([=, &b] { b.transposed_convolve_backward_data(dy, w, dx); });
        },
        c.operations());
}

template <Backend B>
Case<B> transposed_convolve_backward_weights(const Transposed& c) {
    return make<B>(
        "transposed_convolve", "backward_weights", c.label(),
        [c](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout), dy = operands.random(c.y(), c.layout), dw = operands.result(c.w());
            auto dbias = c.bias ? operands.result(vector_shape(c.out)) : Tensor<B>();
            return operands.ready([=, &b] { b.transposed_convolve_backward_weights(x, dy, dw, dbias); });
        },
        c.operations());
}

struct Normalisation {
    Shape x;
    Index groups = 1;
    Activation activation = Activation::identity;
    Layout layout = Layout::whole;
    bool own_statistics = true;
    bool in_place = false;
    double offset = 0;  // mean of x, whose standard deviation is 0.6

    Shape vectors() const { return {groups, 1, 1, x.channels}; }
    std::string label() const {
        return Label(x, "-g", groups, activation, layout, own_statistics ? "" : "-frozen", in_place ? "-in_place" : "",
                     offset != 0 ? "-offset" : "");
    }
};

template <Backend B>
Case<B> batch_statistics(const Normalisation& c) {
    return make<B>("batch_statistics", "forward", c.label(), [c](B& b, Operands<B>& operands) {
        auto x = operands.random(c.x, c.layout, c.offset - 1, c.offset + 1);
        auto mean = operands.result(c.vectors()), variance = operands.result(c.vectors());
        return operands.ready([=, &b] { b.batch_statistics(x, mean, variance); });
    });
}

template <Backend B>
Case<B> update_running(const Shape& vectors, Index count) {
    return make<B>("update_running", "forward", Label(vectors, "-n", count), [=](B& b, Operands<B>& operands) {
        auto mean = operands.random(vectors), variance = operands.random(vectors, Layout::whole, 0.1, 2);
        const Shape one = vector_shape(vectors.channels);
        auto running_mean = operands.result(one), running_variance = operands.result(one, Layout::whole, 0.1, 2);
        return operands.ready(
            [=, &b] { b.update_running(mean, variance, count, 0.1, running_mean, running_variance); });
    });
}

template <Backend B>
Case<B> normalisation(const Shape& vectors) {
    return make<B>("normalisation", "forward", Label(vectors), [=](B& b, Operands<B>& operands) {
        auto mean = operands.random(vectors), variance = operands.random(vectors, Layout::whole, 0, 2);
        const Shape one = vector_shape(vectors.channels);
        auto weight = operands.random(one), bias = operands.random(one);
        auto scale = operands.result(vectors), shift = operands.result(vectors);
        return operands.ready([=, &b] { b.normalisation(mean, variance, weight, bias, 1e-5, scale, shift); });
    });
}

template <Backend B>
Case<B> normalise(const Normalisation& c) {
    return make<B>("normalise", "forward", c.label(), [c](B& b, Operands<B>& operands) {
        auto x = c.in_place ? operands.result(c.x, c.layout) : operands.random(c.x, c.layout);
        auto scale = operands.random(c.vectors()), shift = operands.random(c.vectors());
        auto y = c.in_place ? x : operands.result(c.x, c.layout);
        return operands.ready([=, &b] { b.normalise(x, scale, shift, c.activation, y); });
    });
}

template <Backend B>
Case<B> normalise_backward(const Normalisation& c) {
    return make<B>("normalise", "backward", c.label(), [c](B& b, Operands<B>& operands) {
        auto x = operands.random(c.x, c.layout, c.offset - 1, c.offset + 1);
        auto dy = c.in_place ? operands.result(c.x, c.layout) : operands.random(c.x, c.layout);
        auto [mean, variance] = operands.statistics(x, c.groups);
        const Shape one = vector_shape(c.x.channels);
        auto weight = operands.random(one, Layout::whole, 0.5, 2), bias = operands.random(one);
        auto dx = c.in_place ? dy : operands.result(c.x, c.layout);
        auto dweight = operands.result(one), dbias = operands.result(one);
        return operands.ready([=, &b, mean = mean, variance = variance] {
            b.normalise_backward(x, dy, mean, variance, weight, bias, 1e-5, c.activation, c.own_statistics, dx, dweight,
                                 dbias);
        });
    });
}

struct Elements {
    Shape x;
    Layout layout = Layout::whole;
    bool in_place = false;
    Activation activation = Activation::identity;

    std::string label() const { return Label(x, activation, layout, in_place ? "-in_place" : ""); }
};

/// A case of an operation x → y that may be in place. Work is called as `work(backend, x, y)`.
template <Backend B, class Work>
Case<B> element_case(std::string operation, std::string pass, const Elements& c, Work work) {
    return make<B>(std::move(operation), std::move(pass), c.label(), [=](B& b, Operands<B>& operands) {
        auto x = c.in_place ? operands.result(c.x, c.layout, -3, 3) : operands.random(c.x, c.layout, -3, 3);
        auto y = c.in_place ? x : operands.result(c.x, c.layout);
        return operands.ready([=, &b] { work(b, x, y); });
    });
}

template <Backend B>
std::vector<Case<B>> elements(const Elements& c) {
    using T = Tensor<B>;
    std::vector<Case<B>> result;
    const auto alone = [&](std::string operation, auto work) {
        result.push_back(make<B>(operation, "forward", c.label(), [=](B& b, Operands<B>& operands) {
            auto y = operands.result(c.x, c.layout);
            return operands.ready([=, &b] { work(b, y); });
        }));
    };
    if (!c.in_place) {
        alone("fill", [](B& b, const T& y) { b.fill(y, 1.25); });
        alone("scale", [](B& b, const T& y) { b.scale(y, -0.3); });
    }
    result.push_back(element_case<B>("copy", "forward", c, [](B& b, const T& x, const T& y) { b.copy(x, y); }));
    result.push_back(
        element_case<B>("accumulate", "forward", c, [](B& b, const T& x, const T& y) { b.accumulate(x, y); }));
    const auto with_second = [&](std::string operation, auto work) {
        result.push_back(make<B>(operation, "forward", c.label(), [=](B& b, Operands<B>& operands) {
            auto a = operands.random(c.x, c.layout);
            auto x = c.in_place ? operands.result(c.x, c.layout) : operands.random(c.x);
            auto y = c.in_place ? x : operands.result(c.x, c.layout);
            return operands.ready([=, &b] { work(b, a, x, y); });
        }));
    };
    with_second("combine", [](B& b, const T& a, const T& x, const T& y) { b.combine(0.7, a, -1.5, x, y); });
    with_second("multiply", [](B& b, const T& a, const T& x, const T& y) { b.multiply(a, x, y); });
    with_second("multiply_add", [](B& b, const T& a, const T& x, const T& y) { b.multiply_add(a, x, y); });
    return result;
}

/// To bfloat16 and back.
template <Backend B>
Case<B> round(const Elements& c) {
    return make<B>("round", "and_widen", c.label(), [c](B& b, Operands<B>& operands) {
        auto x = operands.random(c.x, c.layout), y = operands.result(c.x, c.layout);
        const Tensor<B, BFloat16> z(b, c.x);
        return operands.ready([=, &b] {
            b.round(x, z);
            b.widen(z, y);
        });
    });
}

template <Backend B>
std::vector<Case<B>> activate(const Elements& c) {
    auto forward = element_case<B>("activate", "forward", c, [c](B& b, const Tensor<B>& x, const Tensor<B>& y) {
        b.activate(x, c.activation, y);
    });
    auto backward = make<B>("activate", "backward", c.label(), [c](B& b, Operands<B>& operands) {
        auto x = operands.random(c.x, c.layout, -3, 3);
        auto dy = c.in_place ? operands.result(c.x, c.layout) : operands.random(c.x, c.layout);
        auto dx = c.in_place ? dy : operands.result(c.x, c.layout);
        return operands.ready([=, &b] { b.activate_backward(x, dy, c.activation, dx); });
    });
    return {forward, backward};
}

struct Pooling {
    Shape x;
    Window window{};
    Layout layout = Layout::whole;

    Shape y() const { return {x.frames, window.output(x.height), window.output(x.width), x.channels}; }
    std::string label() const { return Label(x, window, layout); }
};

template <Backend B>
std::vector<Case<B>> pool(const Pooling& c) {
    // Steps of a quarter: most windows hold their largest value more than once.
    const auto forward = [c](std::string operation, auto work) {
        return make<B>(operation, "forward", c.label(), [=](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout, -1, 1, 0.25), y = operands.result(c.y(), c.layout);
            return operands.ready([=, &b] { work(b, x, y); });
        });
    };
    const auto backward = [c](std::string operation, auto work) {
        return make<B>(operation, "backward", c.label(), [=](B& b, Operands<B>& operands) {
            auto x = operands.random(c.x, c.layout, -1, 1, 0.25), dy = operands.random(c.y(), c.layout);
            auto dx = operands.result(c.x, c.layout);
            return operands.ready([=, &b] { work(b, x, dy, dx); });
        });
    };
    using T = Tensor<B>;
    return {forward("max_pool", [c](B& b, const T& x, const T& y) { b.max_pool(x, c.window, y); }),
            backward("max_pool",
                     [c](B& b, const T& x, const T& dy, const T& dx) { b.max_pool_backward(x, dy, c.window, dx); }),
            forward("average_pool", [c](B& b, const T& x, const T& y) { b.average_pool(x, c.window, y); }),
            backward("average_pool",
                     [c](B& b, const T&, const T& dy, const T& dx) { b.average_pool_backward(dy, c.window, dx); })};
}

/// An operation from one size to another, `work(backend, x, y)`; named with both shapes.
template <Backend B, class Work>
Case<B> between_sizes(std::string operation, std::string pass, const Shape& from, const Shape& to, Layout layout,
                      Work work) {
    return make<B>(std::move(operation), std::move(pass), Label(from, "-to-", to, layout),
                   [=](B& b, Operands<B>& operands) {
                       auto x = operands.random(from, layout), y = operands.result(to, layout);
                       return operands.ready([=, &b] { work(b, x, y); });
                   });
}

template <Backend B>
std::vector<Case<B>> resize(const Shape& small, const Shape& large, Layout layout = Layout::whole) {
    using T = Tensor<B>;
    return {between_sizes<B>("resize_nearest", "forward", small, large, layout,
                             [](B& b, const T& x, const T& y) { b.resize_nearest(x, y); }),
            between_sizes<B>("resize_nearest", "backward", large, small, layout,
                             [](B& b, const T& dy, const T& dx) { b.resize_nearest_backward(dy, dx); }),
            between_sizes<B>("resize_bilinear", "forward", small, large, layout,
                             [](B& b, const T& x, const T& y) { b.resize_bilinear(x, y); }),
            between_sizes<B>("resize_bilinear", "backward", large, small, layout,
                             [](B& b, const T& dy, const T& dx) { b.resize_bilinear_backward(dy, dx); })};
}

template <Backend B>
std::vector<Case<B>> border(const Shape& small, const Shape& large, Layout layout = Layout::whole) {
    using T = Tensor<B>;
    return {
        between_sizes<B>("pad_edge", "forward", small, large, layout,
                         [](B& b, const T& x, const T& y) { b.pad_edge(x, y); }),
        between_sizes<B>("crop", "forward", large, small, layout, [](B& b, const T& x, const T& y) { b.crop(x, y); }),
        between_sizes<B>("crop", "backward", small, large, layout,
                         [](B& b, const T& dy, const T& dx) { b.crop_backward(dy, dx); })};
}

template <Backend B>
std::vector<Case<B>> gather(const Shape& x, const std::vector<Index>& indices, Layout layout = Layout::whole) {
    const Shape y = x.with_frames(static_cast<Index>(indices.size()));
    using T = Tensor<B>;
    return {between_sizes<B>("gather_frames", "forward", x, y, layout,
                             [=](B& b, const T& from, const T& to) { b.gather_frames(from, indices, to); }),
            between_sizes<B>("gather_frames", "backward", y, x, layout,
                             [=](B& b, const T& dy, const T& dx) { b.gather_frames_backward(dy, indices, dx); })};
}

struct FrameSums {
    Shape a;  // frames of the first operand; the second has one more
    std::vector<Index> of_a, of_b;
    Activation activation = Activation::identity;
    bool shift = true;
    Layout layout = Layout::whole;

    Shape y() const { return a.with_frames(static_cast<Index>(of_a.size())); }
    std::string label() const { return Label(a, "-to-", y(), activation, shift ? "" : "-no_shift", layout); }
};

template <Backend B>
Case<B> combine_frames(const FrameSums& c) {
    return make<B>("combine_frames", "forward", c.label(), [c](B& b, Operands<B>& operands) {
        auto x = operands.random(c.a, c.layout), z = operands.random(c.a.with_frames(c.a.frames + 1), c.layout);
        auto shift = c.shift ? operands.random(vector_shape(c.a.channels)) : Tensor<B>();
        auto y = operands.result(c.y(), c.layout);
        return operands.ready(
            [=, &b] { b.combine_frames(0.7, x, c.of_a, -1.5, z, c.of_b, shift, c.activation, y); });
    });
}

}  // namespace mtdn::testing::cases
