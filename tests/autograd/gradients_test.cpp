#include <vector>

#include <mtdn/autograd/combine_frames.hpp>
#include <mtdn/autograd/convolution.hpp>
#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/frames.hpp>
#include <mtdn/autograd/normalisation.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/autograd/testing/gradient_check.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

// Every function's gradient against central differences.
namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;
using Operands = std::vector<X>;

struct Gradients {
    Exact exact;
    Random random{11};

    Values any(const Shape& shape) { return random_values(exact, shape, random); }

    template <class Function>
    void check(const std::string& name, Function&& function, const std::vector<Values>& inputs) {
        const Report report = check_gradients(name, function, inputs);
        INFO(report);
        CHECK(report.passed);
    }
    template <class Forward>
    void check_parameters(const std::string& name, Forward&& forward,
                          const std::vector<std::pair<std::string, Parameter<Exact>*>>& parameters) {
        const Report report = check_parameter_gradients(name, forward, parameters);
        INFO(report);
        CHECK(report.passed);
    }
    Parameter<Exact> parameter(const Shape& shape, ParameterKind kind = ParameterKind::vector) {
        Parameter<Exact> p(exact, shape, kind);
        p.value = any(shape);
        return p;
    }
};

}  // namespace

TEST_CASE_METHOD(Gradients, "gradients of functions of elements") {
    const std::vector<Values> two{any({2, 3, 4, 3}), any({2, 3, 4, 3})}, one{two[0]};
    check("combine", [](const Operands& x) { return combine(1.5, x[0], -0.25, x[1]); }, two);
    check("combine with itself", [](const Operands& x) { return combine(2, x[0], -0.5, x[0]); }, one);
    check("add", [](const Operands& x) { return add(x[0], x[1]); }, two);
    check("subtract", [](const Operands& x) { return subtract(x[0], x[1]); }, two);
    check("scale", [](const Operands& x) { return scale(x[0], -3); }, one);
    check("multiply", [](const Operands& x) { return multiply(x[0], x[1]); }, two);
    check("square", [](const Operands& x) { return multiply(x[0], x[0]); }, one);
    check("softmax", [](const Operands& x) { return softmax(x[0]); }, one);
    check("log_softmax", [](const Operands& x) { return log_softmax(x[0]); }, one);
    check("concat", [](const Operands& x) { return multiply(concat(x[0], x[1]), concat(x[1], x[0])); }, two);
    for (const Activation activation : {Activation::identity, Activation::relu, Activation::leaky_relu,
                                        Activation::sigmoid, Activation::tanh, Activation::silu, Activation::gelu,
                                        Activation::absolute})
        check("activation " + std::to_string(static_cast<int>(activation)),
              [&](const Operands& x) { return activate(x[0], activation); }, one);
}

TEST_CASE_METHOD(Gradients, "gradients of functions of frames and sizes") {
    const std::vector<Values> x{any({3, 6, 4, 2})};
    const std::vector<Index> order{2, 0, 0, 2, 2};
    check("gather_frames", [&](const Operands& v) { return gather_frames<Exact>(v[0], order); }, x);
    const std::vector<Index> other{1, 0, 3, 1, 1};
    const std::vector<Values> two{x[0], any({4, 6, 4, 2})};
    check("combine_frames", [&](const Operands& v) { return combine_frames<Exact>(1, v[0], order, -0.5, v[1], other); },
          two);
    check("combine_frames of one", [&](const Operands& v) {
        return combine_frames<Exact>(1, v[0], order, -1, v[0], std::vector<Index>{1, 1, 0, 2, 0});
    }, x);
    check("max_pool2", [](const Operands& v) { return max_pool2(v[0]); }, x);
    check("max_pool overlapping", [](const Operands& v) { return max_pool(v[0], {.kernel = 3, .stride = 1}); }, x);
    check("average_pool", [](const Operands& v) { return average_pool(v[0], {.kernel = 2, .stride = 2}); }, x);
    check("upsample2 nearest", [](const Operands& v) { return upsample2(v[0]); }, x);
    check("upsample2 bilinear", [](const Operands& v) { return upsample2(v[0], Interpolation::bilinear); }, x);
    check("resize", [](const Operands& v) { return resize(v[0], 5, 7, Interpolation::bilinear); }, x);
    check("crop", [](const Operands& v) { return crop(v[0], 5, 2); }, x);
}

TEST_CASE_METHOD(Gradients, "slices of a convolution sum up to it, and have gradients by input and weight") {
    auto weight = parameter({3, 3, 5, 4}, ParameterKind::convolution);
    const Window window{3, 1, 1};
    const Values a = any({2, 5, 4, 2}), b = any({2, 5, 4, 3});
    const X whole = convolve(concat(X(a), X(b)), weight, nullptr, window);
    const X sum = add(convolve_slice(X(a), weight, 0, window), convolve_slice(X(b), weight, 2, window));
    CHECK(distance(numbers(sum), numbers(whole)) < by_rounding);
    check("convolve_slice", [&](const Operands& v) { return convolve_slice(v[0], weight, 2, window); }, {b});
    const auto sliced = [&](Tape<Exact>& tape) { return convolve_slice(X(a, &tape, -1), weight, 1, window); };
    check_parameters("convolve_slice", sliced, {{"weight", &weight}});
}

TEST_CASE_METHOD(Gradients, "gradients of convolutions by input, weight and bias") {
    for (const Window window : {Window{3, 1, 1}, Window{3, 2, 1}, Window{1, 1, 0}, Window{5, 2, 0}}) {
        INFO("kernel " << window.kernel << ", stride " << window.stride << ", padding " << window.padding);
        auto weight = parameter({window.kernel, window.kernel, 2, 3}, ParameterKind::convolution);
        auto bias = parameter(vector_shape(3));
        const Values x = any({2, 6, 5, 2});
        check("convolve", [&](const Operands& v) { return convolve(v[0], weight, &bias, window); }, {x});
        check_parameters("convolve",
                         [&](Tape<Exact>& tape) { return convolve(X(x, &tape, -1), weight, &bias, window); },
                         {{"weight", &weight}, {"bias", &bias}});
    }
    auto weight = parameter({2, 2, 3, 2}, ParameterKind::transposed_convolution);
    auto bias = parameter(vector_shape(2));
    const Values x = any({2, 3, 2, 3});
    check("transposed", [&](const Operands& v) { return transposed_convolve(v[0], weight, &bias); }, {x});
    check_parameters("transposed",
                     [&](Tape<Exact>& tape) { return transposed_convolve(X(x, &tape, -1), weight, &bias); },
                     {{"weight", &weight}, {"bias", &bias}});
}

TEST_CASE_METHOD(Gradients,
                 "gradients of batch normalisation by input, weight and bias, for groups and running statistics") {
    auto weight = parameter(vector_shape(2)), bias = parameter(vector_shape(2));
    const RunningStatistics<Exact> running(exact, 2);
    const Values x = any({4, 3, 2, 2});
    for (const Activation activation : {Activation::identity, Activation::relu})
        for (const Index groups : {1, 2, 0}) {  // 0: the running statistics
            INFO(groups << " groups");
            const auto forward = [&](const X& v, Tape<Exact>& tape) {
                Pass<Exact> pass(tape, groups ? Statistics::batch : Statistics::running);
                pass.set_groups(groups);
                return batch_normalise(v, weight, bias, running, 1e-5, 0.1, activation, pass);
            };
            check("batch_normalise", [&](const Operands& v) { return forward(v[0], *v[0].tape()); }, {x});
            check_parameters("batch_normalise", [&](Tape<Exact>& tape) { return forward(X(x, &tape, -1), tape); },
                             {{"weight", &weight}, {"bias", &bias}});
        }
}

TEST_CASE_METHOD(Gradients, "gradients through parts and pending normalisations into every reader") {
    auto weight = parameter(vector_shape(2)), bias = parameter(vector_shape(2));
    auto kernel = parameter({3, 3, 4, 2}, ParameterKind::convolution);
    auto up = parameter({2, 2, 4, 1}, ParameterKind::transposed_convolution);
    const RunningStatistics<Exact> running(exact, 2);
    const std::vector<Values> two{any({2, 4, 4, 2}), any({2, 4, 4, 2})};
    // The normalised part is pending, the other plain; both are read together.
    const auto parts = [&](const Operands& v) {
        Pass<Exact> pass(*v[0].tape());
        const X normal = batch_normalise(v[0], weight, bias, running, 1e-5, 0.1, Activation::relu, pass);
        REQUIRE(normal.parts().front().pending);
        return concat(normal, v[1]);
    };
    const std::vector<Index> order{1, 1, 0};
    check("convolve", [&](const Operands& v) { return convolve(parts(v), kernel, nullptr, {3, 1, 1}); }, two);
    check("transposed", [&](const Operands& v) { return transposed_convolve(parts(v), up, nullptr); }, two);
    check("max_pool2", [&](const Operands& v) { return max_pool2(parts(v)); }, two);
    check("average", [&](const Operands& v) { return average_pool(parts(v), {.kernel = 2, .stride = 2}); }, two);
    check("resize", [&](const Operands& v) { return upsample2(parts(v), Interpolation::bilinear); }, two);
    check("crop", [&](const Operands& v) { return crop(parts(v), 3, 2); }, two);
    check("gather", [&](const Operands& v) { return gather_frames<Exact>(parts(v), order); }, two);
    check("convolve_slice", [&](const Operands& v) { return convolve_slice(parts(v), kernel, 0, {3, 1, 1}); }, two);
    check("combine_frames", [&](const Operands& v) {
        return combine_frames<Exact>(2, parts(v), order, 1, parts(v), std::vector<Index>{0, 1, 1});
    }, two);
    check("multiply", [&](const Operands& v) { return multiply(parts(v), parts(v)); }, two);
    check("softmax", [&](const Operands& v) { return softmax(parts(v)); }, two);
    check("tanh", [&](const Operands& v) { return activate(parts(v), Activation::tanh); }, two);
    check("materialise", [&](const Operands& v) { return materialise(parts(v)); }, two);
}

TEST_CASE_METHOD(Gradients, "frames are sliced without a copy, groups of a pending normalisation as they lie") {
    auto weight = parameter(vector_shape(2)), bias = parameter(vector_shape(2));
    const RunningStatistics<Exact> running(exact, 2);
    const std::vector<Values> two{any({4, 3, 2, 2}), any({4, 3, 2, 1})};
    const auto parts = [&](const Operands& v) {
        Pass<Exact> pass(*v[0].tape());
        pass.set_groups(2);
        return concat(batch_normalise(v[0], weight, bias, running, 1e-5, 0.1, Activation::relu, pass), v[1]);
    };
    struct Slice {
        Index first, count;
        std::size_t shared;  // 2: both parts as they are; 1: copied, for it cuts a group
    };
    for (const auto& [first, count, shared] :
         {Slice{0, 4, 2}, Slice{2, 2, 2}, Slice{1, 1, 2}, Slice{1, 2, 1}, Slice{0, 3, 1}}) {
        INFO(count << " frames from " << first);
        check("slice_frames", [first = first, count = count, shared = shared, &parts](const Operands& v) {
            const X slice = slice_frames(parts(v), first, count);
            REQUIRE(slice.parts().size() == shared);
            return multiply(slice, slice_frames(parts(v), first, count));
        }, two);
    }
    // Gradients of overlapping slices, and of the whole, meet in one place.
    check("overlapping slices", [](const Operands& v) {
        return add(multiply(slice_frames(v[0], 0, 3), slice_frames(v[0], 1, 3)), slice_frames(v[0], 1, 3));
    }, {two[0]});
    check("whole and slice", [](const Operands& v) {
        const std::vector<Index> all{0, 1, 2, 3}, turned{3, 2, 1, 0};
        return multiply(add(gather_frames<Exact>(v[0], all), v[0]), gather_frames<Exact>(v[0], turned));
    }, {two[0]});
    const X constant(two[0]);
    CHECK(slice_frames(constant, 1, 2).parts().front().tensor.data() == two[0].frames(1, 2).data());
    CHECK(error_of<ShapeError>([&] { slice_frames(constant, 3, 2); }) ==
          "slice_frames: frames 3 to 5 of a value of 4");
}

TEST_CASE_METHOD(Gradients, "shapes that do not fit are named with both sides") {
    const X a(any({2, 4, 4, 3})), b(any({2, 4, 4, 2}));
    const auto weight = parameter({3, 3, 2, 5}, ParameterKind::convolution);
    CHECK(error_of<ShapeError>([&] { convolve(a, weight, nullptr, {3, 1, 1}); }) ==
          "convolve: the input (2, 4, 4, 3) has 3 channels, the weights (3, 3, 2, 5) take 2");
    CHECK(error_of<ShapeError>([&] { convolve(b, weight, nullptr, {5, 1, 1}); }).find("window of 5") !=
          std::string::npos);
    CHECK(error_of<ShapeError>([&] { add(a, b); }) == "combine: shapes (2, 4, 4, 3) and (2, 4, 4, 2) differ");
    CHECK(error_of<ShapeError>([&] { concat(a, X(any({2, 4, 5, 3}))); }).find("(2, 4, 5, 3)") != std::string::npos);
    CHECK(error_of<ShapeError>([&] { gather_frames<Exact>(a, std::vector<Index>{0, 2}); }) ==
          "gather_frames: frame 2 of 2");
    CHECK(error_of<ShapeError>([&] { convolve_slice(a, weight, 1, {3, 1, 1}); }) ==
          "slice_input_channels: input channels 1 to 4 of weights (3, 3, 2, 5)");
    const std::vector<Index> one{0}, two{0, 2};
    CHECK(error_of<ShapeError>([&] { combine_frames<Exact>(1, a, one, 1, b, one); }).find("more than their frames") !=
          std::string::npos);
    CHECK(error_of<ShapeError>([&] { combine_frames<Exact>(1, a, one, 1, a, two); }) ==
          "combine_frames: 1 and 2 indices");
    CHECK(error_of<ShapeError>([&] { combine_frames<Exact>(1, a, two, 1, a, two); }) == "combine_frames: frame 2 of 2");
    CHECK(error_of<ShapeError>([&] { crop(a, 5, 1); }).find("to 5 × 1") != std::string::npos);
    CHECK(error_of<ShapeError>([&] { pad_edge(a, 3, 4); }).find("to 3 × 4") != std::string::npos);
    CHECK(error_of<OptionError>([&] { max_pool(a, {3, 1, 1}); }) == "max_pool: padding must be 0, got 1");
    Tape<Exact> tape(exact);
    const X wanted(any({1, 2, 2, 1}), &tape, tape.new_place());
    CHECK(error_of<Error>([&] { pad_edge(wanted, 4, 4); }).find("no way back") != std::string::npos);
}
