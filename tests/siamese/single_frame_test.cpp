#include <string>
#include <vector>

#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/backbone/residual.hpp>
#include <mtdn/backbone/unet.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/siamese/single_frame.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

using namespace mtdn;
using namespace mtdn::testing;

TEST_CASE("the published U-Net baseline has 7,763,074 parameters") {
    Reference<float> backend;
    Random random{1};
    const SingleFrame model{UNet{backend, {.in_channels = 3, .width = 32}, random}, {"A1"}, random};
    CHECK(count_parameters(model) == 7763074);
}

TEST_CASE("a frame's logits for every task, of any backbone, at the frame's size") {
    Exact exact;
    Random random{2};
    const SingleFrame model{
        ResidualNet{exact, {.in_channels = 1, .width = 2, .depth = 2}, random}, {"A1", "A2"}, random};
    const Values x = random_values(exact, {3, 5, 7, 1}, random);
    Pass<Exact> pass(exact);
    const auto logits = model.segment(pass.input(x), pass);
    REQUIRE(logits.size() == 2);
    for (const auto& task : logits) CHECK(task.shape() == Shape{3, 5, 7, 2});
    const auto all = numbers(logits[1]);
    for (Index i = 0; i < 3; ++i) {
        const auto alone = numbers(model.segment(pass.input(x.frames(i, 1)), pass)[1]);
        CHECK(std::equal(alone.begin(), alone.end(), all.begin() + i * 70));
    }
    CHECK(state_of(model).back().first == "outputs.A2.bias");
    CHECK(error_of<ShapeError>([&] {
              model.segment(pass.input(random_values(exact, {1, 3, 9, 1}, random)), pass);
          }).find("SingleFrame: frames (1, 3, 9, 1) have a side shorter than the backbone's multiple 4") == 0);
    CHECK(error_of<OptionError>([&] {
              SingleFrame(ResidualNet{exact, {.width = 2, .depth = 1}, random}, std::vector<std::string>{}, random);
          }) == "SingleFrame: no task");
    CHECK(error_of<OptionError>([&] {
              SingleFrame(ResidualNet{exact, {.width = 2, .depth = 1}, random}, std::vector<std::string>{"A", "A"},
                          random);
          }) == "SingleFrame: task \"A\" is there twice");
}

TEST_CASE("gradients of the baseline") {
    Exact exact;
    Random random{2};
    SingleFrame model{UNet{exact, {.in_channels = 1, .width = 2, .depth = 1}, random}, {"A1", "A2"}, random};
    const Values x = random_values(exact, {2, 5, 4, 1}, random);
    std::vector<std::pair<std::string, Parameter<Exact>*>> parameters;
    visit_parameters(model, [&](const std::string& path, auto& p) { parameters.emplace_back(path, &p); });
    const Report report = check_parameter_gradients(
        "SingleFrame",
        [&](Tape<Exact>& tape) {
            Pass<Exact> pass(tape);
            const auto logits = model.segment(pass.input(x), pass);
            return concat(logits[0], logits[1]);
        },
        parameters);
    INFO(report);
    CHECK(report.passed);
}
