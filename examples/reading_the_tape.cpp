// Reverse-mode differentiation step by step: the program of docs/tutorial/reading_the_tape.md.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <numeric>
#include <utility>
#include <vector>

#include <mtdn/autograd/convolution.hpp>
#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/normalisation.hpp>
#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/reference.hpp>

using mtdn::Backend;
using mtdn::Tape;
using mtdn::Tensor;
using mtdn::Variable;
using Exact = mtdn::Reference<double>;
using Single = mtdn::Reference<float>;

//[leaf
// A value that a gradient is wanted of; it arrives at `gradient` on the way back.
template <Backend B>
Variable<B> leaf(Tape<B>& tape, Tensor<B> value, std::vector<typename B::Scalar>& gradient) {
    const auto place = tape.new_place();
    tape.record(place, [&gradient](Tape<B>&, const Tensor<B>& d) { gradient = mtdn::download(d); });
    return {std::move(value), &tape, place};
}
//]

//[told
// x itself; it tells its value on the way forth and its gradient on the way back.
template <Backend B>
Variable<B> told(const char* name, const Variable<B>& x) {
    std::printf("-> %-11s is %g\n", name, mtdn::number_in(mtdn::value_of(x)));
    return mtdn::record_result<B>(x.tape(), x.needs_gradient(), mtdn::value_of(x),
                                  [name, places = mtdn::GradientPlaces<B>(x)](Tape<B>& tape, const Tensor<B>& d) {
                                      std::printf("<- %-11s gets %g\n", name, mtdn::number_in(d));
                                      places.add(tape, d);
                                  });
}
//]

//[own
// e^x, element by element. The slope of e^x is e^x: the way back wants the result and not x.
template <Backend B>
Variable<B> exponential(const Variable<B>& x) {
    auto numbers = mtdn::download(mtdn::value_of(x));
    for (auto& number : numbers) number = std::exp(number);
    Tensor<B> y(x.backend(), x.shape());
    mtdn::upload(std::span<const typename B::Scalar>(numbers), y);
    return mtdn::record_result<B>(x.tape(), x.needs_gradient(), y,
                                  [places = mtdn::GradientPlaces<B>(x), y](Tape<B>& tape, const Tensor<B>& dy) {
                                      const Tensor<B> dx(tape.backend(), y.shape());
                                      tape.backend().multiply(dy, y, dx);
                                      places.add(tape, dx);
                                  });
}
//]

//[careless
// x², with a slip: the slope is 2x.
template <Backend B>
Variable<B> careless_square(const Variable<B>& x) {
    Tensor<B> y(x.backend(), x.shape());
    x.backend().multiply(mtdn::value_of(x), mtdn::value_of(x), y);
    return mtdn::record_result<B>(x.tape(), x.needs_gradient(), y, [x](Tape<B>& tape, const Tensor<B>& dy) {
        const Tensor<B> dx(tape.backend(), dy.shape());
        tape.backend().multiply(dy, mtdn::value_of(x), dx);
        mtdn::add_gradient(tape, x, dx);
    });
}
//]

// The sum of all elements.
template <Backend B>
Variable<B> total(const Variable<B>& x) {
    const auto numbers = mtdn::download(mtdn::value_of(x));
    Tensor<B> y(x.backend(), mtdn::vector_shape(1));
    x.backend().fill(y, std::accumulate(numbers.begin(), numbers.end(), 0.0));
    return mtdn::record_result<B>(
        x.tape(), x.needs_gradient(), y,
        [places = mtdn::GradientPlaces<B>(x), shape = x.shape()](Tape<B>& tape, const Tensor<B>& dy) {
            const Tensor<B> dx(tape.backend(), shape);
            tape.backend().fill(dx, mtdn::number_in(dy));
            places.add(tape, dx);
        });
}

template <Backend B>
Tensor<B> filled(B& backend, const mtdn::Shape& shape, double value) {
    const Tensor<B> tensor(backend, shape);
    backend.fill(tensor, value);
    return tensor;
}

Tensor<Exact> number(Exact& backend, double value) { return filled(backend, mtdn::vector_shape(1), value); }

// Parameters of a convolution of 16 channels and of a normalisation, all of which learn.
template <Backend B>
struct Layers {
    mtdn::Parameter<B> weight, scale, shift;
    mtdn::RunningStatistics<B> running;

    explicit Layers(B& backend)
        : weight(backend, {3, 3, 16, 16}, mtdn::ParameterKind::convolution),
          scale(backend, mtdn::vector_shape(16), mtdn::ParameterKind::vector),
          shift(backend, mtdn::vector_shape(16), mtdn::ParameterKind::vector), running(backend, 16) {
        for (auto* p : {&weight, &scale, &shift}) {
            backend.fill(p->value, p == &scale ? 1 : 0.01);
            p->gradient = filled(backend, p->value.shape(), 0);
        }
    }
    Variable<B> convolve(const Variable<B>& x) const { return mtdn::convolve(x, weight, nullptr, {3, 1, 1}); }
    Variable<B> normalise(const Variable<B>& x, Tape<B>& tape) const {
        mtdn::Pass<B> pass(tape);
        return mtdn::batch_normalise(x, scale, shift, running, 1e-5, 0.1, mtdn::Activation::relu, pass);
    }
};

//[kept
// KiB that wait for the way back when an operation has run and nobody holds its operand or result any more.
template <class Operation>
double kept(Operation&& operation, mtdn::Precision precision = mtdn::Precision::single) {
    Single backend;
    Layers<Single> layers(backend);
    Tape<Single> tape(backend, precision);
    std::vector<float> gradient;
    const auto before = backend.memory().in_use();
    operation(layers, leaf(tape, filled(backend, {1, 64, 64, 16}, 0.5), gradient), tape);
    return static_cast<double>(backend.memory().in_use() - before) / 1024;
}
//]

//[gradient_on
// The gradients of a normalisation's parameters: sums over 96 × 96 pixels.
std::vector<float> gradient_on(int threads) {
    mtdn::Cpu cpu({.threads = threads});
    Layers<mtdn::Cpu> layers(cpu);
    const Tensor<mtdn::Cpu> frame(cpu, {1, 96, 96, 16});
    std::vector<float> values(static_cast<std::size_t>(frame.shape().size()));
    mtdn::Random random{7};
    for (auto& value : values) value = static_cast<float>(random.uniform(-1, 1));
    mtdn::upload(std::span<const float>(values), frame);
    Tape<mtdn::Cpu> tape(cpu);
    const auto y = layers.normalise({frame, &tape, Tape<mtdn::Cpu>::no_place}, tape);
    tape.backward(total(mtdn::multiply(y, y)));
    return mtdn::download(layers.scale.gradient);
}
//]

//[recomputed
// f(x), for the sake of which nothing waits but x: on the way back f is run again, on a tape of its own.
template <Backend B, class F>
Variable<B> recomputed(const Variable<B>& x, F f) {
    const Tensor<B> y = mtdn::value_of(f(Variable<B>(mtdn::value_of(x))));  // on no tape
    return mtdn::record_result<B>(x.tape(), true, y, [x, f](Tape<B>& tape, const Tensor<B>& dy) {
        Tape<B> again(tape.backend());
        const auto place = again.new_place();
        again.record(place, [&](Tape<B>&, const Tensor<B>& dx) { mtdn::add_gradient(tape, x, dx); });
        const auto result = f(Variable<B>(mtdn::value_of(x), &again, place));
        const Tensor<B> one(tape.backend(), mtdn::vector_shape(1));
        again.backward(mtdn::record_result<B>(
            &again, true, one, [&dy, places = mtdn::GradientPlaces<B>(result)](Tape<B>& t, const Tensor<B>&) {
                places.add(t, dy);
            }));
    });
}
//]

//[greedy
// 2x, by a way back that writes to the gradient that it was given. It must not.
Variable<Exact> greedy_twice(const Variable<Exact>& x) {
    const Tensor<Exact> y(x.backend(), x.shape());
    x.backend().combine(2, mtdn::value_of(x), 0, mtdn::value_of(x), y);
    return mtdn::record_result<Exact>(
        x.tape(), x.needs_gradient(), y,
        [places = mtdn::GradientPlaces<Exact>(x)](Tape<Exact>& tape, const Tensor<Exact>& dy) {
            tape.backend().scale(dy, 2);
            places.add(tape, dy);
        });
}
//]

void read_the_tape() {
    //[toy
    Exact backend;
    Tape<Exact> tape(backend);
    std::vector<double> da, db;
    const auto a = leaf(tape, number(backend, 3), da);
    const auto b = leaf(tape, number(backend, 4), db);
    const auto y = told("y = a b", mtdn::multiply(a, b));
    const auto z = told("z = y + a", mtdn::add(y, a));
    const auto f = told("f = z z", mtdn::multiply(z, z));
    std::printf("%td operations\n", tape.size());
    tape.backward(f);
    std::printf("df/da = %g, df/db = %g\n", da[0], db[0]);
    //]
}

void differences() {
    Exact backend;
    //[differences
    const auto f = [&](double x) {
        return mtdn::number_in(mtdn::value_of(exponential(Variable<Exact>(number(backend, x)))));
    };
    for (double h = 0.1; h > 1e-13; h /= 100)
        std::printf("h = %.0e: off by %8.1e\n", h, (f(1 + h) - f(1 - h)) / (2 * h) - std::exp(1.0));
    //]
}

void checks() {
    Exact backend;
    //[check
    const auto x = filled(backend, {1, 2, 3, 4}, 0.7);
    const auto check = [&](const char* name, auto operation) {
        std::cout << mtdn::testing::check_gradients(
                         name, [&](const auto& inputs) { return operation(inputs[0]); }, std::vector{x})
                  << '\n';
    };
    check("exponential", [](const auto& v) { return exponential(v); });
    check("careless square", [](const auto& v) { return careless_square(v); });
    //]
}

void memory() {
    using L = Layers<Single>;
    using X = Variable<Single>;
    using T = Tape<Single>;
    //[memory
    const auto tell = [](const char* what, double kib) { std::printf("%-42s %6.0f KiB\n", what, kib); };
    tell("scale(x, 2)", kept([](const L&, const X& x, T&) { mtdn::scale(x, 2); }));
    tell("concat(x, x)", kept([](const L&, const X& x, T&) { mtdn::concat(x, x); }));
    tell("relu(x)", kept([](const L&, const X& x, T&) { mtdn::relu(x); }));
    tell("exponential(x)", kept([](const L&, const X& x, T&) { exponential(x); }));
    tell("convolve(x)", kept([](const L& l, const X& x, T&) { l.convolve(x); }));
    tell("convolve(x), weights frozen", kept([](L& l, const X& x, T&) { l.weight.trainable = false, l.convolve(x); }));
    tell("relu(normalise(x))", kept([](const L& l, const X& x, T& t) { l.normalise(x, t); }));
    tell("convolve(relu(normalise(convolve(x))))",
         kept([](const L& l, const X& x, T& t) { l.convolve(l.normalise(l.convolve(x), t)); }));
    const auto eight = [](const L& l, X x, T& t) {
        for (int i = 0; i < 8; ++i) x = l.normalise(l.convolve(x), t);
    };
    tell("relu(normalise(convolve(x))), eight times", kept(eight));
    tell("the same, kept in bfloat16", kept(eight, mtdn::Precision::bfloat16));
    //]
}

void threads() {
    //[threads
    const auto first = gradient_on(1);
    for (const int count : {1, 2, 3, 7}) {
        const auto gradient = gradient_on(count);
        std::printf("threads: %d, sum: %.9g, %s\n", count, gradient[0],
                    gradient == first ? "the same bits" : "OTHER BITS");
    }
    std::vector<float> terms(1000000);
    for (std::size_t i = 0; i < terms.size(); ++i) terms[i] = 1 / static_cast<float>(i + 1);
    std::printf("1 + 1/2 + 1/3 + ...: %.9g from the front, %.9g from the back\n",
                std::accumulate(terms.begin(), terms.end(), 0.0F), std::accumulate(terms.rbegin(), terms.rend(), 0.0F));
    //]
}

void answers() {
    Exact backend;
    Tape<Exact> tape(backend);
    {
        //[answer1
        std::vector<double> da;
        const auto a = leaf(tape, number(backend, 3), da);
        const auto f = told("f = (a a) a", mtdn::multiply(mtdn::multiply(a, a), a));
        tape.backward(f);
        std::printf("df/da = %g\n", da[0]);
        //]
        //[answer2
        try {
            tape.backward(f);
        } catch (const mtdn::Error& error) {
            std::cout << error.what() << '\n';
        }
        //]
    }
    //[answer3
    std::cout << mtdn::testing::check_gradients(
                     "relu at 0", [](const auto& inputs) { return mtdn::relu(inputs[0]); },
                     std::vector{filled(backend, {1, 1, 1, 3}, 0)})
              << '\n';
    //]
    {
        //[answer4
        std::vector<double> da, db;
        const auto a = leaf(tape, number(backend, 3), da);
        const auto b = leaf(tape, number(backend, 4), db);
        tape.backward(mtdn::add(greedy_twice(a), b));
        std::printf("d(2a + b)/da = %g, d(2a + b)/db = %g\n", da[0], db[0]);
        //]
    }
    //[answer5
    for (const bool again : {false, true}) {
        Single single;
        Layers<Single> layers(single);
        Tape<Single> step(single);
        std::vector<float> dx;
        const auto two = [&](const Variable<Single>& x) {
            return mtdn::relu(layers.convolve(mtdn::relu(layers.convolve(x))));
        };
        const auto before = single.memory().in_use();
        auto x = leaf(step, filled(single, {1, 64, 64, 16}, 0.5), dx);
        for (int i = 0; i < 3; ++i) x = again ? recomputed(x, two) : two(x);
        const auto loss = total(std::exchange(x, {}));
        const auto waiting = single.memory().in_use() - before;
        step.backward(loss);
        std::printf("%s: %4zu KiB wait, %4zu at most; dx %.9g, dw %.9g\n", again ? "run again" : "kept     ",
                    waiting / 1024, (single.memory().peak() - before) / 1024, dx[0],
                    mtdn::download(layers.weight.gradient)[0]);
    }
    //]
}

int main() {
    const auto show = [](const char* title, void (*part)()) {
        std::cout << '\n' << title << '\n';
        part();
    };
    show("the tape", read_the_tape);
    show("differences", differences);
    show("checks", checks);
    show("memory", memory);
    show("threads", threads);
    show("answers", answers);
}
