#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/normalisation.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;

TEST_CASE("concat copies nothing: its parts are the operands' own memory") {
    Exact exact;
    Random random{1};
    const Values a = random_values(exact, {2, 3, 2, 1}, random), b = random_values(exact, {2, 3, 2, 4}, random);
    const auto before = exact.memory().in_use();
    const X both = concat(X(a), X(b), X(a));
    CHECK(exact.memory().in_use() == before);
    CHECK(both.shape() == Shape{2, 3, 2, 6});
    REQUIRE(both.parts().size() == 3);
    CHECK(both.parts()[0].tensor.data() == a.data());
    CHECK(both.parts()[1].tensor.data() == b.data());
    CHECK(both.parts()[2].tensor.data() == a.data());

    const auto all = numbers(both), va = download(a), vb = download(b);
    for (std::size_t pixel = 0; pixel < 12; ++pixel) {
        CHECK(all[pixel * 6] == va[pixel]);
        CHECK(all[pixel * 6 + 5] == va[pixel]);
        for (std::size_t c = 0; c < 4; ++c) CHECK(all[pixel * 6 + 1 + c] == vb[pixel * 4 + c]);
    }
}

TEST_CASE("a plain variable's value is its tensor; a constant is on no tape") {
    Exact exact;
    const Values a = values(exact, {1, 1, 2, 1}, {1, 2});
    const X x(a);
    CHECK(x.is_plain());
    CHECK(x.tape() == nullptr);
    CHECK_FALSE(x.needs_gradient());
    CHECK(value_of(x).data() == a.data());
    CHECK(materialise(x).parts().front().tensor.data() == a.data());
}

TEST_CASE("batch normalisation writes no tensor of the input's size; its reader applies what is pending") {
    Exact exact;
    const Values x = values(exact, {2, 1, 2, 1}, {1, 3, 5, 7});  // mean 4, variance 5
    Parameter<Exact> weight(exact, vector_shape(1), ParameterKind::vector), bias = weight;
    weight.value = values(exact, vector_shape(1), {2});
    bias.value = values(exact, vector_shape(1), {0.5});
    const RunningStatistics<Exact> running(exact, 1);
    Tape<Exact> tape(exact);
    Pass<Exact> pass(tape);
    const X y = batch_normalise(pass.input(x), weight, bias, running, 0, 0.1, Activation::relu, pass);
    REQUIRE(y.parts().size() == 1);
    CHECK(y.parts().front().tensor.data() == x.data());
    CHECK(y.parts().front().pending);
    CHECK_FALSE(y.is_plain());
    const double s = 2 / std::sqrt(5.0);
    CHECK(distance(numbers(y), {0, 0, 0.5 + s, 0.5 + 3 * s}) < by_rounding);
    CHECK(distance(numbers(materialise(y)), numbers(y)) == 0);
    CHECK(download(x) == std::vector<double>{1, 3, 5, 7});
}
