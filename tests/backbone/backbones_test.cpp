#include <set>
#include <type_traits>

#include <mtdn/backbone/residual.hpp>
#include <mtdn/backbone/testing/archetypes.hpp>
#include <mtdn/backbone/testing/check_backbone.hpp>
#include <mtdn/backbone/unet.hpp>

#include "backbone/tiny_net.hpp"
#include "support/catch.hpp"
#include "support/exact.hpp"

// Every backbone keeps the laws; what is particular to one follows.
namespace {

using namespace mtdn;
using namespace mtdn::testing;
using Single = Reference<float>;

static_assert(EncoderDecoder<UNet<Exact>, Exact> && EncoderDecoder<UNet<Single>, Single>);
static_assert(EncoderDecoder<ResidualNet<Exact>, Exact> && EncoderDecoder<ResidualNet<Single>, Single>);
static_assert(EncoderDecoder<TinyNet<Exact>, Exact> && EncoderDecoder<TinyNet<Single>, Single>);
static_assert(!EncoderDecoder<UNet<Exact>, Single>);
static_assert(std::is_same_v<backend_of<TinyNet<Exact>>, Exact>);
static_assert(std::is_same_v<backend_of<BackboneArchetype<Exact>>, Exact>);

struct NamesItsBackend {
    using Backend = Single;
};
static_assert(std::is_same_v<backend_of<NamesItsBackend>, Single>);

template <class N>
void keeps_the_laws(N& net, Index in_channels) {
    const Report report = check_backbone(net, {.in_channels = in_channels});
    INFO(report);
    CHECK(report.passed);
}

}  // namespace

TEST_CASE("U-Nets keep the laws of a backbone") {
    Exact exact;
    Random random{1};
    for (const Index depth : {1, 2}) {
        UNet net{exact, {.in_channels = 2, .width = 2, .depth = depth}, random};
        keeps_the_laws(net, 2);
    }
    UNet he{exact, {.in_channels = 1, .width = 3, .depth = 1, .initialiser = Initialiser::he_normal}, random};
    keeps_the_laws(he, 1);
}

TEST_CASE("residual nets keep the laws of a backbone") {
    Exact exact;
    Random random{2};
    for (const Index depth : {1, 2}) {
        ResidualNet net{exact, {.in_channels = 2, .width = 2, .depth = depth}, random};
        keeps_the_laws(net, 2);
    }
}

TEST_CASE("a user's backbone and the smallest one keep the laws of a backbone") {
    Exact exact;
    Random random{3};
    TinyNet net{exact, 1, random};
    keeps_the_laws(net, 1);
    BackboneArchetype smallest{exact, 3, random};
    keeps_the_laws(smallest, 3);
}

TEST_CASE("the published U-Net has 7,763,008 parameters") {
    Reference<float> backend;
    Random random{1};
    const UNet net{backend, {.in_channels = 3, .width = 32, .depth = 4}, random};
    CHECK(count_parameters(net) == 7763008);
    CHECK(net.feature_channels() == 32);
    CHECK(net.size_multiple() == 16);
}

TEST_CASE("a U-Net's parts go by the names of their level, counted from the input") {
    Exact exact;
    Random random{1};
    UNet net{exact, {.in_channels = 1, .width = 2, .depth = 2}, random};
    std::set<std::string> parts;
    visit_leaves(net, "", [&](const std::string& path, auto&) { parts.insert(path.substr(0, path.find('.'))); });
    CHECK(parts == std::set<std::string>{"encoder1", "encoder2", "bottleneck", "up1", "up2", "decoder1", "decoder2"});
    std::vector<std::string> first;
    visit_leaves(net, "", [&](const std::string& path, auto&) { first.push_back(path); });
    first.resize(7);
    CHECK(first == std::vector<std::string>{"encoder1.conv1.weight", "encoder1.norm1.weight", "encoder1.norm1.bias",
                                            "encoder1.norm1", "encoder1.conv2.weight", "encoder1.norm2.weight",
                                            "encoder1.norm2.bias"});
}

TEST_CASE("a U-Net is written out: block, pool, bottleneck, up, (upsampled, skip), block") {
    Exact exact;
    Random random{9};
    const UNet net{exact, {.in_channels = 1, .width = 2, .depth = 1}, random};
    const auto parameter = [&](const std::string& wanted) {
        const Parameter<Exact>* found = nullptr;
        visit_parameters(net, [&](const std::string& path, const Parameter<Exact>& p) {
            if (path == wanted) found = &p;
        });
        REQUIRE(found);
        return *found;
    };
    const Variable<Exact> x(random_values(exact, {1, 4, 6, 1}, random));
    // Fresh running statistics are mean 0 and variance 1, so that in evaluation a norm divides by √(1 + ε).
    const auto block = [&](const std::string& name, const Variable<Exact>& in) {
        Variable<Exact> y = in;
        for (const std::string i : {"1", "2"})
            y = relu(scale(convolve(y, parameter(name + ".conv" + i + ".weight"), nullptr, {3, 1, 1}),
                           1 / std::sqrt(1 + 1e-5)));
        return y;
    };
    const auto top = block("encoder1", x), bottom = block("bottleneck", max_pool2(top));
    const auto bias = parameter("up1.bias");
    const auto raised = transposed_convolve(bottom, parameter("up1.weight"), &bias);
    Pass<Exact> pass(exact);
    CHECK(distance(numbers(net.decode(net.encode(x, pass), pass)), numbers(block("decoder1", concat(raised, top)))) <
          by_rounding);
}

TEST_CASE("options out of range are named") {
    Exact exact;
    Random random{1};
    CHECK(error_of<OptionError>([&] { UNet net(exact, UNetOptions{.width = 0}, random); }) ==
          "UNet: channels must be positive, got 3 in, width 0");
    CHECK(error_of<OptionError>([&] { UNet net(exact, UNetOptions{.in_channels = -1}, random); }).find("got -1 in") !=
          std::string::npos);
    CHECK(error_of<OptionError>([&] { UNet net(exact, UNetOptions{.depth = 0}, random); }) ==
          "UNet: depth must be 1 to 10, got 0");
    CHECK(error_of<OptionError>([&] { ResidualNet net(exact, ResidualNetOptions{.depth = 11}, random); }) ==
          "ResidualNet: depth must be 1 to 10, got 11");
    CHECK(error_of<OptionError>([&] { ResidualNet net(exact, ResidualNetOptions{.width = 0}, random); }) ==
          "ResidualNet: channels must be positive, got 3 in, width 0");
}

TEST_CASE("a frame with other channels than the net takes is an error that says both") {
    Exact exact;
    Random random{1};
    const UNet net{exact, {.in_channels = 3, .width = 2, .depth = 1}, random};
    const Variable<Exact> grey(random_values(exact, {1, 4, 4, 1}, random));
    Pass<Exact> evaluation(exact);
    CHECK(error_of<ShapeError>([&] { net.encode(grey, evaluation); }) ==
          "convolve: the input (1, 4, 4, 1) has 1 channels, the weights (3, 3, 3, 2) take 3");
}
