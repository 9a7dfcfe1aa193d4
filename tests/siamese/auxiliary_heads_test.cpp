#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/backbone/residual.hpp>
#include <mtdn/backbone/unet.hpp>
#include <mtdn/loss/focal.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/siamese/siamese.hpp>
#include <mtdn/siamese/single_frame.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;

// Sides that are no multiples, three levels, of which two are coarser ones that a decoder gives.
struct Deep {
    Exact exact;
    Random random{5};
    std::vector<Pair> pairs{{0, 2}, {1, 1}, {2, 0}};

    Values frames(Index count = 3) { return random_values(exact, {count, 9, 11, 1}, random); }
    auto siamese(Index depth = 3) {
        return Siamese{
            UNet{exact, {.in_channels = 1, .width = 2, .depth = depth}, random}, Concatenate{}, {"A1", "A2"}, random};
    }
    template <class Model>
    auto auxiliary_parameters(Model& model, const std::string& prefix) {
        std::vector<std::pair<std::string, Parameter<Exact>*>> found;
        visit_parameters(model, [&](const std::string& path, Parameter<Exact>& p) {
            if (path.starts_with(prefix)) found.emplace_back(path, &p);
        });
        return found;
    }
    // Σ of the focal losses of a model's logits, each by its own factor.
    X loss(const LevelLogits<Exact>& logits, const LabelTensor& truth, std::size_t first) {
        const FocalLoss<Exact> focal(exact);
        X total;
        for (std::size_t i = first; i < logits.size(); ++i) {
            const X term = scale(focal(logits[i], truth), 1 / (1.0 + static_cast<double>(i)));
            total = total.empty() ? term : add(total, term);
        }
        return total;
    }
};

}  // namespace

TEST_CASE_METHOD(Deep, "auxiliary heads add parts behind the others, and change neither features nor logits") {
    auto model = siamese();
    const auto before = state_of(model);
    const Values x = frames();
    const auto logits = [&] {
        Pass<Exact> pass(exact);
        return numbers(model.compare(model.features(pass.input(x), pass), pairs, pass)[1]);
    };
    const auto plain = logits();
    model.add_auxiliary_heads(random);
    const auto after = state_of(model);
    REQUIRE(after.size() == before.size() + 8);  // weight and bias, of two levels and tasks
    for (std::size_t i = 0; i < before.size(); ++i) {
        CHECK(after[i].first == before[i].first);
        CHECK(after[i].second.values == before[i].second.values);
    }
    CHECK(after[before.size()].first == "auxiliary.level1.A1.weight");
    CHECK(after[before.size()].second.shape == std::vector<Index>{4, 8, 1, 1});  // 2 × 4 channels at half resolution
    CHECK(after.back().first == "auxiliary.level2.A2.bias");
    CHECK(model.parameters().count() == count_parameters(model));
    CHECK(logits() == plain);
    model.add_auxiliary_heads(random);
    CHECK(state_of(model).back().second.values == after.back().second.values);

    Pass<Exact> pass(exact);
    const auto levels = model.logits_of_levels(pass.input(x), pairs, pass);
    REQUIRE(levels.size() == 6);
    for (const X& map : levels) CHECK(map.shape() == Shape{3, 9, 11, 4});
    CHECK(numbers(levels[1]) == plain);
}

TEST_CASE_METHOD(Deep, "a coarse level's loss is that against the shares of the labels in its squares") {
    // One frame, 3 × 4 pixels, padded to 4 × 4: two rows of two squares, of which the lower ones have one row left.
    const Values map = values(exact, {1, 2, 2, 2}, {0.4, -0.3, 1.2, 0.1, -0.7, 0.5, 0.2, 0.9});
    AuxiliaryHeads<Exact> heads = mtdn::detail::auxiliary_heads(exact, {2}, {"A1"}, 3, random);
    Pass<Exact> pass(exact);
    LevelLogits<Exact> logits;
    mtdn::detail::append_logits_of_level(heads, 1, 1, pass.input(map), {1, 3, 4, 1}, pass, logits);
    REQUIRE(logits.size() == 1);
    REQUIRE(logits[0].shape() == Shape{1, 3, 4, 3});
    // A line of class 2 one pixel wide, which no majority would keep; a pixel that is not labelled.
    const auto truth = labels(exact, {1, 3, 4, 3}, {0, 2, 1, 1,  //
                                                    0, 2, 1, 1,  //
                                                    0, 0, 2, 255});
    const double shares[4][3] = {{2, 0, 2}, {0, 4, 0}, {2, 0, 0}, {0, 0, 1}};  // pixels of each square, by class
    const auto coarse = numbers(heads[0].second(pass.input(map), pass));
    double expected = 0;
    for (int square = 0; square < 4; ++square) {
        double sum = 0;
        for (int c = 0; c < 3; ++c) sum += std::exp(coarse[static_cast<std::size_t>(3 * square + c)]);
        for (int c = 0; c < 3; ++c) {
            const double p = std::exp(coarse[static_cast<std::size_t>(3 * square + c)]) / sum;
            expected -= shares[square][c] * (1 - p) * (1 - p) * std::log(p) / 11;
        }
    }
    CHECK(numbers(FocalLoss<Exact>(exact)(logits[0], truth)).front() == Approx(expected).epsilon(1e-12));
}

TEST_CASE_METHOD(Deep,
                 "gradients go through the auxiliary heads into the decoder, with and without the tasks' own heads") {
    auto model = siamese();
    model.add_auxiliary_heads(random);
    const Values x = frames();
    const auto truth = random_labels(exact, {3, 9, 11, 4}, 4, random);
    const std::size_t first = GENERATE(std::size_t{0}, std::size_t{2});
    const auto forward = [&](Tape<Exact>& tape) {
        Pass<Exact> pass(tape);
        return loss(model.logits_of_levels(pass.input(x), pairs, pass), truth, first);
    };
    for (const std::string part :
         {"auxiliary.", "backbone.decoder2.", "backbone.decoder3.", "backbone.up3.", "backbone.encoder1."}) {
        const auto parameters = auxiliary_parameters(model, part);
        REQUIRE_FALSE(parameters.empty());
        const Report report = check_parameter_gradients<Exact>(part, forward, parameters);
        INFO(report);
        CHECK(report.passed);
    }
}

TEST_CASE_METHOD(Deep, "a single-frame model, and a residual net, have auxiliary heads as well") {
    SingleFrame model{ResidualNet{exact, {.in_channels = 1, .width = 2, .depth = 2}, random}, {"A1"}, random};
    model.add_auxiliary_heads(random);
    const Values x = frames(2);
    const auto truth = random_labels(exact, {2, 9, 11, 2}, 2, random);
    const Report report = check_parameter_gradients<Exact>(
        "single frame",
        [&](Tape<Exact>& tape) {
            Pass<Exact> pass(tape);
            const auto logits = model.logits_of_levels(pass.input(x), pass);
            REQUIRE(logits.size() == 2);
            return loss(logits, truth, 0);
        },
        auxiliary_parameters(model, "auxiliary."));
    INFO(report);
    CHECK(report.passed);
}

TEST_CASE_METHOD(Deep, "a decoder of one halving has no coarser level to supervise, and that is said") {
    auto model = siamese(1);
    CHECK(error_of<OptionError>([&] { model.add_auxiliary_heads(random); }).find("two halvings") != std::string::npos);
}
