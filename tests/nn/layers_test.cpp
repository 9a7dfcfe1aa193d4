#include <cmath>
#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/nn/conv_block.hpp>
#include <mtdn/nn/module.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;

struct Moments {
    double least = 0, most = 0, mean = 0, variance = 0;
};

Moments moments(const Values& tensor) {
    const auto v = download(tensor);
    Moments m{v[0], v[0], 0, 0};
    const auto n = static_cast<double>(v.size());
    for (const double x : v) {
        m.least = std::min(m.least, x);
        m.most = std::max(m.most, x);
        m.mean += x / n;
    }
    for (const double x : v) m.variance += (x - m.mean) * (x - m.mean) / n;
    return m;
}

}  // namespace

TEST_CASE("weights and biases begin uniform in ±1/√fan_in") {
    Exact exact;
    Random random{8};
    const Conv2d<Exact> conv(exact, {.in = 16, .out = 200, .kernel = 3}, random);
    const ConvTranspose2d<Exact> up(exact, 30, 200, random);
    const Parameter<Exact>* up_weight = nullptr;
    const Parameter<Exact>* up_bias = nullptr;
    ConvTranspose2d<Exact>::visit(
        up, [&](std::string_view name, const Parameter<Exact>& p) { (name == "weight" ? up_weight : up_bias) = &p; });
    struct Row {
        const Parameter<Exact>* parameter;
        double fan_in;
    };
    // 16 × 3 × 3 inputs; PyTorch counts the *outputs* of a transposed convolution, 200 × 2 × 2.
    for (const Row& row : {Row{&conv.weight(), 144}, Row{&*conv.bias(), 144}, Row{up_weight, 800}, Row{up_bias, 800}}) {
        const double bound = 1 / std::sqrt(row.fan_in);
        const Moments m = moments(row.parameter->value);
        const auto count = static_cast<double>(row.parameter->value.shape().size());
        CHECK(m.least >= -bound);
        CHECK(m.most <= bound);
        CHECK(m.most > bound * (1 - 50 / count));  // a largest of n lies below by 2/n on average
        CHECK(std::abs(m.mean) < 5 * bound / std::sqrt(3 * count));
        CHECK(m.variance == Approx(bound * bound / 3).epsilon(10 / std::sqrt(count)));
    }
}

TEST_CASE("He's weights begin normal with variance 2/fan_in, biases 0") {
    Exact exact;
    Random random{8};
    const Conv2d<Exact> conv(exact, {.in = 16, .out = 200, .initialiser = Initialiser::he_normal}, random);
    const Moments m = moments(conv.weight().value);
    CHECK(m.variance == Approx(2.0 / 144).epsilon(0.05));  // of 28800 values, 6 standard errors
    CHECK(m.most > 3 * std::sqrt(2.0 / 144));
    CHECK(largest(download(conv.bias()->value)) == 0);
}

TEST_CASE("equal seeds begin equal, on either precision to its rounding") {
    Exact exact;
    Reference<float> single;
    Random a{5}, b{5}, c{5}, d{6};
    const Conv2d<Exact> first(exact, {.in = 2, .out = 3}, a), again(exact, {.in = 2, .out = 3}, b),
        other(exact, {.in = 2, .out = 3}, d);
    const Conv2d<Reference<float>> rounded(single, {.in = 2, .out = 3}, c);
    const auto values = download(first.weight().value);
    CHECK(download(again.weight().value) == values);
    CHECK(download(other.weight().value) != values);
    const auto floats = download(rounded.weight().value);
    CHECK(distance({floats.begin(), floats.end()}, values) < 1e-7);
}

TEST_CASE("a convolution's size, bias and geometry follow its options") {
    Exact exact;
    Random random{2};
    Pass<Exact> pass(exact);
    const Variable<Exact> x(random_values(exact, {2, 7, 6, 3}, random));
    struct Row {
        Conv2dOptions options;
        Shape result;
    };
    for (const Row& row : {Row{{.in = 3, .out = 4}, {2, 7, 6, 4}}, Row{{.in = 3, .out = 4, .kernel = 1}, {2, 7, 6, 4}},
                           Row{{.in = 3, .out = 4, .stride = 2}, {2, 4, 3, 4}},
                           Row{{.in = 3, .out = 4, .kernel = 5, .padding = 0}, {2, 3, 2, 4}}}) {
        const Conv2d<Exact> conv(exact, row.options, random);
        CHECK(conv(x, pass).shape() == row.result);
        CHECK(conv.bias().has_value());
    }
    CHECK_FALSE(Conv2d<Exact>(exact, {.in = 1, .out = 1, .bias = false}, random).bias().has_value());
    CHECK(ConvTranspose2d<Exact>(exact, 3, 2, random)(x, pass).shape() == Shape{2, 14, 12, 2});
    CHECK(error_of<OptionError>([&] { Conv2d<Exact>(exact, {.in = 0, .out = 4}, random); }) ==
          "Conv2d: sizes must be positive, got in 0, out 4, kernel 3, stride 1, padding -1");
    CHECK(error_of<OptionError>([&] { Conv2d<Exact>(exact, {.in = 1, .stride = 0}, random); }).find("stride 0") !=
          std::string::npos);
}

TEST_CASE("a normalisation begins as weight 1, bias 0, mean 0, variance 1") {
    Exact exact;
    const BatchNorm2d<Exact> norm(exact, 3);
    CHECK(download(norm.weight().value) == std::vector<double>{1, 1, 1});
    CHECK(download(norm.bias().value) == std::vector<double>{0, 0, 0});
    CHECK(download(norm.running().mean) == std::vector<double>{0, 0, 0});
    CHECK(download(norm.running().variance) == std::vector<double>{1, 1, 1});
    CHECK(*norm.running().batches == 0);
    CHECK(norm.options().epsilon == 1e-5);
    CHECK(norm.options().momentum == 0.1);
}

TEST_CASE("folding a normalisation into its convolution changes nothing but rounding") {
    Exact exact;
    Random random{4};
    for (const bool bias : {false, true}) {
        const Conv2d<Exact> conv(exact, {.in = 2, .out = 3, .bias = bias}, random);
        const BatchNorm2d<Exact> norm(exact, 3);
        upload(std::span<const double>(std::vector<double>{0.5, -1, 2}), norm.running().mean);
        upload(std::span<const double>(std::vector<double>{0.25, 4, 1e-3}), norm.running().variance);
        upload(std::span<const double>(std::vector<double>{2, -1, 0.5}), norm.weight().value);
        upload(std::span<const double>(std::vector<double>{0.1, 0.2, -0.3}), norm.bias().value);
        const Values x = random_values(exact, {2, 5, 4, 2}, random);
        Tape<Exact> tape(exact);
        Pass<Exact> folded(exact), apart(tape, Statistics::running);
        for (const Activation activation : {Activation::identity, Activation::relu, Activation::gelu}) {
            const auto a = numbers(convolve_and_normalise(conv, norm, activation, folded.input(x), folded));
            const auto b = numbers(convolve_and_normalise(conv, norm, activation, apart.input(x), apart));
            CHECK(largest(a) > 0.1);
            CHECK(distance(a, b) < 1e-10);  // values up to 1 / √1e-3 apart
        }
    }
    const Conv2d<Exact> conv(exact, {.in = 2, .out = 3, .bias = false}, random);
    const BatchNorm2d<Exact> norm(exact, 3);
    Pass<Exact> pass(exact);
    const Variable<Exact> grey(random_values(exact, {1, 4, 4, 1}, random));
    CHECK(error_of<ShapeError>([&] { convolve_and_normalise(conv, norm, Activation::relu, grey, pass); }) ==
          "convolve: the input (1, 4, 4, 1) has 1 channels, the weights (3, 3, 2, 3) take 2");
}

TEST_CASE("gradients of a block, trained or frozen") {
    Exact exact;
    Random random{6};
    ConvBlock<Exact> block(exact, 2, 3, random);
    const Values x = random_values(exact, {2, 4, 4, 2}, random);
    for (const Statistics statistics : {Statistics::batch, Statistics::running}) {
        std::vector<std::pair<std::string, Parameter<Exact>*>> parameters;
        visit_parameters(block, [&](const std::string& name, auto& p) { parameters.emplace_back(name, &p); });
        const Report report = check_parameter_gradients(
            "block",
            [&](Tape<Exact>& tape) {
                Pass<Exact> pass(tape, statistics);
                return block(pass.input(x), pass);
            },
            parameters);
        INFO(report);
        CHECK(report.passed);
        CHECK(parameters.size() == 6);
    }
}
