#include <algorithm>
#include <string>
#include <vector>

#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cpu.hpp>
#include <mtdn/loss/weighted_sum.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/siamese/siamese.hpp>
#include <mtdn/siamese/testing/archetypes.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

// conv(fuse(q, p)) = conv(q, W_q) + conv(p, W_p): run once a frame and slot, the heads' first convolutions give what
// they give pair by pair.
namespace {

using namespace mtdn;
using namespace mtdn::testing;

using Any = AnyFeatureFusion<Exact>;
static_assert(LinearFeatureFusion<Concatenate, Exact> && LinearFeatureFusion<Difference, Exact>);
static_assert(LinearFeatureFusion<Any, Exact>);  // which may hold one that is not
static_assert(!LinearFeatureFusion<Product, Exact> && !LinearFeatureFusion<AbsoluteDifference, Exact>);
static_assert(SplittableHead<ConvHead<Exact>, Exact> && !SplittableHead<HeadArchetype<Exact>, Exact>);

const std::vector<Pair> clique{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 2}};

template <class B>
auto model_on(B& backend, const std::string& fusion, Random& random) {
    Siamese net{UNet{backend, {.in_channels = 1, .width = 4, .depth = 1}, random}, feature_fusion<B>(fusion),
                {"A1", "A2"}, random};
    // Away from the kink of ReLU, and with all terms of the normalisation in play.
    Tensor<B> shift(backend, net.parameters().values.shape());
    std::vector<typename B::Scalar> values(static_cast<std::size_t>(shift.shape().size()));
    for (auto& value : values) value = static_cast<typename B::Scalar>(random.uniform(-0.1, 0.1));
    upload(std::span<const typename B::Scalar>(values), shift);
    backend.accumulate(shift, net.parameters().values);
    return net;
}

template <class B>
Tensor<B> frames_on(B& backend, Index count, Random& random) {
    Tensor<B> x(backend, {count, 10, 7, 1});
    std::vector<typename B::Scalar> values(static_cast<std::size_t>(x.shape().size()));
    for (auto& value : values) value = static_cast<typename B::Scalar>(random.uniform(-1, 1));
    upload(std::span<const typename B::Scalar>(values), x);
    return x;
}

struct Result {
    std::vector<double> logits, gradients, statistics;
};

/// A step of training: logits, gradients and the new running statistics.
template <class B>
Result train(B& backend, const std::string& fusion, const std::vector<Pair>& pairs, HeadSplit split,
             Statistics statistics = Statistics::batch) {
    Random random{9};
    auto net = model_on(backend, fusion, random);
    enable_gradients(net.parameters(), net);
    const auto x = frames_on(backend, 4, random);
    Tape<B> tape(backend);
    Pass<B> pass(tape, statistics);
    pass.set_groups(2);
    const auto logits = net.compare(net.features(pass.input(x), pass), pairs, pass, split);
    CHECK(pass.groups() == 2);
    Result result;
    for (const auto& of_task : logits)
        for (const auto value : download(value_of(of_task))) result.logits.push_back(static_cast<double>(value));
    const auto loss = make_loss(backend, {.name = "focal+dice"});
    std::vector<std::uint8_t> codes(pairs.size() * 10 * 7);
    for (auto& code : codes) code = static_cast<std::uint8_t>(random.below(4));
    Tensor<B, std::uint8_t> labels(backend, {static_cast<Index>(pairs.size()), 10, 7, 1});
    upload(std::span<const std::uint8_t>(codes), labels);
    tape.backward(add(loss(logits[0], labels), loss(logits[1], labels)));
    pass.commit();
    for (const auto value : download(net.parameters().gradients))
        result.gradients.push_back(static_cast<double>(value));
    for (const auto& [name, tensor] : state_of(net))
        if (name.find("running") != std::string::npos || tensor.counter)
            result.statistics.insert(result.statistics.end(), tensor.values.begin(), tensor.values.end());
    return result;
}

/// Logits of evaluation.
template <class B>
std::vector<double> evaluate(B& backend, const std::string& fusion, const std::vector<Pair>& pairs, HeadSplit split) {
    Random random{9};
    auto net = model_on(backend, fusion, random);
    const auto x = frames_on(backend, 4, random);
    {
        Tape<B> tape(backend);
        Pass<B> pass(tape);
        net.compare(net.features(pass.input(x), pass), clique, pass);
        pass.commit();  // running statistics that differ from where they begin
    }
    Pass<B> pass(backend);
    std::vector<double> all;
    for (const auto& logits : net.compare(net.features(pass.input(x), pass), pairs, pass, split))
        for (const auto value : download(value_of(logits))) all.push_back(static_cast<double>(value));
    return all;
}

}  // namespace

TEST_CASE("split or not, a step has the same logits, gradients and running statistics") {
    Exact exact;
    for (const std::string fusion : {"concat", "difference"})
        for (const auto& pairs : {clique, std::vector<Pair>{{3, 1}}, std::vector<Pair>{{2, 2}, {0, 3}, {2, 3}}})
            for (const Statistics statistics : {Statistics::batch, Statistics::running}) {
                INFO(fusion << ", " << pairs.size() << " pairs");
                const Result whole = train(exact, fusion, pairs, HeadSplit::never, statistics);
                const Result split = train(exact, fusion, pairs, HeadSplit::always, statistics);
                CHECK(distance(split.logits, whole.logits) < by_rounding * (1 + largest(whole.logits)));
                CHECK(distance(split.gradients, whole.gradients) < 1e-11 * (1 + largest(whole.gradients)));
                CHECK(distance(split.statistics, whole.statistics) < by_rounding * (1 + largest(whole.statistics)));
                CHECK(largest(whole.gradients) > 1e-3);
            }
}

TEST_CASE("split or not, evaluation gives the same logits, on the fast backend to single precision") {
    Exact exact;
    Cpu cpu({.threads = 2});
    for (const std::string fusion : {"concat", "difference"}) {
        INFO(fusion);
        const auto whole = evaluate(exact, fusion, clique, HeadSplit::never);
        CHECK(distance(evaluate(exact, fusion, clique, HeadSplit::always), whole) < by_rounding * (1 + largest(whole)));
        const auto single = evaluate(cpu, fusion, clique, HeadSplit::never);
        CHECK(distance(evaluate(cpu, fusion, clique, HeadSplit::always), single) < 1e-5 * largest(single));
    }
}

TEST_CASE("split steps give equal bits for every number of threads") {
    std::vector<double> first;
    for (const int threads : {1, 2, 3, 7}) {
        Cpu cpu({.threads = threads});
        const Result result = train(cpu, "concat", clique, HeadSplit::always);
        if (first.empty()) first = result.gradients;
        CHECK(result.gradients == first);
    }
}

TEST_CASE("automatic splits by the number of frames that pairs share alone") {
    Exact exact;
    const std::vector<Pair> apart{{0, 1}, {2, 3}}, alone{{0, 1}}, one_query{{0, 1}, {0, 2}, {0, 3}, {0, 0}};
    for (const auto& [pairs, split] : {std::pair{clique, true}, {one_query, true}, {apart, false}, {alone, false}}) {
        const auto automatic = evaluate(exact, "concat", pairs, HeadSplit::automatic);
        CHECK(automatic == evaluate(exact, "concat", pairs, split ? HeadSplit::always : HeadSplit::never));
        CHECK(automatic != evaluate(exact, "concat", pairs, split ? HeadSplit::never : HeadSplit::always));
    }
}

TEST_CASE("slot maps are all that a comparison needs of frames: in any pairs, a frame at a time or together") {
    Exact exact;
    Random random{4};
    for (const std::string fusion : {"concat", "difference"}) {
        const auto net = model_on(exact, fusion, random);
        const auto x = frames_on(exact, 3, random);
        Pass<Exact> pass(exact);
        const auto features = net.features(pass.input(x), pass);
        const SlotMaps<Exact> maps = net.slots(features, pass);
        CHECK(maps.maps.size() == (fusion == "concat" ? 4 : 2));  // one serves both slots of a difference
        CHECK(net.slot_channels() == (fusion == "concat" ? 32 : 16));
        const auto kept = net.compare(maps, clique, pass);
        const auto asked = net.compare(features, clique, pass, HeadSplit::always);
        for (std::size_t task = 0; task < 2; ++task) CHECK(numbers(kept[task]) == numbers(asked[task]));
        const auto one = net.slots(net.features(pass.input(x.frames(1, 1)), pass), pass);
        for (std::size_t i = 0; i < maps.maps.size(); ++i)
            CHECK(numbers(one.maps[i]) == download(value_of(maps.maps[i]).frames(1, 1)));
        CHECK(error_of<ShapeError>([&] { net.compare(maps, std::vector<Pair>{{0, 3}}, pass); }) ==
              "combine_frames: frame 3 of 3");
        Tape<Exact> tape(exact);
        Pass<Exact> training(tape);
        CHECK(error_of<OptionError>([&] { net.compare(maps, clique, training); }) ==
              "Siamese::compare: slot maps of evaluation in a pass for training; make them by slots(features, pass) of "
              "its kind");
    }
}

TEST_CASE("what is not linear, or has no first convolution to name, is compared pair by pair") {
    Exact exact;
    Random random{4};
    const auto product = model_on(exact, "product", random);
    CHECK(!product.splits());
    CHECK(product.slot_channels() == 0);
    const auto x = frames_on(exact, 3, random);
    Pass<Exact> pass(exact);
    const auto features = product.features(pass.input(x), pass);
    CHECK(numbers(product.compare(features, clique, pass)[0]) ==
          numbers(product.compare(features, clique, pass, HeadSplit::never)[0]));
    CHECK(
        error_of<OptionError>([&] { product.compare(features, clique, pass, HeadSplit::always); }) ==
        "Siamese: heads' first convolutions cannot be run once a frame: the feature fusion \"product\" is not linear, "
        "or a head does not name a first convolution without bias");
    const auto factory = [&](Exact& backend, const std::string&, Index fused, Index) {
        return HeadArchetype<Exact>(backend, fused, random);
    };
    const Siamese<UNet<Exact>, Concatenate, HeadArchetype<Exact>> own(
        UNet{exact, {.in_channels = 1, .width = 2, .depth = 1}, random}, Concatenate{}, {"A"}, factory);
    CHECK(!own.splits());
    CHECK(own.compare(own.features(pass.input(x), pass), clique, pass)[0].shape().frames == 9);
}
