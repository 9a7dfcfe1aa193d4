#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/backbone/residual.hpp>
#include <mtdn/backbone/unet.hpp>
#include <mtdn/loss/weighted_sum.hpp>
#include <mtdn/nn/state.hpp>
#include <mtdn/siamese/siamese.hpp>
#include <mtdn/siamese/testing/archetypes.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;

struct Small {
    Exact exact;
    Random random{5};
    UNetOptions options{.in_channels = 1, .width = 2, .depth = 1};

    auto model(std::vector<std::string> tasks = {"A1", "A2"}) {
        return Siamese{UNet{exact, options, random}, Concatenate{}, std::move(tasks), random};
    }
    Values frames(Index count, Index height = 8, Index width = 6) {
        return random_values(exact, {count, height, width, options.in_channels}, random);
    }
    std::vector<double> features(const auto& model, const Values& x) {
        Pass<Exact> pass(exact);
        return numbers(model.features(pass.input(x), pass));
    }
    /// One vector a task.
    std::vector<std::vector<double>> compare(const auto& model, const Values& x, const std::vector<Pair>& pairs,
                                             HeadSplit split = HeadSplit::automatic) {
        Pass<Exact> pass(exact);
        std::vector<std::vector<double>> all;
        for (const X& logits : model.compare(model.features(pass.input(x), pass), pairs, pass, split))
            all.push_back(numbers(logits));
        return all;
    }
    /// Running statistics that differ from where they begin, as after training.
    void train_statistics(auto& model) {
        Tape<Exact> tape(exact);
        Pass<Exact> pass(tape);
        model.compare(model.features(pass.input(frames(4)), pass), std::vector<Pair>{{0, 1}, {2, 3}}, pass);
        pass.commit();
    }
};

std::vector<double> piece(const std::vector<double>& all, std::size_t i, std::size_t of) {
    const auto size = static_cast<std::ptrdiff_t>(all.size() / of), begin = static_cast<std::ptrdiff_t>(i) * size;
    return {all.begin() + begin, all.begin() + begin + size};
}

std::vector<double> statistics(const auto& model) {
    std::vector<double> all;
    for (const auto& [name, tensor] : state_of(model))
        if (name.find("running") != std::string::npos || tensor.counter)
            all.insert(all.end(), tensor.values.begin(), tensor.values.end());
    return all;
}

}  // namespace

TEST_CASE("the published two-task model has 7,884,172 parameters, 60,582 in each head") {
    Reference<float> backend;
    Random random{1};
    const Siamese model{UNet{backend, {.in_channels = 3, .width = 32}, random}, Concatenate{}, {"A1", "A2"}, random};
    CHECK(count_parameters(model) == 7884172);
    CHECK(count_parameters(model.backbone()) == 7763008);
    for (const auto& head : model.heads()) CHECK(count_parameters(head.second) == 60582);
    CHECK(model.parameters().count() == 7884172);
}

TEST_CASE_METHOD(Small, "parts go by their paths, tasks by their names") {
    const auto net = model({"outer", "core"});
    CHECK(net.tasks() == std::vector<std::string>{"outer", "core"});
    const auto state = state_of(net);
    CHECK(state.front().first == "backbone.encoder1.conv1.weight");
    CHECK(state.back().first == "heads.core.12.bias");
    const auto has = [&](const std::string& name) {
        return std::any_of(state.begin(), state.end(), [&](const auto& entry) { return entry.first == name; });
    };
    CHECK(has("heads.outer.0.weight"));
    CHECK(has("heads.outer.1.running_mean"));
    CHECK(has("backbone.up1.bias"));
}

TEST_CASE_METHOD(Small, "compare: a pair's logits are the head of the two frames' fused features") {
    auto net = model();
    train_statistics(net);
    const Values x = frames(3);
    const std::vector<Pair> pairs{{0, 2}, {1, 1}, {2, 0}, {0, 2}};
    const auto logits = compare(net, x, pairs);
    REQUIRE(logits.size() == 2);
    Pass<Exact> pass(exact);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const auto map = [&](Index frame) { return net.features(pass.input(x.frames(frame, 1)), pass); };
        const X fused = concat(map(pairs[i].query), map(pairs[i].partner));
        for (std::size_t task = 0; task < 2; ++task)
            CHECK(distance(piece(logits[task], i, 4), numbers(net.heads()[task].second(fused, pass))) < by_rounding);
    }
    CHECK(distance(piece(logits[0], 0, 4), piece(logits[0], 2, 4)) > 1e-6);  // the order of the slots matters
    CHECK(piece(logits[0], 0, 4) == piece(logits[0], 3, 4));
    CHECK(distance(logits[0], logits[1]) > 1e-6);  // each task has a head of its own
}

TEST_CASE_METHOD(Small,
                 "in evaluation a frame's features do not depend on its batch, nor a pair's logits on other pairs") {
    auto net = model();
    train_statistics(net);
    const Values x = frames(5);
    const auto all = features(net, x);
    for (Index i = 0; i < 5; ++i) CHECK(features(net, x.frames(i, 1)) == piece(all, static_cast<std::size_t>(i), 5));
    std::vector<Pair> clique;
    for (Index i = 0; i < 3; ++i)
        for (Index j = 0; j < 3; ++j) clique.push_back({i, j});
    const auto together = compare(net, x, clique);
    for (std::size_t i = 0; i < clique.size(); ++i) {
        // Together, the heads' first convolutions are run once a frame and added: the sums are rounded elsewhere.
        const auto alone = compare(net, x, {clique[i]}), split = compare(net, x, {clique[i]}, HeadSplit::always);
        for (std::size_t task = 0; task < 2; ++task) {
            CHECK(distance(alone[task], piece(together[task], i, clique.size())) < by_rounding);
            CHECK(split[task] == piece(together[task], i, clique.size()));
        }
    }
}

TEST_CASE_METHOD(Small, "frames of any size: the last row and column repeated to the multiple, features cropped back") {
    options.depth = 2;
    auto net = model();
    train_statistics(net);
    for (const auto& [height, width] : {std::pair<Index, Index>{5, 7}, {4, 9}, {11, 8}, {8, 12}}) {
        const Values x = frames(2, height, width);
        const auto up = [](Index side) { return (side + 3) / 4 * 4; };
        Values padded(exact, {2, up(height), up(width), 1});
        for (Index n = 0; n < 2; ++n)
            for (Index i = 0; i < up(height); ++i)
                for (Index j = 0; j < up(width); ++j)
                    padded.data()[(n * up(height) + i) * up(width) + j] =
                        x.data()[(n * height + std::min(i, height - 1)) * width + std::min(j, width - 1)];
        Pass<Exact> pass(exact);
        const X y = net.features(pass.input(x), pass);
        CHECK(y.shape() == Shape{2, height, width, 2});
        const X whole = net.backbone().decode(net.backbone().encode(pass.input(padded), pass), pass);
        CHECK(numbers(y) == numbers(crop(whole, height, width)));
        CHECK(net.compare(y, std::vector<Pair>{{0, 1}}, pass)[1].shape() == Shape{1, height, width, 4});
    }
}

TEST_CASE_METHOD(Small, "a frame shorter than the multiple is an error that says which depth would do") {
    options.depth = 3;
    const auto net = model();
    Pass<Exact> pass(exact);
    const auto message = [&](Index height, Index width) {
        return error_of<ShapeError>([&] { net.features(pass.input(frames(1, height, width)), pass); });
    };
    CHECK(
        message(7, 20) ==
        "Siamese: frames (1, 7, 20, 1) have a side shorter than the backbone's multiple 8; a backbone of multiple 4 or "
        "less would do (U-Net: depth 2)");
    CHECK(message(20, 3).find("multiple 2 or less would do (U-Net: depth 1)") != std::string::npos);
    CHECK(message(8, 8).empty());
}

TEST_CASE_METHOD(Small, "two groups are two calls of the backbone: features, gradients and running statistics") {
    const Values x = frames(4), first = x.frames(0, 2), second = x.frames(2, 2);
    const std::vector<Pair> pairs{{0, 2}, {1, 3}};
    struct Result {
        std::vector<double> loss, gradients, statistics;
    };
    const auto run = [&](Index groups, bool two_calls) {
        random = Random{5};
        auto net = model();
        enable_gradients(net.parameters(), net);
        Tape<Exact> tape(exact);
        Pass<Exact> pass(tape);
        pass.set_groups(groups);
        InlineVector<X, 4> logits;
        if (two_calls) {
            const X a = net.features(pass.input(first), pass), b = net.features(pass.input(second), pass);
            for (const auto& head : net.heads()) logits.push_back(head.second(concat(a, b), pass));
        } else {
            logits = net.compare(net.features(pass.input(x), pass), pairs, pass);
        }
        CHECK(pass.groups() == groups);
        const X loss = add(sum(multiply(logits[0], logits[0])), sum(softmax(multiply(logits[1], logits[0]))));
        tape.backward(loss);
        pass.commit();
        return Result{numbers(loss), download(net.parameters().gradients), statistics(net)};
    };
    const Result grouped = run(2, false), called = run(1, true), stacked = run(1, false);
    CHECK(distance(grouped.loss, called.loss) < 1e-10);
    CHECK(distance(grouped.gradients, called.gradients) < 1e-11 * (1 + largest(called.gradients)));
    CHECK(distance(grouped.statistics, called.statistics) < by_rounding);
    CHECK(distance(stacked.loss, called.loss) > 1e-3);
    CHECK(distance(stacked.statistics, called.statistics) > 1e-3);
}

TEST_CASE_METHOD(Small, "gradients of a whole model by finite differences, for every feature fusion") {
    for (const std::string name : {"concat", "difference", "absolute", "product"}) {
        Siamese net{UNet{exact, options, random}, feature_fusion<Exact>(name), {"A1", "A2"}, random, {.widths = {3}}};
        CHECK(net.fusion().name() == name);
        // A self-pair's difference is 0, and so is a fresh norm's bias: right on the kink of ReLU.
        const Values shift = random_values(exact, net.parameters().values.shape(), random, -0.1, 0.1);
        exact.accumulate(shift, net.parameters().values);
        const Values x = frames(3, 5, 4);
        const LabelTensor truth = random_labels(exact, {3, 5, 4, 1}, 4, random);
        const auto loss = make_loss(exact, {.name = "focal+dice"});
        std::vector<std::pair<std::string, Parameter<Exact>*>> parameters;
        visit_parameters(net, [&](const std::string& path, auto& p) { parameters.emplace_back(path, &p); });
        const auto forward = [&](Tape<Exact>& tape) {
            Pass<Exact> pass(tape);
            const std::vector<Pair> pairs{{0, 1}, {2, 2}, {1, 0}};
            const auto logits = net.compare(net.features(pass.input(x), pass), pairs, pass);
            return add(loss(logits[0], truth), loss(logits[1], truth));
        };
        const Report report = check_parameter_gradients(name, forward, parameters);
        INFO(report);
        CHECK(report.passed);
    }
}

TEST_CASE_METHOD(Small, "any number of tasks, any widths, any head") {
    const Values x = frames(2);
    for (const std::size_t count : {1, 3, 5}) {
        std::vector<std::string> tasks;
        for (std::size_t i = 0; i < count; ++i) tasks.push_back("task" + std::to_string(i));
        const auto net = model(tasks);
        CHECK(compare(net, x, {{0, 1}}).size() == count);
    }
    const Siamese wide{UNet{exact, options, random}, Difference{}, {"A"}, random, {.widths = {4, 7}, .classes = 3}};
    CHECK(wide.heads()[0].second.widths() == std::vector<Index>{4, 7});
    CHECK(compare(wide, x, {{0, 1}})[0].size() == 8 * 6 * 3);
    //[factory
    const auto factory = [&](Exact& backend, const std::string&, Index fused, Index) {
        return HeadArchetype<Exact>(backend, fused, random);
    };
    const Siamese<ResidualNet<Exact>, Product, HeadArchetype<Exact>> own(
        ResidualNet{exact, {.in_channels = 1, .width = 2, .depth = 1}, random}, Product{}, {"A", "B"}, factory);
    //]
    CHECK(compare(own, x, {{0, 1}, {1, 0}})[1].size() == 2 * 8 * 6 * 4);
    CHECK(state_of(own).back().first == "heads.B.classify.bias");
}

TEST_CASE_METHOD(Small, "a model that was moved is the same model") {
    auto net = model();
    const Values x = frames(2);
    const auto before = compare(net, x, {{0, 1}});
    net.set_size(64);
    const auto moved = std::move(net);
    CHECK(compare(moved, x, {{0, 1}}) == before);
    CHECK(moved.size() == 64);
    CHECK(&moved.backend() == &exact);
    exact.fill(moved.parameters().values, 0);
    CHECK(largest(compare(moved, x, {{0, 1}})[0]) == 0);
}

TEST_CASE_METHOD(Small, "a forward pass of a model changes nothing until commit") {
    const auto net = model();
    const auto before = state_of(net);
    Tape<Exact> tape(exact);
    Pass<Exact> pass(tape);
    const Values x = frames(2);
    const auto once = numbers(net.compare(net.features(pass.input(x), pass), std::vector<Pair>{{0, 1}}, pass)[0]);
    const auto again = numbers(net.compare(net.features(pass.input(x), pass), std::vector<Pair>{{0, 1}}, pass)[0]);
    CHECK(again == once);
    const auto after = state_of(net);
    for (std::size_t i = 0; i < before.size(); ++i) CHECK(after[i].second.values == before[i].second.values);
}

TEST_CASE_METHOD(Small, "what cannot be is named") {
    CHECK(error_of<OptionError>([&] { model({}); }) == "Siamese: no task");
    CHECK(error_of<OptionError>([&] { model({"A1", "A2", "A1"}); }) == "Siamese: task \"A1\" is there twice");
    const auto net = model();
    CHECK(error_of<ShapeError>([&] { compare(net, frames(2), {{0, 2}}); }).find("frame 2 of 2") != std::string::npos);
    Pass<Exact> pass(exact);
    const Values colour = random_values(exact, {1, 8, 8, 3}, random);
    CHECK(error_of<ShapeError>([&] { net.features(pass.input(colour), pass); }).find("(1, 8, 8, 3) has 3 channels") !=
          std::string::npos);
}
