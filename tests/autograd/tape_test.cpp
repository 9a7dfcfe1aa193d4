#include <algorithm>
#include <vector>

#include <mtdn/autograd/convolution.hpp>
#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/frames.hpp>
#include <mtdn/autograd/normalisation.hpp>
#include <mtdn/autograd/resizing.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;

/// Convolution, normalisation, ReLU and a skip connection: what a backbone is made of.
struct Net {
    Exact exact;
    Random random{5};
    Parameter<Exact> first{exact, {3, 3, 2, 3}, ParameterKind::convolution},
        last{exact, {1, 1, 5, 2}, ParameterKind::convolution};
    Parameter<Exact> weight{exact, vector_shape(3), ParameterKind::vector},
        bias{exact, vector_shape(3), ParameterKind::vector};
    RunningStatistics<Exact> running{exact, 3};

    Net() {
        for (auto* p : {&first, &last, &weight, &bias}) {
            p->value = random_values(exact, p->value.shape(), random);
            p->gradient = Values(exact, p->value.shape());
            exact.fill(p->gradient, 0);
        }
    }
    X operator()(const X& x, Pass<Exact>& pass) const {
        const auto normal = batch_normalise(convolve(x, first, nullptr, {3, 1, 1}), weight, bias, running, 1e-5, 0.1,
                                            Activation::relu, pass);
        return convolve(concat(normal, x), last, nullptr, {1, 1, 0});
    }
    std::vector<double> gradients() {
        std::vector<double> all;
        for (const auto* p : {&first, &last, &weight, &bias}) {
            const auto gradient = download(p->gradient);
            all.insert(all.end(), gradient.begin(), gradient.end());
            exact.fill(p->gradient, 0);
        }
        return all;
    }
    Values frame() { return random_values(exact, {1, 4, 4, 2}, random); }
};

std::vector<double> plus(std::vector<double> a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
}

}  // namespace

TEST_CASE("every call has its own place: one net on 2 frames and on 40 gives the sum of the calls' gradients") {
    for (const int count : {2, 40}) {
        Net net;
        std::vector<Values> frames;
        for (int i = 0; i < count; ++i) frames.push_back(net.frame());
        std::vector<double> expected;
        for (const auto& frame : frames) {
            Tape<Exact> tape(net.exact);
            Pass<Exact> pass(tape);
            const X y = net(pass.input(frame), pass);
            tape.backward(sum(multiply(y, y)));
            const auto gradient = net.gradients();
            expected = expected.empty() ? gradient : plus(expected, gradient);
        }
        Tape<Exact> tape(net.exact);
        Pass<Exact> pass(tape);
        X total;
        for (const auto& frame : frames) {
            const X y = net(pass.input(frame), pass);
            const X part = sum(multiply(y, y));
            total = total.empty() ? part : add(total, part);
        }
        tape.backward(total);
        const auto gradient = net.gradients();
        CHECK(largest(expected) > 0.1);
        // The sums are taken in another order.
        CHECK(distance(gradient, expected) < 1e-11 * largest(expected));
    }
}

TEST_CASE("gradients of parameters are added to, and scaled by the factor of the loss") {
    Net net;
    const Values frame = net.frame();
    Tape<Exact> tape(net.exact);
    const auto step = [&](double factor) {
        Pass<Exact> pass(tape);
        tape.backward(sum(net(pass.input(frame), pass)), factor);
    };
    step(1);
    const auto once = net.gradients();
    step(1);
    step(0.5);
    const auto added = net.gradients();
    REQUIRE(largest(once) > 0);
    for (std::size_t i = 0; i < once.size(); ++i) CHECK(added[i] == Approx(1.5 * once[i]).margin(1e-13));
}

TEST_CASE("a parameter that is not trainable, or has no gradient, gets none") {
    Net net;
    Tape<Exact> tape(net.exact);
    net.first.trainable = false;
    net.last.gradient = {};
    Pass<Exact> pass(tape);
    tape.backward(sum(net(pass.input(net.frame()), pass)));
    CHECK(largest(download(net.first.gradient)) == 0);
    CHECK(largest(download(net.bias.gradient)) > 0);
}

TEST_CASE("a recording is walked once") {
    Net net;
    Tape<Exact> tape(net.exact);
    Pass<Exact> pass(tape);
    const X loss = sum(net(pass.input(net.frame()), pass));
    CHECK(tape.size() > 0);
    tape.backward(loss);
    CHECK(tape.size() == 0);
    const auto gradient = net.gradients();
    CHECK(error_of<Error>([&] { tape.backward(loss); }).find("a recording is walked once") != std::string::npos);
    CHECK(largest(net.gradients()) == 0);
    Tape<Exact> other(net.exact);
    CHECK(error_of<Error>([&] { other.backward(loss); }).find("not of this tape") != std::string::npos);
    CHECK(error_of<ShapeError>([&] { tape.backward(pass.input(net.frame())); }).find("one number") !=
          std::string::npos);
}

TEST_CASE("values of an earlier recording, or of another tape, are refused where a gradient would go astray") {
    Exact exact;
    Tape<Exact> tape(exact), other(exact);
    std::vector<double> ga, gb;
    const Values one = values(exact, vector_shape(1), {3});
    const X a = leaf(tape, one, ga), b = leaf(other, one, gb);
    CHECK(error_of<Error>([&] { add(a, b); }).find("different tapes") != std::string::npos);
    CHECK(error_of<Error>([&] { concat(a, b); }).find("different tapes") != std::string::npos);
    tape.backward(scale(a, 2));
    CHECK(ga == std::vector<double>{2});
    CHECK(error_of<Error>([&] { scale(a, 2); }).find("earlier recording") != std::string::npos);
    CHECK(error_of<Error>([&] { concat(b, a); }).find("earlier recording") != std::string::npos);
    CHECK(numbers(scale(X(value_of(a)), 2)) == std::vector<double>{6});
    other.clear();
}

TEST_CASE("a loss that depends on no parameter is no error, and nothing is recorded without need") {
    Exact exact;
    Tape<Exact> tape(exact);
    Pass<Exact> pass(tape);
    const X x = pass.input(values(exact, vector_shape(1), {2}));
    const X loss = multiply(relu(x), x);
    CHECK(tape.size() == 0);
    tape.backward(loss);
    CHECK(numbers(loss) == std::vector<double>{4});
}

TEST_CASE("the tape's memory is used again: equal steps need no more memory, and no more of the backend's") {
    Net net;
    Tape<Exact> tape(net.exact);
    const Values frame = net.frame();
    const auto step = [&] {
        Pass<Exact> pass(tape);
        X total = sum(net(pass.input(frame), pass));
        for (int i = 0; i < 200; ++i) total = add(total, sum(net(pass.input(frame), pass)));  // several chunks of nodes
        std::vector<const void*> addresses;
        for (const auto& part : total.parts()) addresses.push_back(part.tensor.data());
        tape.backward(total);
        return addresses;
    };
    step();
    const auto in_use = net.exact.memory().in_use(), peak = net.exact.memory().peak();
    for (int i = 0; i < 3; ++i) step();
    CHECK(net.exact.memory().in_use() == in_use);
    CHECK(net.exact.memory().peak() == peak);
}

TEST_CASE("the way back frees what each node kept as it goes, and clear frees all") {
    Exact exact;
    const auto base = exact.memory().in_use();
    {
        Tape<Exact> tape(exact);
        std::vector<double> gradient;
        {
            X x = leaf(tape, values(exact, {1, 8, 8, 4}, std::vector<double>(256, 0.5)), gradient);
            for (int i = 0; i < 10; ++i) x = activate(x, Activation::tanh);
            CHECK(exact.memory().in_use() > base + 10 * 256 * sizeof(double));
        }
        tape.clear();
        CHECK(exact.memory().in_use() == base);
    }
}

TEST_CASE("what waits in bfloat16 takes less memory and changes the gradients a little, the way forth not at all") {
    struct Result {
        std::vector<double> loss, gradients;
        std::size_t kept = 0;
    };
    // Convolutions and normalisations one behind the other, one of them with a skip connection around it.
    const auto run = [](Precision precision) {
        Net net;
        Parameter<Exact> between{net.exact, {3, 3, 3, 3}, ParameterKind::convolution};
        between.value = random_values(net.exact, between.value.shape(), net.random);
        between.gradient = Values(net.exact, between.value.shape());
        net.exact.fill(between.gradient, 0);
        const Values frame = random_values(net.exact, {2, 8, 8, 2}, net.random);
        Tape<Exact> tape(net.exact, precision);
        Pass<Exact> pass(tape);
        const auto normal = [&](const X& x) {
            return batch_normalise(x, net.weight, net.bias, net.running, 1e-5, 0.1, Activation::relu, pass);
        };
        Result result;
        X loss;
        {
            X x = normal(convolve(pass.input(frame), net.first, nullptr, {3, 1, 1}));
            for (int i = 0; i < 4; ++i) x = normal(convolve(max_pool(x, {1, 1, 0}), between, nullptr, {3, 1, 1}));
            x = concat(normal(convolve(x, between, nullptr, {3, 1, 1})), pass.input(frame));
            x = convolve(x, net.last, nullptr, {1, 1, 0});
            loss = sum(multiply(x, x));
        }
        result.kept = net.exact.memory().in_use();
        result.loss = numbers(loss);
        tape.backward(loss);
        result.gradients = net.gradients();
        const auto more = download(between.gradient);
        result.gradients.insert(result.gradients.end(), more.begin(), more.end());
        return result;
    };
    const Result exact = run(Precision::single), rounded = run(Precision::bfloat16);
    CHECK(rounded.loss == exact.loss);
    CHECK(rounded.kept < exact.kept / 2);  // a quarter of the doubles that are rounded, and what is not
    const double apart = distance(rounded.gradients, exact.gradients) / largest(exact.gradients);
    CHECK(apart > 1e-6);
    CHECK(apart < 0.05);  // one rounding is 2^-9 at most; six layers of it, and a ReLU or two that switch
}

TEST_CASE("a bias learns where its convolution's weights do not") {
    Exact exact;
    Random random{3};
    Tape<Exact> tape(exact);
    Pass<Exact> pass(tape);
    Parameter<Exact> weight{exact, {3, 3, 2, 3}, ParameterKind::convolution},
        bias{exact, vector_shape(3), ParameterKind::vector};
    weight.value = random_values(exact, weight.value.shape(), random);
    bias.value = random_values(exact, vector_shape(3), random);
    bias.gradient = values(exact, vector_shape(3), {0, 0, 0});
    tape.backward(sum(convolve(pass.input(random_values(exact, {1, 4, 5, 2}, random)), weight, &bias, {3, 1, 1})));
    CHECK(download(bias.gradient) == std::vector<double>{20, 20, 20});
}
