#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <mtdn/nn/conv_block.hpp>
#include <mtdn/nn/flat.hpp>
#include <mtdn/nn/state.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;

/// A convolution, a transposed one and a norm: every layout there is.
struct Net {
    Conv2d<Exact> conv;
    ConvTranspose2d<Exact> up;
    BatchNorm2d<Exact> norm;

    Net(Exact& exact, Random& random)
        : conv(exact, {.in = 2, .out = 3}, random), up(exact, 2, 3, random), norm(exact, 3) {}
    static void visit(auto& self, auto&& visitor) {
        visitor("conv", self.conv);
        visitor("up", self.up);
        visitor("norm", self.norm);
    }
};

StateTensor& at(StateDictionary& state, const std::string& name) {
    for (auto& entry : state)
        if (entry.first == name) return entry.second;
    FAIL("no " << name);
    return state.front().second;
}

void require_equal(const StateDictionary& a, const StateDictionary& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK(a[i].first == b[i].first);
        CHECK(a[i].second.shape == b[i].second.shape);
        CHECK(a[i].second.values == b[i].second.values);
        CHECK(a[i].second.counter == b[i].second.counter);
    }
}

}  // namespace

TEST_CASE("a state has PyTorch's names and shapes, in the order of the visit") {
    Exact exact;
    Random random{1};
    const Net net(exact, random);
    struct Row {
        std::string name;
        std::vector<Index> shape;
        bool counter;
    };
    const std::vector<Row> rows{{"conv.weight", {3, 2, 3, 3}, false},  {"conv.bias", {3}, false},
                                {"up.weight", {2, 3, 2, 2}, false},    {"up.bias", {3}, false},
                                {"norm.weight", {3}, false},           {"norm.bias", {3}, false},
                                {"norm.running_mean", {3}, false},     {"norm.running_var", {3}, false},
                                {"norm.num_batches_tracked", {}, true}};
    const auto state = state_of(net);
    REQUIRE(state.size() == rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(state[i].first == rows[i].name);
        CHECK(state[i].second.shape == rows[i].shape);
        CHECK(state[i].second.counter == rows[i].counter);
    }
}

TEST_CASE(
    "a convolution (row, column, in, out) is stored (out, in, row, column), a transposed one (in, out, row, column)") {
    Exact exact;
    Random random{1};
    Net net(exact, random);
    for (const std::string name : {"conv.weight", "up.weight"}) {
        const bool transposed = name == "up.weight";
        const Parameter<Exact>* parameter = nullptr;
        visit_parameters(net, [&](const std::string& path, const Parameter<Exact>& p) {
            if (path == name) parameter = &p;
        });
        const Index kernel = transposed ? 2 : 3, in = 2, out = 3;
        const auto ours = download(parameter->value);
        auto state = state_of(net);
        const auto& theirs = at(state, name).values;
        for (Index row = 0; row < kernel; ++row)
            for (Index column = 0; column < kernel; ++column)
                for (Index i = 0; i < in; ++i)
                    for (Index o = 0; o < out; ++o) {
                        const Index here = ((row * kernel + column) * in + i) * out + o;
                        const Index plane = transposed ? i * out + o : o * in + i;
                        const Index there = (plane * kernel + row) * kernel + column;
                        CHECK(theirs[static_cast<std::size_t>(there)] == ours[static_cast<std::size_t>(here)]);
                    }
    }
}

TEST_CASE("a state loads into another net, flat or not, and is then its state") {
    Exact exact;
    Random random{1}, other{2};
    Net net(exact, random), target(exact, other), flat_target(exact, other);
    auto flat = flatten(exact, flat_target);
    exact.fill(net.norm.running().mean, 0.5);
    *net.norm.running().batches = 41;
    const auto state = state_of(net);
    const auto version = target.conv.weight().version;
    CHECK(load_state(target, state, "a.safetensors").empty());
    require_equal(state_of(target), state);
    CHECK(target.conv.weight().version > version);
    CHECK(load_state(flat_target, state, "a.safetensors").empty());
    require_equal(state_of(flat_target), state);
    CHECK(flat_target.conv.weight().value.data() == flat.values.data());
}

TEST_CASE("tensors without a place are reported, and a missing counter is 0") {
    Exact exact;
    Random random{1};
    Net net(exact, random);
    *net.norm.running().batches = 7;
    auto state = state_of(net);
    state.insert(state.begin(), {"classifier.weight", StateTensor{{1}, {0}, false}});
    state.pop_back();
    CHECK(load_state(net, state, "x") == std::vector<std::string>{"classifier.weight"});
    CHECK(*net.norm.running().batches == 0);
}

TEST_CASE("what does not fit is named with file, tensor and both shapes, and nothing is loaded") {
    Exact exact;
    Random random{1}, other{2};
    const Net source(exact, random);
    Net target(exact, other);
    const auto untouched = state_of(target);
    const auto message = [&](const std::function<void(StateDictionary&)>& damage) {
        auto state = state_of(source);
        damage(state);
        const std::string text = error_of<Error>([&] { load_state(target, state, "weights.safetensors"); });
        require_equal(state_of(target), untouched);
        return text;
    };
    CHECK(message([](auto& s) { s.erase(s.begin() + 4); }) == "weights.safetensors: tensor \"norm.weight\" is missing");
    CHECK(message([](auto& s) {
              at(s, "up.weight").shape = {3, 2, 2, 2};
          }) == "weights.safetensors: tensor \"up.weight\" has shape (3, 2, 2, 2), the model expects (2, 3, 2, 2)");
    for (const double bad :
         std::initializer_list<double>{std::numeric_limits<double>::quiet_NaN(), INFINITY, -INFINITY})
        CHECK(message([bad](auto& s) { at(s, "norm.running_var").values[2] = bad; }) ==
              "weights.safetensors: tensor \"norm.running_var\" holds NaN or infinity");
    auto state = state_of(source);
    state.erase(state.begin());
    CHECK_THROWS_AS(load_state(target, state, ""), DataError);
    state = state_of(source);
    state[0].second.shape = {1};
    CHECK_THROWS_AS(load_state(target, state, ""), ShapeError);
}
