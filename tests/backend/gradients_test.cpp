#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <mtdn/backend/reference.hpp>
#include <mtdn/core/random.hpp>

#include "support/catch.hpp"

using namespace mtdn;

namespace {

using Exact = Reference<double>;
using Values = Tensor<Exact>;

/// One operand of a differentiable operation, and its gradient.
struct Varied {
    Values value;
    Values gradient;
    bool adds = false;  // the way back adds to the gradient instead of overwriting it
};

/// Checks a way back against central differences along a random direction of every operand.
class GradientCheck {
public:
    explicit GradientCheck(const std::string& name) : name_(name), random_(3, name) {}

    Values random(const Shape& shape, double low = -1, double high = 1) {
        Values x(exact, shape);
        for (double& value : elements(x)) value = random_.uniform(low, high);
        return x;
    }
    Varied operand(const Shape& shape, bool adds = false, double low = -1, double high = 1) {
        return {random(shape, low, high), random(shape), adds};
    }
    Tensor<Exact, std::uint8_t> labels(const Shape& shape) {
        Tensor<Exact, std::uint8_t> result(exact, shape.with_channels(1));
        for (Index p = 0; p < shape.pixels(); ++p)
            result.data()[p] = static_cast<std::uint8_t>(p % 5 == 4 ? 255 : random_.below(shape.channels));
        return result;
    }

    /// `forward()` computes y from the operands, `backward()` their gradients from dy.
    void run(const std::vector<Varied>& operands, const Values& y, const Values& dy,
             const std::function<void()>& forward, const std::function<void()>& backward) {
        std::vector<std::vector<double>> before;
        for (const auto& operand : operands) {
            const auto gradient = elements(operand.gradient);
            before.emplace_back(gradient.begin(), gradient.end());
        }
        forward();
        backward();
        for (std::size_t k = 0; k < operands.size(); ++k) {
            INFO(name_ << ", operand " << k);
            const auto value = elements(operands[k].value), gradient = elements(operands[k].gradient);
            const std::vector<double> start(value.begin(), value.end());
            std::vector<double> direction(value.size());
            double analytic = 0, scale = 0;
            for (std::size_t i = 0; i < direction.size(); ++i) {
                direction[i] = random_.uniform(-1, 1);
                const double slope = gradient[i] - (operands[k].adds ? before[k][i] : 0);
                analytic += slope * direction[i];
                scale += std::abs(slope * direction[i]);
            }
            const auto loss_at = [&](double step) {
                for (std::size_t i = 0; i < start.size(); ++i) value[i] = start[i] + step * direction[i];
                forward();
                double loss = 0;
                for (std::size_t i = 0; i < elements(y).size(); ++i) loss += elements(y)[i] * elements(dy)[i];
                return loss;
            };
            // Two errors meet at this step: step² · third derivative, and rounding / step; both are about 1e-10.
            const double step = 1e-5;
            const double numeric = (loss_at(step) - loss_at(-step)) / (2 * step);
            loss_at(0);
            CHECK(scale > 0);
            CHECK(std::abs(numeric - analytic) <= 1e-8 * (1 + scale));
        }
    }

    Exact exact;

private:
    static std::span<double> elements(const Values& x) {
        return {x.data(), static_cast<std::size_t>(x.shape().size())};
    }

    std::string name_;
    Random random_;
};

constexpr Activation activations[] = {Activation::identity, Activation::relu,    Activation::leaky_relu,
                                      Activation::sigmoid,  Activation::tanh,    Activation::silu,
                                      Activation::gelu,     Activation::absolute};

}  // namespace

TEST_CASE("convolution: ways back agree with differences") {
    for (const Window& window : {Window{.kernel = 1}, Window{.kernel = 3, .padding = 1}, Window{.kernel = 3},
                                 Window{.kernel = 3, .stride = 2, .padding = 1}, Window{.kernel = 2, .stride = 2},
                                 Window{.kernel = 5, .padding = 2}, Window{.kernel = 7, .stride = 2, .padding = 2}}) {
        GradientCheck check(concatenate("convolve k", window.kernel, "s", window.stride, "p", window.padding));
        const auto x = check.operand({2, 7, 6, 3});
        const auto w = check.operand({window.kernel, window.kernel, 3, 4}, true);
        const auto bias = check.operand(vector_shape(4), true);
        const auto y = check.random({2, window.output(7), window.output(6), 4}), dy = check.random(y.shape());
        check.run(
            {x, w, bias}, y, dy,
            [&] { check.exact.convolve(x.value, w.value, {}, bias.value, window, Activation::identity, y); },
            [&] {
                check.exact.convolve_backward_data(dy, w.value, window, x.gradient);
                check.exact.convolve_backward_weights(x.value, dy, window, w.gradient, bias.gradient);
            });
    }
}

TEST_CASE("transposed convolution: ways back agree with differences") {
    GradientCheck check("transposed");
    const auto x = check.operand({2, 3, 5, 3}), w = check.operand({2, 2, 3, 4}, true);
    const auto bias = check.operand(vector_shape(4), true);
    const auto y = check.random({2, 6, 10, 4}), dy = check.random(y.shape());
    check.run(
        {x, w, bias}, y, dy, [&] { check.exact.transposed_convolve(x.value, w.value, bias.value, y); },
        [&] {
            check.exact.transposed_convolve_backward_data(dy, w.value, x.gradient);
            check.exact.transposed_convolve_backward_weights(x.value, dy, w.gradient, bias.gradient);
        });
}

TEST_CASE("batch norm: the way back agrees with differences, own statistics and frozen, every activation") {
    for (const Activation activation : activations)
        for (const bool own : {true, false})
            for (const Index groups : {Index{1}, Index{2}}) {
                GradientCheck check(concatenate("normalise ", static_cast<int>(activation), own, groups));
                const Shape shape{4, 3, 5, 3}, vectors{groups, 1, 1, 3};
                const auto x = check.operand(shape, false, 1, 4);
                const auto weight = check.operand(vector_shape(3), true), bias = check.operand(vector_shape(3), true);
                const auto mean = check.random(vectors, 2, 3), variance = check.random(vectors, 0.5, 2);
                const auto scale = check.random(vectors), shift = check.random(vectors);
                const auto y = check.random(shape), dy = check.random(shape);
                check.run(
                    {x, weight, bias}, y, dy,
                    [&] {
                        if (own) check.exact.batch_statistics(x.value, mean, variance);
                        check.exact.normalisation(mean, variance, weight.value, bias.value, 1e-5, scale, shift);
                        check.exact.normalise(x.value, scale, shift, activation, y);
                    },
                    [&] {
                        check.exact.normalise_backward(x.value, dy, mean, variance, weight.value, bias.value, 1e-5,
                                                       activation, own, x.gradient, weight.gradient, bias.gradient);
                    });
            }
}

TEST_CASE("activations: ways back agree with differences") {
    for (const Activation activation : activations) {
        GradientCheck check(concatenate("activate ", static_cast<int>(activation)));
        const auto x = check.operand({2, 3, 4, 5}, false, -4, 4);
        const auto y = check.random(x.value.shape()), dy = check.random(y.shape());
        check.run(
            {x}, y, dy, [&] { check.exact.activate(x.value, activation, y); },
            [&] { check.exact.activate_backward(x.value, dy, activation, x.gradient); });
    }
}

TEST_CASE("pooling: ways back agree with differences") {
    for (const Window& window : {Window{.kernel = 2, .stride = 2}, Window{.kernel = 3, .stride = 1},
                                 Window{.kernel = 3, .stride = 2}, Window{.kernel = 1, .stride = 2}}) {
        GradientCheck check(concatenate("pool k", window.kernel, "s", window.stride));
        const auto x = check.operand({2, 7, 6, 3});
        const auto y = check.random({2, window.output(7), window.output(6), 3}), dy = check.random(y.shape());
        check.run(
            {x}, y, dy, [&] { check.exact.max_pool(x.value, window, y); },
            [&] { check.exact.max_pool_backward(x.value, dy, window, x.gradient); });
        check.run(
            {x}, y, dy, [&] { check.exact.average_pool(x.value, window, y); },
            [&] { check.exact.average_pool_backward(dy, window, x.gradient); });
    }
}

TEST_CASE("changes of size: ways back agree with differences") {
    for (const Shape& to : {Shape{2, 8, 10, 3}, Shape{2, 7, 12, 3}, Shape{2, 3, 2, 3}, Shape{2, 4, 5, 3}}) {
        GradientCheck check(concatenate("to ", to));
        const auto x = check.operand({2, 4, 5, 3});
        const auto y = check.random(to), dy = check.random(to);
        check.run(
            {x}, y, dy, [&] { check.exact.resize_nearest(x.value, y); },
            [&] { check.exact.resize_nearest_backward(dy, x.gradient); });
        check.run(
            {x}, y, dy, [&] { check.exact.resize_bilinear(x.value, y); },
            [&] { check.exact.resize_bilinear_backward(dy, x.gradient); });
    }
    GradientCheck check("crop");
    const auto x = check.operand({2, 4, 5, 3});
    const auto y = check.random({2, 3, 2, 3}), dy = check.random(y.shape());
    check.run(
        {x}, y, dy, [&] { check.exact.crop(x.value, y); }, [&] { check.exact.crop_backward(dy, x.gradient); });
}

TEST_CASE("gathering frames: the way back agrees with differences") {
    GradientCheck check("gather");
    const std::vector<Index> indices{2, 0, 2, 2, 1};
    const auto x = check.operand({4, 3, 2, 3}, true);
    const auto y = check.random({5, 3, 2, 3}), dy = check.random(y.shape());
    check.run(
        {x}, y, dy, [&] { check.exact.gather_frames(x.value, indices, y); },
        [&] { check.exact.gather_frames_backward(dy, indices, x.gradient); });
}

TEST_CASE("softmax and its logarithm: ways back agree with differences") {
    GradientCheck check("softmax");
    const auto x = check.operand({2, 3, 4, 5}, false, -4, 4);
    const auto y = check.random(x.value.shape()), dy = check.random(y.shape());
    check.run(
        {x}, y, dy, [&] { check.exact.softmax(x.value, y); }, [&] { check.exact.softmax_backward(y, dy, x.gradient); });
    check.run(
        {x}, y, dy, [&] { check.exact.log_softmax(x.value, y); },
        [&] { check.exact.log_softmax_backward(y, dy, x.gradient); });
}

TEST_CASE("focal loss: the way back agrees with differences, every exponent and reduction, smoothed and not") {
    for (const double gamma : {0.0, 0.5, 1.0, 2.0, 3.5})
        for (const Reduction reduction : {Reduction::pixels, Reduction::none, Reduction::weights})
            for (const double smoothing : {0.0, 1e-5, 0.05}) {
                GradientCheck check(concatenate("focal ", gamma, ' ', static_cast<int>(reduction), ' ', smoothing));
                const FocalOptions options{.gamma = gamma, .reduction = reduction, .smoothing = smoothing};
                const auto x = check.operand({2, 3, 4, 4}, false, -3, 3);
                const auto labels = check.labels(x.value.shape());
                const auto weights = check.random(vector_shape(4), 0.5, 5);
                const auto loss = check.random(vector_shape(1)), dloss = check.random(vector_shape(1), 1, 2);
                const auto divisor = check.random(vector_shape(1));
                check.run(
                    {x}, loss, dloss, [&] { check.exact.focal_loss(x.value, labels, weights, options, loss, divisor); },
                    [&] {
                        check.exact.focal_loss_backward(x.value, labels, weights, options, divisor, dloss, x.gradient);
                    });
            }
}

TEST_CASE("overlap sums: the way back agrees with differences") {
    GradientCheck check("overlap");
    const auto x = check.operand({2, 3, 4, 4}, false, -3, 3);
    const auto labels = check.labels(x.value.shape());
    const auto sums = check.random({3, 1, 1, 4}), slopes = check.random({3, 1, 1, 4});
    check.run(
        {x}, sums, slopes, [&] { check.exact.overlap_sums(x.value, labels, sums); },
        [&] { check.exact.overlap_backward(x.value, labels, slopes.frames(0, 2), x.gradient); });
}
