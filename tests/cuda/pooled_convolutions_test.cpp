// Pooling in the convolution before it, by the emulator.
#include <map>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cuda/testing/emulator.hpp>
#include <mtdn/loss/focal.hpp>

#include "cuda/pooled_convolutions.hpp"
#include "support/catch.hpp"

using namespace mtdn;

namespace {

using Emulated = CudaFor<testing::Emulator>;
static_assert(pools_convolutions<Emulated> && !pools_convolutions<Reference<float>>);

bool pools(const std::map<std::string, Index>& blocks) {
    for (const auto& [kernel, number] : blocks)
        if (kernel.find("7MaxPool") != std::string::npos) return true;
    return false;
}

/// Values and gradients of a layer that is pooled and read as it is: its result goes beside what is made of the pooled.
///
/// @param at_once  by `convolve_normalise_and_pool`; else one after the other
template <Backend B>
std::vector<std::vector<float>> results_of(B& backend, bool at_once, Precision kept, bool learns) {
    Random random{7};
    Conv2d<B> conv(backend, {.in = 4, .out = 40, .bias = false}, random);
    Conv2d<B> next(backend, {.in = 40, .out = 8, .bias = false}, random);
    Conv2d<B> last(backend, {.in = 48, .out = 4, .kernel = 1}, random);
    BatchNorm2d<B> norm(backend, 40), next_norm(backend, 8);
    const auto some = [&](const Tensor<B>& x, double low, double high) {
        std::vector<float> values(static_cast<std::size_t>(x.shape().size()));
        for (float& value : values) value = static_cast<float>(random.uniform(low, high));
        upload(std::span<const float>(values), x);
    };
    some(norm.weight().value, -1, 1);  // half of the squares' smallest values are wanted
    some(norm.bias().value, -1, 1);
    some(norm.running().mean, -1, 1);
    backend.fill(norm.weight().value.channels(3, 1), 0);
    const Tensor<B> frames(backend, {4, 18, 20, 4});
    some(frames, -1, 1);
    const Tensor<B, std::uint8_t> labels(backend, {4, 18, 20, 1});
    std::vector<std::uint8_t> codes(4 * 18 * 20);
    for (auto& code : codes) code = static_cast<std::uint8_t>(random.below(4));
    upload(std::span<const std::uint8_t>(codes), labels);
    std::vector<Parameter<B>*> parameters;
    const auto let_learn = [&](auto&... modules) {
        const auto each = [&](auto& module) {
            for (const auto& [path, p] : detail::parameters_of<B>(module)) {
                p->gradient = Tensor<B>(backend, p->value.shape());
                backend.fill(p->gradient, 0);
                parameters.push_back(p);
            }
        };
        (each(modules), ...);
    };
    let_learn(conv, next, last, norm, next_norm);

    std::vector<std::vector<float>> results;
    const auto run = [&](Pass<B>& pass) {
        Pooled<B> layer;
        const auto x = pass.input(frames);
        if (at_once) {
            layer = convolve_normalise_and_pool(conv, norm, Activation::relu, x, pass);
        } else {
            layer.value = convolve_and_normalise(conv, norm, Activation::relu, x, pass);
            layer.maxima = max_pool2(layer.value);
        }
        const auto small = convolve_and_normalise(next, next_norm, Activation::relu, layer.maxima, pass);
        const auto logits = last(concat(upsample2(small), layer.value), pass);
        results.push_back(testing::values_of(value_of(layer.maxima)));
        results.push_back(testing::values_of(value_of(logits)));
        return logits;
    };
    if (!learns) {
        Pass<B> pass(backend);
        run(pass);
        return results;
    }
    Tape<B> tape(backend, kept);
    Pass<B> pass(tape);
    pass.set_groups(2);
    tape.backward(FocalLoss<B>(backend)(run(pass), labels));
    for (const auto* p : parameters) results.push_back(testing::values_of(p->gradient));
    for (const auto& staged : pass.staged()) results.push_back(testing::values_of(staged.variance));
    return results;
}

}  // namespace

TEST_CASE("convolutions write the extremes of what they store, and nothing else changes") {
    const auto precision = GENERATE(Precision::bfloat16, Precision::tf32x3);
    Emulated emulated({.precision = precision});
    CHECK(testing::check_pooled_convolutions(emulated) == std::vector<std::string>{});
}

TEST_CASE("extremes of squares have the same bits whoever comes first, and played back") {
    Emulated one({.precision = Precision::bfloat16}), other({.order = 3, .precision = Precision::bfloat16});
    for (const auto& c : testing::pooled_cases()) {
        INFO(c.name);
        const auto results = testing::pooled_results(one, c, Activation::relu);
        CHECK((testing::pooled_results(other, c, Activation::relu) == results));
        CHECK((testing::pooled_results(one, c, Activation::relu, true) == results));
    }
}

TEST_CASE("only tensor cores' 3x3 convolutions pool, and only by activations that never decrease") {
    Emulated fast({.precision = Precision::tf32x3}), simple({.precision = Precision::tf32x3, .simple = true}), single;
    const float some = 0;
    const auto pools_by = [&](const Emulated& backend, const Window& window, Activation activation) {
        return backend.pools_convolution({&some, {window.kernel, window.kernel, 4, 4}, 4}, window, activation);
    };
    const Window three{.kernel = 3, .padding = 1};
    for (const auto activation : {Activation::identity, Activation::relu, Activation::leaky_relu, Activation::sigmoid,
                                  Activation::tanh})
        CHECK(pools_by(fast, three, activation));
    for (const auto activation : {Activation::silu, Activation::gelu, Activation::absolute})
        CHECK(!pools_by(fast, three, activation));
    CHECK(!pools_by(fast, {.kernel = 1}, Activation::relu));
    CHECK(!pools_by(fast, {.kernel = 3, .stride = 2, .padding = 1}, Activation::relu));
    CHECK(!pools_by(simple, three, Activation::relu));
    CHECK(!pools_by(single, three, Activation::relu));
}

TEST_CASE("a layer that is pooled as it is written has the bits of one that is pooled afterwards, gradients too") {
    for (const auto precision : {Precision::bfloat16, Precision::tf32x3})
        for (const bool learns : {true, false}) {
            std::map<std::string, Index> fused, apart;
            Emulated one({.precision = precision, .blocks = &fused}), two({.precision = precision, .blocks = &apart});
            const auto ours = results_of(one, true, Precision::single, learns);
            CHECK((ours == results_of(two, false, Precision::single, learns)));
            CHECK((!pools(fused) && pools(apart)));
            Reference<float> reference;
            const auto expected = results_of(reference, true, Precision::single, learns);
            for (std::size_t i = 0; i < 2; ++i) {
                const std::vector<double> right(expected[i].begin(), expected[i].end());
                CHECK(testing::deviation(ours[i], right).rms < (precision == Precision::bfloat16 ? 1e-2 : 1e-5));
            }
        }
}

TEST_CASE("a tape that rounds what it keeps has it pooled afterwards, and a U-Net pools in its convolutions") {
    std::map<std::string, Index> rounded, whole;
    Emulated one({.precision = Precision::bfloat16, .blocks = &rounded});
    Emulated two({.precision = Precision::bfloat16});
    CHECK((results_of(one, true, Precision::bfloat16, true) == results_of(two, false, Precision::bfloat16, true)));
    CHECK(pools(rounded));

    Emulated three({.precision = Precision::bfloat16, .blocks = &whole});
    Random random{1};
    const UNet<Emulated> unet(three, {.in_channels = 1, .width = 4, .depth = 2}, random);
    const Tensor<Emulated> frames(three, {2, 8, 12, 1});
    three.fill(frames, 0.5);
    Tape<Emulated> tape(three);
    Pass<Emulated> evaluation(three), training(tape);
    unet.encode(evaluation.input(frames), evaluation);
    unet.encode(training.input(frames), training);
    CHECK(!pools(whole));
}
