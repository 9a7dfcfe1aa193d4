// The way back from a focal loss through the last convolution at once, by the emulator.
#include <algorithm>
#include <map>

#include <mtdn/autograd/convolution.hpp>
#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/pass.hpp>
#include <mtdn/backend/cuda/testing/emulator.hpp>
#include <mtdn/loss/weighted_sum.hpp>

#include "cuda/joined_loss.hpp"
#include "cuda/kernel_blocks.hpp"
#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::detail::cuda;

namespace {

using Emulated = CudaFor<testing::Emulator>;
static_assert(joins_losses<Emulated> && !joins_losses<Reference<float>>);

/// Gradients of two tasks' last convolutions, and of the one before both.
template <Backend B>
std::vector<std::vector<double>> gradients_of(B& backend, const char* loss, Index classes, bool fixed_weights) {
    testing::cases::Operands<B> operands(backend, "two tasks");
    const auto parameter = [&](const Shape& shape, bool learns = true) {
        Parameter<B> result;
        result.value = operands.random(shape);
        result.gradient = Tensor<B>(backend, shape);
        result.trainable = learns;
        backend.fill(result.gradient, 0);
        return result;
    };
    const auto frames = operands.random({2, 7, 9, 2});
    const auto labels = operands.labels({2, 7, 9, 1}, classes), others = operands.labels({2, 7, 9, 1}, classes);
    const Parameter<B> before = parameter({1, 1, 2, 3}), bias = parameter(vector_shape(classes));
    const Parameter<B> first = parameter({1, 1, 3, classes}, !fixed_weights), second = parameter({1, 1, 3, classes});
    const auto of_task = make_loss(backend, {.name = loss, .reduction = Reduction::weights});
    Tape<B> tape(backend);
    Pass<B> pass(tape);
    const Window one{.kernel = 1};
    const auto x = relu(convolve(pass.input(frames), before, nullptr, one));
    const auto one_task = convolve(x, first, &bias, one), other_task = convolve(x, second, nullptr, one);
    tape.backward(combine(0.5, of_task(one_task, labels), 2, of_task(other_task, others)));
    std::vector<std::vector<double>> all;
    for (const Parameter<B>* p : {&before, &first, &second, &bias}) {
        const auto values = testing::values_of(p->gradient);
        all.emplace_back(values.begin(), values.end());
    }
    return all;
}

}  // namespace

TEST_CASE("a focal loss's way back and the convolution's before it are at once what they are one after the other") {
    Emulated emulated({.precision = Precision::bfloat16}), other({.order = 3, .precision = Precision::tf32x3});
    CHECK(testing::check_joined_loss(emulated) == std::vector<std::string>{});
    for (const auto& c : testing::joined_cases())
        CHECK(testing::back_through_loss<true>(emulated, c) == testing::back_through_loss<true>(other, c));
}

TEST_CASE("what is wider than a thread's registers, or is to be simple, is not joined") {
    Emulated fast({.precision = Precision::tf32x3}), simple({.precision = Precision::tf32x3, .simple = true});
    const auto joins = [](const Emulated& backend, Index in, Index classes, const Window& window) {
        const float some = 0;
        return backend.joins_loss({&some, {window.kernel, window.kernel, in, classes}, classes}, window);
    };
    CHECK(joins(fast, 4, 4, {.kernel = 1}));
    CHECK(!joins(fast, 5, 4, {.kernel = 1}));
    CHECK(!joins(fast, 4, 5, {.kernel = 1}));
    CHECK(!joins(fast, 4, 4, {.kernel = 3, .padding = 1}));
    CHECK(!joins(fast, 4, 4, {.kernel = 1, .padding = 1}));
    CHECK(!joins(fast, 4, 4, {.kernel = 1, .stride = 2}));
    CHECK(!joins(simple, 4, 4, {.kernel = 1}));
}

TEST_CASE("a tape joins losses to the convolutions before them, and does one after the other where it cannot") {
    const auto [loss, classes, fixed, joined] =
        GENERATE(std::tuple("focal", 4, false, 2), std::tuple("focal", 4, true, 2), std::tuple("focal", 5, false, 0),
                 std::tuple("focal+cross-entropy:0.5", 4, false, 0));
    std::map<std::string, Index> blocks;
    Emulated fast({.precision = Precision::tf32x3, .blocks = &blocks}), single;
    Reference<double> exact;
    const auto ours = gradients_of(fast, loss, classes, fixed), alone = gradients_of(single, loss, classes, fixed);
    const auto expected = gradients_of(exact, loss, classes, fixed);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO(loss << ", parameter " << i);
        CHECK(testing::deviation(ours[i], expected[i]).rms < 1e-5);
        CHECK(testing::deviation(alone[i], expected[i]).rms < 1e-5);
    }
    CHECK(testing::blocks_of(blocks, "LastPixels") == 2 * joined);  // one block of sums each, one that adds them
    CHECK((testing::blocks_of(blocks, "FocalBackward") == 0) == (joined == 2));
}

TEST_CASE("the launch of joined losses fits") {
    static_assert(LastPixels::quantities == 20 && sizeof(ChannelSums<LastPixels>::Shared) <= static_shared);
    static_assert(sizeof(ChannelSums<LastPixels>) <= 4096);
}
