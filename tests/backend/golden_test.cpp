#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <mtdn/backend/reference.hpp>

#include "support/catch.hpp"
#include "support/project.hpp"

using namespace mtdn;

namespace {

using Exact = Reference<double>;
using Values = Tensor<Exact>;

/// One case of golden.txt: an operation's options and tensors, as PyTorch computed them.
struct Golden {
    std::string name;
    std::map<std::string, double> options;
    std::map<std::string, Values> tensors;

    const Values& operator[](const std::string& key) const { return tensors.at(key); }
    Index integer(const std::string& key) const { return static_cast<Index>(options.at(key)); }
};

Exact exact;

const std::vector<Golden>& all_golden() {
    static const std::vector<Golden> all = [] {
        std::vector<Golden> read;
        for (const auto& line : testing::read_lines(testing::project_root() / "tests/backend/golden/golden.txt")) {
            std::istringstream words(line);
            std::string kind, name;
            words >> kind >> name;
            if (kind == "case") {
                read.push_back({name, {}, {}});
                for (std::string option; words >> option;) {
                    const auto equals = option.find('=');
                    read.back().options[option.substr(0, equals)] = std::stod(option.substr(equals + 1));
                }
            } else {
                Shape shape;
                words >> shape.frames >> shape.height >> shape.width >> shape.channels;
                Values values(exact, shape);
                std::string word;
                for (Index i = 0; i < shape.size(); ++i) {
                    words >> word;
                    values.data()[i] = std::strtod(word.c_str(), nullptr);
                }
                read.back().tensors[name] = values;
            }
        }
        return read;
    }();
    return all;
}

/// The cases of one operation; there are some.
std::vector<Golden> golden(const std::string& name) {
    std::vector<Golden> found;
    for (const auto& each : all_golden())
        if (each.name == name) found.push_back(each);
    REQUIRE(!found.empty());
    return found;
}

/// A tensor of the expected one's shape, holding 0.
Values zeros_like(const Values& expected) {
    Values values(exact, expected.shape());
    exact.fill(values, 0);
    return values;
}

Values copy_of(const Values& x) {
    Values copy(exact, x.shape());
    exact.copy(x, copy);
    return copy;
}

// PyTorch sums in double precision, some hundred terms at most: 1e-14 of the largest value; a hundredfold is allowed.
void check_equal(const Values& ours, const Values& expected, const std::string& what) {
    INFO(what);
    REQUIRE(ours.shape() == expected.shape());
    double error = 0, largest = 0;
    for (Index i = 0; i < expected.shape().size(); ++i) {
        REQUIRE(std::isfinite(ours.data()[i]));
        error = std::max(error, std::abs(ours.data()[i] - expected.data()[i]));
        largest = std::max(largest, std::abs(expected.data()[i]));
    }
    CHECK(error <= 1e-12 * largest);
}

/// Runs `forward(y)` and `backward(dx)` and compares both with PyTorch's y and dx.
template <class Forward, class Backward>
void check_both_ways(const Golden& g, Forward forward, Backward backward) {
    const auto y = zeros_like(g["y"]), dx = zeros_like(g["dx"]);
    forward(y);
    backward(dx);
    check_equal(y, g["y"], g.name + " forward");
    check_equal(dx, g["dx"], g.name + " backward");
}

}  // namespace

TEST_CASE("convolution is PyTorch's") {
    for (const auto& g : golden("convolve")) {
        const Window window{g.integer("kernel"), g.integer("stride"), g.integer("padding")};
        const auto dw = zeros_like(g["dw"]), dbias = zeros_like(g["dbias"]);
        check_both_ways(
            g, [&](const Values& y) { exact.convolve(g["x"], g["w"], {}, g["bias"], window, Activation::identity, y); },
            [&](const Values& dx) { exact.convolve_backward_data(g["dy"], g["w"], window, dx); });
        exact.convolve_backward_weights(g["x"], g["dy"], window, dw, dbias);
        check_equal(dw, g["dw"], "dw");
        check_equal(dbias, g["dbias"], "dbias");
    }
}

TEST_CASE("transposed convolution is PyTorch's") {
    for (const auto& g : golden("transposed_convolve")) {
        const auto dw = zeros_like(g["dw"]), dbias = zeros_like(g["dbias"]);
        check_both_ways(
            g, [&](const Values& y) { exact.transposed_convolve(g["x"], g["w"], g["bias"], y); },
            [&](const Values& dx) { exact.transposed_convolve_backward_data(g["dy"], g["w"], dx); });
        exact.transposed_convolve_backward_weights(g["x"], g["dy"], dw, dbias);
        check_equal(dw, g["dw"], "dw");
        check_equal(dbias, g["dbias"], "dbias");
    }
}

TEST_CASE("batch norm and ReLU are PyTorch's, training and evaluating") {
    for (const auto& g : golden("batch_norm")) {
        const bool training = g.integer("training") == 1;
        const auto& x = g["x"];
        const auto running_mean = copy_of(g["running_mean"]), running_variance = copy_of(g["running_variance"]);
        const auto mean = copy_of(running_mean), variance = copy_of(running_variance);
        if (training) {
            exact.batch_statistics(x, mean, variance);
            exact.update_running(mean, variance, x.shape().pixels(), 0.1, running_mean, running_variance);
        }
        check_equal(running_mean, g["new_running_mean"], "running mean");
        check_equal(running_variance, g["new_running_variance"], "running variance");

        const auto scale = zeros_like(mean), shift = zeros_like(mean);
        const auto dweight = zeros_like(mean), dbias = zeros_like(mean);
        check_both_ways(
            g,
            [&](const Values& y) {
                exact.normalisation(mean, variance, g["weight"], g["bias"], 1e-5, scale, shift);
                exact.normalise(x, scale, shift, Activation::relu, y);
            },
            [&](const Values& dx) {
                exact.normalise_backward(x, g["dy"], mean, variance, g["weight"], g["bias"], 1e-5, Activation::relu,
                                         training, dx, dweight, dbias);
            });
        check_equal(dweight, g["dweight"], "dweight");
        check_equal(dbias, g["dbias"], "dbias");
    }
}

TEST_CASE("pooling is PyTorch's") {
    for (const auto& g : golden("max_pool")) {
        const Window window{g.integer("kernel"), g.integer("stride"), 0};
        check_both_ways(
            g, [&](const Values& y) { exact.max_pool(g["x"], window, y); },
            [&](const Values& dx) { exact.max_pool_backward(g["x"], g["dy"], window, dx); });
    }
    for (const auto& g : golden("average_pool")) {
        const Window window{g.integer("kernel"), g.integer("stride"), 0};
        check_both_ways(
            g, [&](const Values& y) { exact.average_pool(g["x"], window, y); },
            [&](const Values& dx) { exact.average_pool_backward(g["dy"], window, dx); });
    }
}

TEST_CASE("resizing is PyTorch's, larger and smaller") {
    for (const auto& g : golden("resize_nearest"))
        check_both_ways(
            g, [&](const Values& y) { exact.resize_nearest(g["x"], y); },
            [&](const Values& dx) { exact.resize_nearest_backward(g["dy"], dx); });
    for (const auto& g : golden("resize_bilinear"))
        check_both_ways(
            g, [&](const Values& y) { exact.resize_bilinear(g["x"], y); },
            [&](const Values& dx) { exact.resize_bilinear_backward(g["dy"], dx); });
}

TEST_CASE("activations are PyTorch's") {
    for (const auto& g : golden("activate")) {
        const auto activation = static_cast<Activation>(g.integer("activation"));
        INFO("activation " << static_cast<int>(activation));
        check_both_ways(
            g, [&](const Values& y) { exact.activate(g["x"], activation, y); },
            [&](const Values& dx) { exact.activate_backward(g["x"], g["dy"], activation, dx); });
    }
}

TEST_CASE("softmax and its logarithm are PyTorch's") {
    for (const auto& g : golden("softmax"))
        check_both_ways(
            g, [&](const Values& y) { exact.softmax(g["x"], y); },
            [&](const Values& dx) { exact.softmax_backward(g["y"], g["dy"], dx); });
    for (const auto& g : golden("log_softmax"))
        check_both_ways(
            g, [&](const Values& y) { exact.log_softmax(g["x"], y); },
            [&](const Values& dx) { exact.log_softmax_backward(g["y"], g["dy"], dx); });
}

TEST_CASE("cross-entropy is PyTorch's, and focal loss its formula differentiated by PyTorch") {
    for (const auto& g : golden("focal")) {
        const FocalOptions options{.gamma = g.options.at("gamma"),
                                   .reduction = static_cast<Reduction>(g.integer("reduction")),
                                   .smoothing = g.options.at("smoothing")};
        INFO("gamma " << options.gamma << ", reduction " << g.integer("reduction") << ", s " << options.smoothing);
        Tensor<Exact, std::uint8_t> labels(exact, g["labels"].shape());
        for (Index p = 0; p < labels.shape().size(); ++p)
            labels.data()[p] = static_cast<std::uint8_t>(g["labels"].data()[p]);
        const auto divisor = zeros_like(g["y"]);
        check_both_ways(
            g, [&](const Values& y) { exact.focal_loss(g["x"], labels, g["weights"], options, y, divisor); },
            [&](const Values& dx) {
                exact.focal_loss_backward(g["x"], labels, g["weights"], options, divisor, g["dy"], dx);
            });
    }
}

TEST_CASE("three steps of AdamW are PyTorch's") {
    for (const auto& g : golden("adamw")) {
        const auto parameter = copy_of(g["p0"]), first = zeros_like(parameter), second = zeros_like(parameter);
        for (int i = 1; i <= 3; ++i) {
            const AdamWStep step{.rate = g.options.at("rate"),
                                 .beta1 = g.options.at("beta1"),
                                 .beta2 = g.options.at("beta2"),
                                 .decay = g.options.at("decay"),
                                 .step = i};
            exact.adamw(step, g["g" + std::to_string(i)], parameter, first, second);
            check_equal(parameter, g["p" + std::to_string(i)], "step " + std::to_string(i));
        }
    }
}

TEST_CASE("three steps of SGD are PyTorch's, with momentum and Nesterov's too") {
    for (const auto& g : golden("sgd")) {
        const double momentum = g.options.at("momentum");
        const auto parameter = copy_of(g["p0"]), velocity = momentum > 0 ? zeros_like(parameter) : Values();
        for (int i = 1; i <= 3; ++i) {
            const SgdStep step{.rate = g.options.at("rate"),
                               .momentum = momentum,
                               .decay = g.options.at("decay"),
                               .nesterov = g.integer("nesterov") == 1,
                               .first = i == 1};
            exact.sgd(step, g["g" + std::to_string(i)], parameter, velocity);
            check_equal(parameter, g["p" + std::to_string(i)], "step " + std::to_string(i));
        }
    }
}
