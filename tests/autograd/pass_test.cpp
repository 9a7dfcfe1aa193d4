#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/normalisation.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;

struct Normalisation {
    Exact exact;
    Random random{2};
    Tape<Exact> tape{exact};
    Parameter<Exact> weight{exact, vector_shape(2), ParameterKind::vector},
        bias{exact, vector_shape(2), ParameterKind::vector};
    RunningStatistics<Exact> running{exact, 2};
    Values x = random_values(exact, {4, 3, 3, 2}, random, -1, 3);

    Normalisation() {
        weight.value = random_values(exact, vector_shape(2), random);
        bias.value = random_values(exact, vector_shape(2), random);
        for (auto* p : {&weight, &bias}) {
            p->gradient = Values(exact, vector_shape(2));
            exact.fill(p->gradient, 0);
        }
    }
    X run(const X& input, Pass<Exact>& pass) {
        return batch_normalise(input, weight, bias, running, 1e-5, 0.1, Activation::relu, pass);
    }
    std::vector<double> state() {
        auto all = download(running.mean);
        for (const double value : download(running.variance)) all.push_back(value);
        all.push_back(static_cast<double>(*running.batches));
        return all;
    }
};

}  // namespace

TEST_CASE_METHOD(Normalisation, "a forward pass is repeatable and changes nothing until commit") {
    const auto before = state();
    Pass<Exact> pass(tape);
    const auto first = numbers(run(pass.input(x), pass));
    CHECK(state() == before);
    const auto second = numbers(run(pass.input(x), pass));
    CHECK(second == first);
    CHECK(state() == before);
    {
        Pass<Exact> dropped(tape);
        run(dropped.input(x), dropped);
    }
    CHECK(state() == before);
    pass.commit();
    const auto after = state();
    CHECK(after != before);
    CHECK(after.back() == 2);
    pass.commit();  // nothing is staged any more
    CHECK(state() == after);
}

TEST_CASE_METHOD(Normalisation, "running statistics are updated once a group, in order, by the unbiased variance") {
    Pass<Exact> pass(tape);
    pass.set_groups(2);
    run(pass.input(x), pass);
    pass.commit();
    const auto v = download(x);
    std::vector<double> expected{0, 0, 1, 1, 2};
    for (std::size_t group = 0; group < 2; ++group)
        for (std::size_t c = 0; c < 2; ++c) {
            double mean = 0, squares = 0;
            for (std::size_t i = 0; i < 18; ++i) mean += v[(group * 18 + i) * 2 + c] / 18;
            for (std::size_t i = 0; i < 18; ++i) squares += std::pow(v[(group * 18 + i) * 2 + c] - mean, 2);
            expected[c] = 0.9 * expected[c] + 0.1 * mean;
            expected[2 + c] = 0.9 * expected[2 + c] + 0.1 * squares / 17;
        }
    CHECK(distance(state(), expected) < by_rounding);
}

TEST_CASE_METHOD(Normalisation, "two groups are two separate calls, one group is not") {
    const auto run_all = [&](Index groups, Index calls) {
        Pass<Exact> pass(tape);
        pass.set_groups(groups);
        std::vector<double> result;
        X total;
        for (Index call = 0; call < calls; ++call) {
            const X y = run(pass.input(x.frames(call * 4 / calls, 4 / calls)), pass);
            const auto part = numbers(y);
            result.insert(result.end(), part.begin(), part.end());
            const X loss = sum(multiply(y, y));
            total = total.empty() ? loss : add(total, loss);
        }
        tape.backward(total);
        pass.commit();
        for (auto* p : {&weight, &bias}) {
            for (const double value : download(p->gradient)) result.push_back(value);
            exact.fill(p->gradient, 0);
        }
        for (const double value : state()) result.push_back(value);
        running = RunningStatistics<Exact>(exact, 2);
        return result;
    };
    const auto together = run_all(2, 1), apart = run_all(1, 2), stacked = run_all(1, 1);
    CHECK(distance(together, apart) < by_rounding * largest(apart));
    CHECK(distance(stacked, apart) > 1e-3);
}

TEST_CASE_METHOD(Normalisation, "running statistics are used as they stand, and stay so") {
    running.mean = values(exact, vector_shape(2), {0.5, -1});
    running.variance = values(exact, vector_shape(2), {4, 0.25});
    const auto before = state();
    const auto v = download(x), w = download(weight.value), b = download(bias.value);
    std::vector<double> expected;
    for (std::size_t i = 0; i < v.size(); ++i) {
        const double mean = i % 2 ? -1 : 0.5, variance = i % 2 ? 0.25 : 4;
        expected.push_back(std::max(0.0, (v[i] - mean) / std::sqrt(variance + 1e-5) * w[i % 2] + b[i % 2]));
    }
    Pass<Exact> evaluation(exact), frozen(tape, Statistics::running);
    frozen.set_groups(3);  // does not divide 4, and does not matter
    for (Pass<Exact>* pass : {&evaluation, &frozen}) {
        CHECK(distance(numbers(run(pass->input(x), *pass)), expected) < by_rounding);
        pass->commit();
        CHECK(state() == before);
    }
}

TEST_CASE_METHOD(Normalisation, "frames that cannot be cut into the groups are an error") {
    Pass<Exact> pass(tape);
    pass.set_groups(3);
    CHECK(error_of<ShapeError>([&] { run(pass.input(x), pass); }) ==
          "batch_normalise: 4 frames cannot be cut into 3 equal groups");
    CHECK(error_of<ShapeError>([&] {
              run(pass.input(Values(exact, {1, 2, 2, 3})), pass);
          }) == "batch_normalise: the input (1, 2, 2, 3) has 3 channels, the weights 2");
}

TEST_CASE("what a pass says") {
    Exact exact;
    Tape<Exact> tape(exact);
    const Pass<Exact> evaluation(exact), training(tape);
    CHECK(evaluation.tape() == nullptr);
    CHECK(evaluation.statistics() == Statistics::running);
    CHECK(training.tape() == &tape);
    CHECK(training.statistics() == Statistics::batch);
    CHECK(training.groups() == 1);
}
