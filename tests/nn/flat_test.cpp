#include <string>
#include <vector>

#include <mtdn/autograd/elements.hpp>
#include <mtdn/nn/conv_block.hpp>
#include <mtdn/nn/flat.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;

std::vector<double> all_values(auto& module) {
    std::vector<double> all;
    visit_parameters(module, [&](const std::string&, const auto& p) {
        for (const double value : download(p.value)) all.push_back(value);
    });
    return all;
}

}  // namespace

TEST_CASE("flattened parameters are views of one buffer, aligned to 16 elements, gaps zero, values kept") {
    Exact exact;
    Random random{1};
    ConvBlock<Exact> block(exact, 1, 3, random);
    const auto before = all_values(block);
    auto flat = flatten(exact, block);
    CHECK(all_values(block) == before);
    CHECK(flat.count() == count_parameters(block));
    CHECK(flat.gradients.empty());

    std::size_t i = 0;
    Index end = 0;
    auto rest = download(flat.values);
    visit_parameters(block, [&](const std::string& name, const Parameter<Exact>& p) {
        const auto& entry = flat.entries.at(i++);
        CHECK(entry.name == name);
        CHECK(entry.size == p.value.shape().size());
        CHECK(entry.kind == p.kind);
        CHECK(entry.offset % 16 == 0);
        CHECK(entry.offset == end);
        CHECK(p.value.data() == flat.values.data() + entry.offset);
        end = entry.offset + (entry.size + 15) / 16 * 16;
        std::fill_n(rest.begin() + entry.offset, entry.size, 0.0);
    });
    CHECK(i == flat.entries.size());
    CHECK(flat.values.shape() == vector_shape(end));
    CHECK(largest(rest) == 0);

    exact.fill(flat.values, 2);
    CHECK(all_values(block) == std::vector<double>(before.size(), 2.0));
}

TEST_CASE("gradients are a twin of the parameters, zero at first, and gather what training adds") {
    Exact exact;
    Random random{1};
    ConvBlock<Exact> block(exact, 1, 2, random);
    auto flat = flatten(exact, block);
    enable_gradients(flat, block);
    CHECK(flat.gradients.shape() == flat.values.shape());
    CHECK(largest(download(flat.gradients)) == 0);
    std::size_t i = 0;
    visit_parameters(block, [&](const std::string&, const Parameter<Exact>& p) {
        CHECK(p.gradient.data() == flat.gradients.data() + flat.entries[i++].offset);
        CHECK(p.gradient.shape() == p.value.shape());
    });
    Tape<Exact> tape(exact);
    Pass<Exact> pass(tape);
    const auto y = block(pass.input(random_values(exact, {2, 4, 4, 1}, random)), pass);
    tape.backward(sum(multiply(y, y)));
    const auto gathered = download(flat.gradients);
    CHECK(largest(gathered) > 0);
    enable_gradients(flat, block);  // asked for again, it leaves what is there
    CHECK(download(flat.gradients) == gathered);
}

TEST_CASE("whether a parameter is trainable is read when gradients are enabled") {
    Exact exact;
    Random random{1};
    Conv2d<Exact> conv(exact, {.in = 1, .out = 2}, random);
    auto flat = flatten(exact, conv);
    visit_parameters(conv, [](const std::string& name, auto& p) { p.trainable = name != "weight"; });
    enable_gradients(flat, conv);
    CHECK_FALSE(flat.entries[0].trainable);
    CHECK(flat.entries[1].trainable);
    CHECK_FALSE(conv.weight().wants_gradient());
    CHECK(conv.bias()->wants_gradient());
}
