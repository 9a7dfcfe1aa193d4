#include <cmath>
#include <span>
#include <vector>

#include <mtdn/optim/adamw.hpp>
#include <mtdn/optim/clip.hpp>
#include <mtdn/optim/sgd.hpp>
#include <mtdn/optim/testing/archetypes.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;

static_assert(Optimizer<AdamW<Exact>, Exact> && Optimizer<Sgd<Exact>, Exact> && Optimizer<AnyOptimizer<Exact>, Exact>);
static_assert(!Optimizer<int, Exact> && !Optimizer<AdamW<Reference<float>>, Exact>);

struct Training {
    Exact exact;
    Values p, g;

    explicit Training(std::size_t count = 2) : p(exact, vector_shape(static_cast<Index>(count))), g(exact, p.shape()) {}

    /// One step with these gradients; the values after it.
    std::vector<double> step(auto& optimizer, const std::vector<double>& gradient, double rate,
                             std::vector<ParameterGroup> groups = {}) {
        upload(std::span<const double>(gradient), g);
        if (groups.empty()) groups.push_back({0, p.shape().channels});
        optimizer.step(p, g, groups, rate);
        return download(p);
    }
    void start(const std::vector<double>& values) { upload(std::span<const double>(values), p); }
};

}  // namespace

TEST_CASE("AdamW: three steps by hand") {
    Training training;
    training.start({1, -2});
    AdamW<Exact> optimizer({.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .decay = 0.1});
    const std::vector<std::vector<double>> gradients{{0.5, -1}, {0.25, 3}, {-1, 0}};
    std::vector<double> w{1, -2}, m{0, 0}, v{0, 0};
    const double rate = 0.05;
    for (int t = 1; t <= 3; ++t) {
        const auto& g = gradients[static_cast<std::size_t>(t - 1)];
        for (std::size_t i = 0; i < 2; ++i) {
            m[i] = 0.8 * m[i] + 0.2 * g[i];
            v[i] = 0.9 * v[i] + 0.1 * g[i] * g[i];
            const double m_hat = m[i] / (1 - std::pow(0.8, t)), v_hat = v[i] / (1 - std::pow(0.9, t));
            w[i] -= rate * (m_hat / (std::sqrt(v_hat) + 1e-3) + 0.1 * w[i]);
        }
        CHECK(distance(training.step(optimizer, g, rate), w) < by_rounding);
    }
}

TEST_CASE("AdamW's first step is the rate against the gradient's sign, whatever its size, besides the decay") {
    Training training(3);
    training.start({1, 1, 1});
    AdamW<Exact> optimizer;
    // ε = 1e-8 in the denominator is a millionth of the smallest gradient.
    const auto after = training.step(optimizer, {1e-2, -7, 0}, 1e-3);
    CHECK(distance(after, {1 - 1e-3 - 1e-5, 1 + 1e-3 - 1e-5, 1 - 1e-5}) < 1e-8);
}

TEST_CASE("decay is decoupled: it is the rate times the decay of the value, and adds nothing to the moments") {
    Training training(1);
    training.start({10});
    AdamW<Exact> optimizer({.decay = 0.5});
    CHECK(training.step(optimizer, {0}, 0.1).front() == Approx(10 * (1 - 0.05)));
    const auto state = optimizer.state(training.p);
    REQUIRE(state.tensors.size() == 2);
    CHECK(state.tensors[0].first == "first_moment");
    CHECK(state.tensors[1].first == "second_moment");
    CHECK(download(state.tensors[0].second) == std::vector<double>{0});
    CHECK(*state.step == 1);
}

TEST_CASE("stochastic gradient descent: closed forms as PyTorch has them") {
    struct Row {
        SgdOptions options;
        double first, second;  // values after two steps of rate 0.1 with gradients 1 and 2, from 1
    };
    const std::vector<Row> rows{
        {{}, 0.9, 0.7},
        {{.momentum = 0.5}, 0.9, 0.9 - 0.1 * (0.5 * 1 + 2)},
        {{.momentum = 0.5, .nesterov = true}, 1 - 0.1 * (1 + 0.5 * 1), 0.85 - 0.1 * (2 + 0.5 * 2.5)},
        {{.decay = 0.2}, 1 - 0.1 * 1.2, 0.88 - 0.1 * (2 + 0.2 * 0.88)},
    };
    for (const auto& row : rows) {
        Training training(1);
        training.start({1});
        Sgd<Exact> optimizer(row.options);
        CHECK(training.step(optimizer, {1}, 0.1).front() == Approx(row.first).epsilon(1e-14));
        CHECK(training.step(optimizer, {2}, 0.1).front() == Approx(row.second).epsilon(1e-14));
    }
}

TEST_CASE("groups have their own rates and decays; what is in none stays") {
    const std::vector<ParameterGroup> groups{{0, 2, 1, 1}, {2, 1, 0.5, 0}, {4, 1, 0, 1}};
    const std::vector<double> start{1, 1, 1, 1, 1}, gradient{1, 0, 1, 1, 1};
    Training training(5);
    SECTION("SGD") {
        training.start(start);
        Sgd<Exact> optimizer({.decay = 0.5});
        const auto after = training.step(optimizer, gradient, 0.1, groups);
        CHECK(distance(after, {1 - 0.15, 1 - 0.05, 1 - 0.05, 1, 1}) < by_rounding);
    }
    SECTION("AdamW") {
        training.start(start);
        AdamW<Exact> optimizer({.decay = 0.5});
        const auto after = training.step(optimizer, gradient, 0.1, groups);
        CHECK(distance(after, {1 - 0.1 - 0.05, 1 - 0.05, 1 - 0.05, 1, 1}) < 1e-8);  // by ε
    }
}

TEST_CASE("an optimizer goes on from a state that was written into it") {
    Training whole, parted;
    const std::vector<std::vector<double>> gradients{{1, 2}, {-1, 0.5}, {3, 3}};
    for (auto* training : {&whole, &parted}) training->start({1, -1});
    AdamW<Exact> optimizer, resumed;
    for (int i = 0; i < 2; ++i) whole.step(optimizer, gradients[static_cast<std::size_t>(i)], 0.1);
    parted.start(download(whole.p));
    const auto from = optimizer.state(whole.p), to = resumed.state(parted.p);
    for (std::size_t i = 0; i < from.tensors.size(); ++i) {
        REQUIRE(from.tensors[i].first == to.tensors[i].first);
        const auto values = download(from.tensors[i].second);
        upload(std::span<const double>(values), to.tensors[i].second);
    }
    *to.step = *from.step;
    CHECK(parted.step(resumed, gradients[2], 0.1) == whole.step(optimizer, gradients[2], 0.1));
}

TEST_CASE("SGD keeps a velocity only where there is momentum") {
    Training training;
    CHECK(Sgd<Exact>().state(training.p).tensors.empty());
    Sgd<Exact> heavy({.momentum = 0.9});
    CHECK(heavy.state(training.p).tensors.front().first == "velocity");
}

TEST_CASE("an optimizer that is chosen at run time does what it holds does") {
    Training a, b, c;
    for (auto* training : {&a, &b, &c}) training->start({1, -1});
    AdamW<Exact> adamw;
    AnyOptimizer<Exact> any_adamw{AdamW<Exact>()}, any_smallest{OptimizerArchetype<Exact>()};
    CHECK(a.step(adamw, {1, 2}, 0.1) == b.step(any_adamw, {1, 2}, 0.1));
    CHECK(*any_adamw.state(b.p).step == 1);
    CHECK(distance(c.step(any_smallest, {1, 2}, 0.1), {0.9, -1.2}) < by_rounding);
    CHECK(any_smallest.state(c.p).tensors.empty());
}

TEST_CASE("options out of range are refused") {
    CHECK_THROWS_AS(AdamW<Exact>({.beta1 = 1}), OptionError);
    CHECK_THROWS_AS(AdamW<Exact>({.beta2 = -0.1}), OptionError);
    CHECK_THROWS_AS(AdamW<Exact>({.epsilon = 0}), OptionError);
    CHECK_THROWS_AS(AdamW<Exact>({.decay = -1}), OptionError);
    CHECK_THROWS_AS(Sgd<Exact>({.momentum = -1}), OptionError);
    CHECK(error_of<OptionError>([] { Sgd<Exact>({.nesterov = true}); }).find("Nesterov needs momentum") !=
          std::string::npos);
}

TEST_CASE("clipping scales a gradient that is too long, and returns its length before") {
    Exact exact;
    const Values g = values(exact, vector_shape(3), {3, 0, -4});
    CHECK(clip_gradients(g, 6) == Approx(5));
    CHECK(download(g) == std::vector<double>{3, 0, -4});
    CHECK(clip_gradients(g, 1) == Approx(5));
    CHECK(distance(download(g), {0.6, 0, -0.8}) < by_rounding);
    CHECK(error_of<OptionError>([&] { clip_gradients(g, 0); }) == "clip_gradients: the limit must be positive, got 0");
}
