#include <sstream>
#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/testing/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;

/// x², its way back too large by a factor.
X wrong_square(const X& x, double factor) {
    return record_result<Exact>(x.tape(), x.needs_gradient(), value_of(multiply(x, x)),
                                [x, factor](Tape<Exact>& tape, const Values& dy) {
                                    Values dx(tape.backend(), dy.shape());
                                    tape.backend().multiply(dy, value_of(x), dx);
                                    tape.backend().scale(dx, 2 * factor);
                                    add_gradient(tape, x, dx);
                                });
}

struct Point {
    Exact exact;
    Random random{4};
    std::vector<Values> x{random_values(exact, {1, 4, 5, 2}, random)};
};

}  // namespace

TEST_CASE_METHOD(Point, "a right way back passes, one wrong by a thousandth does not") {
    const auto before = download(x[0]);
    const auto right = check_gradients("square", [](const auto& v) { return wrong_square(v[0], 1); }, x);
    CHECK(right.passed);
    CHECK(right.failures.empty());
    const auto wrong = check_gradients("square", [](const auto& v) { return wrong_square(v[0], 1.001); }, x);
    CHECK_FALSE(wrong.passed);
    REQUIRE(wrong.failures.size() == 1);
    CHECK(wrong.failures[0].find("gradient by input 0 (1, 4, 5, 2)") == 0);
    CHECK(download(x[0]) == before);
    std::ostringstream text;
    text << right << '\n' << wrong;
    CHECK(text.str().find("square: passed\nsquare: failed\n  - gradient by input 0") == 0);
}

TEST_CASE_METHOD(Point, "a gradient that never arrives does not pass") {
    const auto report = check_gradients("constant", [](const auto& v) {
        return add(v[0], X(value_of(multiply(v[0], v[0]))));
    }, x);
    CHECK_FALSE(report.passed);
}

TEST_CASE_METHOD(Point, "a kink nearer than the first step is stepped over by a smaller one") {
    x[0] = values(exact, {1, 1, 2, 1}, {3e-6, -0.5});
    CHECK(check_gradients("relu", [](const auto& v) { return relu(v[0]); }, x).passed);
}

TEST_CASE_METHOD(Point, "parameters' gradients are compared, those not trainable left out, all put back") {
    Parameter<Exact> used(exact, vector_shape(3), ParameterKind::vector), fixed = used;
    used.value = random_values(exact, vector_shape(3), random);
    fixed.value = random_values(exact, vector_shape(3), random);
    fixed.trainable = false;
    // A parameter enters as a leaf whose gradient goes to the parameter.
    const auto entered = [](const Parameter<Exact>& p, Tape<Exact>& tape, double factor) {
        return record_result<Exact>(&tape, p.wants_gradient(), p.value, [p, factor](Tape<Exact>& t, const Values& dy) {
            t.backend().combine(1, p.gradient, factor, dy, p.gradient);
        });
    };
    const auto check = [&](double factor) {
        return check_parameter_gradients<Exact>(
            "product",
            [&](Tape<Exact>& tape) { return multiply(entered(used, tape, factor), entered(fixed, tape, 1)); },
            {{"used", &used}, {"fixed", &fixed}});
    };
    const auto before = download(used.value);
    CHECK(check(1).passed);
    const auto wrong = check(-1);
    REQUIRE(wrong.failures.size() == 1);
    CHECK(wrong.failures[0].find("gradient by used") == 0);
    CHECK(download(used.value) == before);
    CHECK(used.gradient.empty());
}
