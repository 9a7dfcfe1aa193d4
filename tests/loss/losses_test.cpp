#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/loss/testing/archetypes.hpp>
#include <mtdn/loss/weighted_sum.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;

static_assert(Loss<FocalLoss<Exact>, Exact> && Loss<TverskyLoss<Exact>, Exact> && Loss<WeightedSum<Exact>, Exact>);
static_assert(Loss<AnyLoss<Exact>, Exact> && !Loss<int, Exact> && !Loss<FocalLoss<Reference<float>>, Exact>);

struct Pixels {
    Exact exact;
    Random random{7};
    Index classes = 4;
    Shape shape{2, 3, 5, 4};
    Values logits = random_values(exact, shape, random, -2, 2);
    LabelTensor truth = random_labels(exact, shape, 4, random);
    std::vector<double> alpha{0.5, 3, 2, 7};

    double value(const auto& loss) { return numbers(loss(X(logits), truth)).front(); }

    /// Σ f(probabilities, label) over the pixels that count.
    double total(const std::function<double(const std::vector<double>&, std::size_t)>& f) {
        const auto x = download(logits);
        const auto y = download(truth);
        const auto count = static_cast<std::size_t>(classes);
        double result = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            if (y[i] == 255) continue;
            std::vector<double> p(count);
            double norm = 0;
            for (std::size_t c = 0; c < count; ++c) norm += std::exp(x[i * count + c]);
            for (std::size_t c = 0; c < count; ++c) p[c] = std::exp(x[i * count + c]) / norm;
            result += f(p, y[i]);
        }
        return result;
    }
    double counted() {
        return total([](const auto&, std::size_t) { return 1; });
    }
    void check_gradient(const std::string& name, const AnyLoss<Exact>& loss) {
        const Report report = check_gradients(
            name, [&](const std::vector<X>& x) { return loss(x[0], truth); }, std::vector{logits});
        INFO(report);
        CHECK(report.passed);
    }
};

}  // namespace

TEST_CASE_METHOD(Pixels, "focal loss is the mean of −α_y (1 − p_y)^γ log p_y over the pixels that count") {
    for (const double gamma : {0.0, 0.5, 2.0, 5.0}) {
        const double sum =
            total([&](const auto& p, std::size_t y) { return -alpha[y] * std::pow(1 - p[y], gamma) * std::log(p[y]); });
        const double weights = total([&](const auto&, std::size_t y) { return alpha[y]; });
        CHECK(counted() == 26);  // 30 pixels, every seventh ignored
        const auto with = [&](Reduction reduction) {
            return value(FocalLoss<Exact>(exact, {.gamma = gamma, .reduction = reduction}, alpha));
        };
        CHECK(with(Reduction::pixels) == Approx(sum / counted()).epsilon(1e-12));
        CHECK(with(Reduction::none) == Approx(sum).epsilon(1e-12));
        CHECK(with(Reduction::weights) == Approx(sum / weights).epsilon(1e-12));
    }
}

TEST_CASE_METHOD(Pixels, "without class weights all are 1; γ is 2 unless told") {
    const double sum = total([](const auto& p, std::size_t y) { return -std::pow(1 - p[y], 2) * std::log(p[y]); });
    CHECK(value(FocalLoss<Exact>(exact)) == Approx(sum / counted()).epsilon(1e-12));
}

TEST_CASE_METHOD(Pixels, "focal loss with γ = 0 is cross-entropy") {
    CHECK(value(cross_entropy(exact)) == value(FocalLoss<Exact>(exact, {.gamma = 0})));
    CHECK(value(cross_entropy(exact, alpha, Reduction::weights)) ==
          value(FocalLoss<Exact>(exact, {.gamma = 0, .reduction = Reduction::weights}, alpha)));
    const double sum = total([](const auto& p, std::size_t y) { return -std::log(p[y]); });
    CHECK(value(cross_entropy(exact)) == Approx(sum / counted()).epsilon(1e-12));
}

TEST_CASE_METHOD(Pixels, "the published variant smooths the label and q, in both factors") {
    for (const double s : {1e-5, 0.1}) {
        const double sum = total([&](const auto& p, std::size_t y) {
            double q = s;
            for (std::size_t c = 0; c < p.size(); ++c) q += (c == y ? 1 - s : s / 3) * p[c];
            return -alpha[y] * std::pow(1 - q, 2) * std::log(q);
        });
        CHECK(value(FocalLoss<Exact>(exact, {.smoothing = s}, alpha)) == Approx(sum / counted()).epsilon(1e-11));
    }
    const double plain = value(FocalLoss<Exact>(exact, {}, alpha));
    CHECK(value(FocalLoss<Exact>(exact, {.smoothing = 1e-5}, alpha)) == Approx(plain).epsilon(1e-3));
}

TEST_CASE_METHOD(Pixels, "pixels to be ignored change nothing, and all ignored is loss 0 with gradient 0") {
    auto y = download(truth);
    const double before = value(FocalLoss<Exact>(exact, {}, alpha));
    auto x = download(logits);
    for (std::size_t i = 0; i < y.size(); ++i)
        if (y[i] == 255) x[i * 4] = 50;
    logits = values(exact, shape, x);
    CHECK(value(FocalLoss<Exact>(exact, {}, alpha)) == before);
    truth = labels(exact, shape, std::vector<std::uint8_t>(y.size(), 255));
    for (const AnyLoss<Exact>& loss :
         {AnyLoss<Exact>(FocalLoss<Exact>(exact, {}, alpha)), AnyLoss<Exact>(TverskyLoss<Exact>())}) {
        Tape<Exact> tape(exact);
        std::vector<double> gradient;
        const X result = loss(leaf(tape, logits, gradient), truth);
        CHECK(numbers(result).front() == 0);
        tape.backward(result);
        CHECK(largest(gradient) == 0);
    }
}

TEST_CASE_METHOD(Pixels, "Dice and Tversky: per class over the batch, mean over the classes present") {
    const LabelTensor all = truth;
    for (const auto& [a, b] : {std::pair{0.5, 0.5}, std::pair{0.3, 0.7}, std::pair{1.0, 1.0}})
        for (const bool all_present : {true, false}) {
            truth = all;
            if (!all_present) {  // class 3 is nowhere
                auto y = download(all);
                for (auto& label : y) label = label == 3 ? 1 : label;
                truth = labels(exact, shape, y);
            }
            double loss = 0;
            const std::size_t present = all_present ? 4 : 3;
            for (std::size_t c = 0; c < present; ++c) {
                const double tp = total([&](const auto& p, std::size_t y) { return y == c ? p[c] : 0; });
                const double fp = total([&](const auto& p, std::size_t y) { return y == c ? 0 : p[c]; });
                const double fn = total([&](const auto& p, std::size_t y) { return y == c ? 1 - p[c] : 0; });
                loss += 1 - (2 * tp + 1) / (2 * tp + 2 * a * fp + 2 * b * fn + 1);
            }
            const TverskyLoss<Exact> tversky({.false_positives = a, .false_negatives = b});
            CHECK(value(tversky) == Approx(loss / static_cast<double>(present)).epsilon(1e-12));
            if (a == 0.5) CHECK(value(TverskyLoss<Exact>()) == value(tversky));
        }
    // Dice in its own words.
    double dice = 0;
    for (std::size_t c = 0; c < 3; ++c) {
        const double both = total([&](const auto& p, std::size_t y) { return y == c ? p[c] : 0; });
        const double sums = total([&](const auto& p, std::size_t y) { return p[c] + (y == c); });
        dice += (1 - (2 * both + 1) / (sums + 1)) / 3;
    }
    CHECK(value(TverskyLoss<Exact>()) == Approx(dice).epsilon(1e-12));
}

TEST_CASE_METHOD(Pixels, "weighted sums add") {
    const FocalLoss<Exact> focal(exact, {}, alpha);
    const TverskyLoss<Exact> dice;
    const WeightedSum<Exact> sum({{0.25, focal}, {3, dice}});
    CHECK(value(sum) == Approx(0.25 * value(focal) + 3 * value(dice)).epsilon(1e-13));
    CHECK(value(WeightedSum<Exact>({{2, LossArchetype{}}})) == 2);
    CHECK(error_of<OptionError>([] { WeightedSum<Exact>({}); }) == "WeightedSum: no loss to sum");
}

TEST_CASE_METHOD(Pixels, "losses by name") {
    const auto named = [&](const LossOptions& options) { return value(make_loss(exact, options, alpha)); };
    const double focal = value(FocalLoss<Exact>(exact, {}, alpha)), dice = value(TverskyLoss<Exact>());
    CHECK(named({}) == focal);
    CHECK(named({.name = "focal", .gamma = 1}) == value(FocalLoss<Exact>(exact, {.gamma = 1}, alpha)));
    CHECK(named({.smoothing = 1e-5}) == value(FocalLoss<Exact>(exact, {.smoothing = 1e-5}, alpha)));
    CHECK(named({.name = "cross-entropy", .reduction = Reduction::weights}) ==
          value(cross_entropy(exact, alpha, Reduction::weights)));
    CHECK(named({.name = "dice"}) == dice);
    CHECK(named({.name = "tversky"}) == value(TverskyLoss<Exact>({.false_positives = 0.3, .false_negatives = 0.7})));
    CHECK(named({.name = "focal+dice"}) == Approx(focal + dice).epsilon(1e-14));
    CHECK(named({.name = "dice+dice+dice"}) == Approx(3 * dice).epsilon(1e-14));
    CHECK(named({.name = "focal+dice:0.5"}) == Approx(focal + 0.5 * dice).epsilon(1e-14));
    CHECK(named({.name = "focal:2e-1+dice:3"}) == Approx(0.2 * focal + 3 * dice).epsilon(1e-14));
    CHECK(named({.name = "dice:0.25"}) == Approx(0.25 * dice).epsilon(1e-14));
    for (const std::string weight : {"", "0", "-1", "x", "1x", "inf", "nan"})
        CHECK(error_of<OptionError>([&] { make_loss(exact, {.name = "focal+dice:" + weight}); }) ==
              "make_loss: the weight of dice must be a positive number, got \"" + weight + "\"");
    CHECK(
        named({.name = "focal+tversky:2:0.4:0.6"}) ==
        Approx(focal + 2 * value(TverskyLoss<Exact>({.false_positives = 0.4, .false_negatives = 0.6}))).epsilon(1e-14));
    const auto error = [&](const std::string& name) {
        return error_of<OptionError>([&] { make_loss(exact, {.name = name}); });
    };
    CHECK(error("dice:1:2") == "make_loss: \"dice:1:2\" has too many numbers; expected dice:WEIGHT");
    CHECK(error("tversky:1:0.3").find("expected that of false negatives") != std::string::npos);
    CHECK(error("tversky:1:0.3:x").find("false negatives must be a positive number, got \"x\"") != std::string::npos);
    CHECK(error("tversky:1:0.3:").find("false negatives must be a positive number, got \"\"") != std::string::npos);
    CHECK(error("tversky:1:0.3:0.7:1").find("FALSE_NEGATIVES") != std::string::npos);
    for (const std::string name : {"", "hinge", "focal+", "focal+hinge", ":2", "hinge:2"})
        CHECK(error_of<OptionError>([&] {
                  make_loss(exact, {.name = name});
              }).find("expected focal, cross-entropy, dice") != std::string::npos);
}

TEST_CASE_METHOD(Pixels, "gradients") {
    check_gradient("cross-entropy", cross_entropy(exact, alpha));
    for (const double gamma : {0.5, 1.0, 2.0})
        for (const Reduction reduction : {Reduction::pixels, Reduction::none, Reduction::weights})
            check_gradient("focal", FocalLoss<Exact>(exact, {.gamma = gamma, .reduction = reduction}, alpha));
    check_gradient("smoothed", FocalLoss<Exact>(exact, {.smoothing = 1e-5}, alpha));
    check_gradient("much smoothed", FocalLoss<Exact>(exact, {.smoothing = 0.2}, alpha));
    check_gradient("dice", TverskyLoss<Exact>());
    check_gradient("tversky", TverskyLoss<Exact>({.false_positives = 0.2, .false_negatives = 0.9, .smoothing = 0.1}));
    check_gradient("sum", WeightedSum<Exact>({{0.5, FocalLoss<Exact>(exact, {}, alpha)}, {2, TverskyLoss<Exact>()}}));
}

TEST_CASE_METHOD(Pixels, "gradients of two classes") {
    logits = random_values(exact, {2, 3, 5, 2}, random);
    truth = random_labels(exact, logits.shape(), 2, random);
    check_gradient("focal", FocalLoss<Exact>(exact, {}, std::vector<double>{1, 4}));
    check_gradient("smoothed", FocalLoss<Exact>(exact, {.smoothing = 1e-5}));
    check_gradient("dice", TverskyLoss<Exact>());
}

TEST_CASE("losses and their gradients are finite for any logits, right or wrong beyond all doubt") {
    Exact exact;
    const Shape shape{1, 1, 4, 2};
    const Values logits = values(exact, shape, {1e4, -1e4, 1e4, -1e4, 1e300, 0, -1e300, 0});
    const LabelTensor truth = labels(exact, shape, {0, 1, 0, 0});
    const std::vector<AnyLoss<Exact>> losses{cross_entropy(exact), FocalLoss<Exact>(exact),
                                             FocalLoss<Exact>(exact, {.gamma = 0.5}),
                                             FocalLoss<Exact>(exact, {.smoothing = 1e-5}), TverskyLoss<Exact>()};
    for (const auto& loss : losses) {
        Tape<Exact> tape(exact);
        std::vector<double> gradient;
        const X result = loss(leaf(tape, logits, gradient), truth);
        CHECK(std::isfinite(numbers(result).front()));
        tape.backward(result);
        REQUIRE(gradient.size() == 8);
        for (const double g : gradient) CHECK(std::isfinite(g));
    }
    // What is right beyond doubt costs nothing, what is wrong costs the distance of the logits.
    const Values one = values(exact, {1, 1, 1, 2}, {1e4, -1e4});
    CHECK(numbers(cross_entropy(exact)(X(one), labels(exact, {1, 1, 1, 2}, {0}))).front() == 0);
    CHECK(numbers(cross_entropy(exact)(X(one), labels(exact, {1, 1, 1, 2}, {1}))).front() == Approx(2e4));
}

TEST_CASE_METHOD(Pixels, "labels, weights and options that do not fit are named") {
    const auto at = [&](std::size_t pixel, std::uint8_t label) {
        auto y = download(truth);
        y[pixel] = label;
        return labels(exact, shape, y);
    };
    const std::string out_of_range = error_of<DataError>([&] { FocalLoss<Exact>{exact}(X(logits), at(11, 4)); });
    CHECK(out_of_range.find("label 4 in pixel 11") != std::string::npos);
    CHECK(out_of_range.find("expected less than 4 or 255") != std::string::npos);
    CHECK(error_of<DataError>([&] { TverskyLoss<Exact>{}(X(logits), at(3, 254)); }).find("label 254 in pixel 3") !=
          std::string::npos);
    const LabelTensor other(exact, {2, 3, 4, 1});
    CHECK(error_of<ShapeError>([&] { FocalLoss<Exact>{exact}(X(logits), other); }) ==
          "FocalLoss: logits (2, 3, 5, 4) need labels (2, 3, 5, 1), got (2, 3, 4, 1)");
    CHECK_THROWS_AS(TverskyLoss<Exact>{}(X(logits), other), ShapeError);
    const std::vector<double> two{1, 2};
    CHECK(error_of<ShapeError>([&] { FocalLoss<Exact>(exact, {}, two)(X(logits), truth); }) ==
          "FocalLoss: 2 class weights for 4 classes");
    CHECK(error_of<OptionError>([&] { FocalLoss<Exact>(exact, {.gamma = -1}); }) ==
          "FocalLoss: gamma must not be negative, got -1");
    CHECK(error_of<OptionError>([&] { FocalLoss<Exact>(exact, {.smoothing = 0.5}); }).find("got 0.5") !=
          std::string::npos);
    CHECK_THROWS_AS(TverskyLoss<Exact>({.smoothing = -1}), OptionError);
}
