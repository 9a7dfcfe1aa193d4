#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/nn/conv_block.hpp>
#include <mtdn/nn/testing/archetypes.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;

/// One part of every kind that `visit` may name.
struct Parts {
    Parameter<Exact> parameter;
    RunningStatistics<Exact> statistics;
    std::optional<Parameter<Exact>> given, absent;
    std::vector<ModuleArchetype<Exact>> numbered;
    std::vector<std::pair<std::string, ModuleArchetype<Exact>>> named;
    ModuleArchetype<Exact> inner;

    explicit Parts(Exact& exact)
        : parameter(make(exact)), statistics(exact, 3), given(make(exact)), inner{make(exact)} {
        for (int i = 0; i < 2; ++i) numbered.push_back({make(exact)});
        named.emplace_back("left", ModuleArchetype<Exact>{make(exact)});
        named.emplace_back("right", ModuleArchetype<Exact>{make(exact)});
    }
    static Parameter<Exact> make(Exact& exact) { return {exact, vector_shape(3), ParameterKind::vector}; }

    static void visit(auto& self, auto&& visitor) {
        visitor("parameter", self.parameter);
        visitor("statistics", self.statistics);
        visitor("given", self.given);
        visitor("absent", self.absent);
        visitor("numbered", self.numbered);
        visitor("named", self.named);
        visitor("", self.inner);
    }
};
static_assert(Module<Parts> && Module<ConvBlock<Exact>> && Module<Conv2d<Exact>> && Module<BatchNorm2d<Exact>>);

struct WithoutVisit {};
struct OnlyMutable {
    static void visit(OnlyMutable&, auto&&) {}
};
static_assert(!Module<WithoutVisit> && !Module<OnlyMutable> && !Module<int>);

std::vector<std::string> names(auto& module) {
    std::vector<std::string> all;
    visit_leaves(module, "", [&](const std::string& path, auto&) { all.push_back(path); });
    return all;
}

}  // namespace

TEST_CASE("parts of every kind have the path that their kind gives them") {
    Exact exact;
    Parts parts(exact);
    const std::vector<std::string> expected{
        "parameter",       "statistics",       "given", "numbered.0.gain", "numbered.1.gain",
        "named.left.gain", "named.right.gain", "gain"};
    CHECK(names(parts) == expected);
    CHECK(names(std::as_const(parts)) == expected);
    std::vector<std::string> parameters;
    visit_parameters(parts, [&](const std::string& path, const auto&) { parameters.push_back(path); });
    CHECK(parameters.size() == 7);  // the statistics are none
    CHECK(count_parameters(parts) == 21);
}

TEST_CASE("a block's parameters are named and counted as in PyTorch") {
    Exact exact;
    Random random{1};
    const ConvBlock<Exact> block(exact, 3, 4, random);
    CHECK(names(block) == std::vector<std::string>{"conv1.weight", "norm1.weight", "norm1.bias", "norm1",
                                                   "conv2.weight", "norm2.weight", "norm2.bias", "norm2"});
    CHECK(count_parameters(block) == 3 * 4 * 9 + 2 * 4 + 4 * 4 * 9 + 2 * 4);
    const Conv2d<Exact> conv(exact, {.in = 3, .out = 5, .kernel = 1}, random);
    CHECK(count_parameters(conv) == 3 * 5 + 5);
    const ConvTranspose2d<Exact> up(exact, 6, 3, random);
    CHECK(count_parameters(up) == 6 * 3 * 4 + 3);
}
