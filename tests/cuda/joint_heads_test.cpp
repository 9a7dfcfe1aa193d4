// The heads' first convolutions as one, by the emulator, against the reference's one after the other.
#include <map>

#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cuda/testing/emulator.hpp>
#include <mtdn/backend/testing/checks.hpp>
#include <mtdn/loss/weighted_sum.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/siamese/siamese.hpp>

#include "support/catch.hpp"

using namespace mtdn;

namespace {

using Emulated = CudaFor<testing::Emulator>;
static_assert(joins_convolutions<Emulated> && !joins_convolutions<Reference<float>>);

struct Case {
    const char* name;
    const char* fusion;
    std::vector<Index> widths;  // of each head's first layer
    HeadSplit split = HeadSplit::never;
    bool one_loss = false;  // the first task's alone
    bool frozen = false;    // the last head
    Precision kept = Precision::single;
};

struct Result {
    std::vector<double> logits, gradients, statistics, evaluated;
};

/// A step of training, and an evaluation after it.
template <class B>
Result run(B& backend, const Case& c) {
    using T = typename B::Scalar;
    Random random{9};
    std::vector<std::string> tasks;
    for (std::size_t i = 0; i < c.widths.size(); ++i) tasks.push_back("A" + std::to_string(i + 1));
    const auto factory = [&](B& b, const std::string& task, Index fused, Index features) {
        const Index width = c.widths[static_cast<std::size_t>(task[1] - '1')];
        return ConvHead<B>(b, fused, features, {.widths = {width, 4, 3}}, random);
    };
    Siamese<UNet<B>, AnyFeatureFusion<B>> net(UNet{backend, {.in_channels = 1, .width = 4, .depth = 1}, random},
                                              feature_fusion<B>(c.fusion), tasks, factory);
    enable_gradients(net.parameters(), net);
    if (c.frozen)
        for (const auto& [path, p] : detail::parameters_of<B>(net))
            if (path.find("heads." + tasks.back()) == 0) p->trainable = false;
    std::vector<T> values(static_cast<std::size_t>(4 * 9 * 7));
    for (T& value : values) value = static_cast<float>(random.uniform(-1, 1));
    const Tensor<B> frames(backend, {4, 9, 7, 1});
    upload(std::span<const T>(values), frames);
    const std::vector<Pair> pairs{{0, 1}, {2, 3}, {3, 0}};
    const Tensor<B, std::uint8_t> labels(backend, {3, 9, 7, 1});
    std::vector<std::uint8_t> codes(3 * 9 * 7);
    for (auto& code : codes) code = static_cast<std::uint8_t>(random.below(4));
    upload(std::span<const std::uint8_t>(codes), labels);

    Result result;
    const auto append = [](std::vector<double>& to, const Tensor<B>& tensor) {
        for (const auto value : download(tensor)) to.push_back(static_cast<double>(value));
    };
    Tape<B> tape(backend, c.kept);
    {
        Pass<B> pass(tape);
        pass.set_groups(2);
        const auto logits = net.compare(net.features(pass.input(frames), pass), pairs, pass, c.split);
        const auto loss = make_loss(backend, {.name = "focal"});
        auto sum = loss(logits[0], labels);
        for (std::size_t i = 1; i < logits.size() && !c.one_loss; ++i) sum = add(sum, loss(logits[i], labels));
        for (const auto& of_task : logits) append(result.logits, value_of(of_task));
        tape.backward(sum);
        pass.commit();
    }
    append(result.gradients, net.parameters().gradients);
    for (const auto& [name, tensor] : state_of(net))
        if (name.find("running") != std::string::npos || tensor.counter)
            result.statistics.insert(result.statistics.end(), tensor.values.begin(), tensor.values.end());
    Pass<B> pass(backend);
    for (const auto& logits : net.compare(net.features(pass.input(frames), pass), pairs, pass, c.split))
        append(result.evaluated, value_of(logits));
    return result;
}

const Case cases[] = {
    {"two tasks", "concat", {8, 8}},
    {"three of different widths", "concat", {8, 12, 4}},
    {"one convolution a frame and slot", "concat", {8, 8}, HeadSplit::always},
    {"one that serves both slots", "difference", {8, 4}, HeadSplit::always},
    {"no linear fusion", "product", {8, 8}},
    {"a loss of one task alone", "concat", {8, 8}, HeadSplit::never, true},
    {"a head that does not learn", "difference", {8, 8}, HeadSplit::never, false, true},
};

Index blocks_of(const std::map<std::string, Index>& blocks, const char* name) {
    Index sum = 0;
    for (const auto& [kernel, count] : blocks)
        if (kernel.find(name) != std::string::npos) sum += count;
    return sum;
}

Index convolution_blocks(Precision precision, const Case& c) {
    std::map<std::string, Index> blocks;
    Emulated emulated({.precision = precision, .blocks = &blocks});
    run(emulated, c);
    return blocks_of(blocks, "16TiledConvolution");
}

}  // namespace

TEST_CASE("heads' first layers at once are what they are one after the other: logits, gradients, statistics") {
    for (const Case& c : cases) {
        INFO(c.name);
        Emulated nearly({.precision = Precision::tf32x3});
        Reference<double> exact;
        const Result ours = run(nearly, c), expected = run(exact, c);
        CHECK(testing::deviation(ours.logits, expected.logits).rms < 1e-5);
        CHECK(testing::deviation(ours.gradients, expected.gradients).rms < 2e-5);
        CHECK(testing::deviation(ours.statistics, expected.statistics).rms < 1e-5);
        CHECK(testing::deviation(ours.evaluated, expected.evaluated).rms < 1e-5);
    }
}

TEST_CASE("heads' first layers at once have equal bits whoever comes first") {
    for (const int chosen : {1, 2}) {
        Emulated one({.precision = Precision::bfloat16}), other({.order = 3, .precision = Precision::bfloat16});
        const Result ours = run(one, cases[chosen]), again = run(other, cases[chosen]);
        CHECK((ours.logits == again.logits));
        CHECK((ours.gradients == again.gradients));
        CHECK((ours.statistics == again.statistics));
        CHECK((ours.evaluated == again.evaluated));
    }
}

// Frames of 9 × 7 pixels are one block of a convolution of up to 32 channels, so each convolution that is saved is one
// a pair: forth, and back to the data, and forth again in evaluation.
TEST_CASE("heads' first layers are one convolution, and as many as heads where they cannot be joined") {
    const Case joined{"", "concat", {8, 8}};
    const Case kept{"", "concat", {8, 8}, HeadSplit::never, false, false, Precision::bfloat16};
    const Index three = convolution_blocks(Precision::bfloat16, joined);
    CHECK(convolution_blocks(Precision::bfloat16, kept) == three + 2 * 3);
    const Case uneven{"", "concat", {8, 6}};
    CHECK(convolution_blocks(Precision::bfloat16, uneven) == three + 3 * 3);
    CHECK(convolution_blocks(Precision::single, joined) == 0);
}
