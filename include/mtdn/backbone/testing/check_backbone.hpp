#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <exception>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/backbone/encoder_decoder.hpp>
#include <mtdn/nn/state.hpp>

namespace mtdn::testing {

/// How a backbone is checked.
struct BackboneCheckOptions {
    Index in_channels = 3;  ///< channels of a frame that it takes
    GradientCheckOptions gradients{};
};

namespace detail {

/// Runs the laws of `EncoderDecoder` one by one; a law that throws is a law that fails.
template <class N>
class BackboneCheck {
public:
    using B = backend_of<N>;

    BackboneCheck(N& net, const BackboneCheckOptions& options)
        : net_(net),
          backend_(backend_value(net)),
          options_(options),
          random_(options.gradients.seed, "check_backbone"),
          multiple_(net.size_multiple()) {}

    Report run() {
        at_first_ = state_of(net_);
        law("names", [&] { names(); });
        law("sizes", [&] { sizes(); });
        if (!report_.passed) return report_;  // the further laws presume these
        if constexpr (PyramidDecoder<N, B>) law("coarser levels", [&] { coarser_levels(); });
        law("independence of frames", [&] { independence_of_frames(); });
        law("constancy", [&] { constancy(); });
        law("independence of calls", [&] { independence_of_calls(); });
        law("gradients", [&] { gradients(); });
        return report_;
    }

private:
    template <class Law>
    void law(const char* name, Law&& check) {
        try {
            check();
        } catch (const std::exception& error) {
            report_.fail(concatenate(name, ": ", error.what()));
        }
    }

    Tensor<B> frames(Index count, Index height, Index width) {
        Tensor<B> x(backend_, {count, height, width, options_.in_channels});
        std::vector<double> values(static_cast<std::size_t>(x.shape().size()));
        for (double& value : values) value = random_.uniform(-1, 1);
        upload(std::span<const double>(values), x);
        return x;
    }
    Tensor<B> two_frames() { return frames(2, 2 * multiple_, 2 * multiple_); }

    Variable<B> features(const Variable<B>& x, Pass<B>& pass) const {
        const N& net = net_;
        return net.decode(net.encode(x, pass), pass);
    }
    std::vector<double> features(const Tensor<B>& x, Pass<B>& pass) const {
        return download(value_of(features(pass.input(x), pass)));
    }

    static double distance(const std::vector<double>& a, const std::vector<double>& b) {
        double largest = a.size() == b.size() ? 0 : INFINITY;
        for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
            largest =
                std::max(largest, std::isnan(a[i] - b[i]) ? INFINITY : std::abs(a[i] - b[i]) / (1 + std::abs(b[i])));
        return largest;
    }
    static constexpr double by_rounding = 1e-9;  // the order of sums alone differs

    static std::vector<std::string> paths(auto& net) {
        std::vector<std::string> all;
        visit_leaves(net, "", [&](const std::string& path, auto&) { all.push_back(path); });
        return all;
    }

    void names() {
        const auto first = paths(net_);
        if (first.empty()) report_.fail("names: `visit` names no parameter");
        if (paths(net_) != first || paths(std::as_const(net_)) != first)
            report_.fail("names: `visit` gives other names, or another order, when called again");
        std::set<std::string> seen;
        for (const auto& path : first)
            if (!seen.insert(path).second) report_.fail("names: \"" + path + "\" names two parts");
    }

    void sizes() {
        if (multiple_ < 1) report_.fail(concatenate("sizes: size_multiple() is ", multiple_, ", expected 1 or more"));
        if (multiple_ < 1) return;
        for (const Shape& s : {Shape{1, multiple_, multiple_, 0}, Shape{2, 2 * multiple_, 3 * multiple_, 0},
                               Shape{1, 5 * multiple_, multiple_, 0}}) {
            const Shape expected = s.with_channels(static_cast<Index>(net_.feature_channels()));
            const auto in = frames(s.frames, s.height, s.width);
            law("sizes", [&] {
                Pass<B> pass(backend_);
                const Shape got = features(pass.input(in), pass).shape();
                if (got != expected)
                    report_.fail(concatenate("sizes: frames ", in.shape(), " give a feature map ", got, ", expected ",
                                             expected, " (the frames' size, feature_channels())"));
            });
        }
    }

    void coarser_levels() {
        const N& net = net_;
        const auto x = two_frames();
        const auto channels = net.coarser_channels();
        Pass<B> pass(backend_);
        CoarserMaps<B> coarser;
        if (download(value_of(net.decode(net.encode(pass.input(x), pass), pass, &coarser))) != features(x, pass))
            report_.fail("coarser levels: the features are others where they are asked for");
        if (coarser.size() != channels.size())
            return report_.fail(
                concatenate("coarser levels: ", coarser.size(), " maps, coarser_channels() has ", channels.size()));
        for (std::size_t i = 0; i < channels.size(); ++i) {
            const Shape s = x.shape(), expected{s.frames, s.height >> (channels.size() - i),
                                                s.width >> (channels.size() - i), channels[i]};
            if (coarser[i].shape() != expected)
                report_.fail(
                    concatenate("coarser levels: map ", i, " is ", coarser[i].shape(), ", expected ", expected));
        }
    }

    void independence_of_frames() {
        const auto both = two_frames();
        Pass<B> pass(backend_);
        auto alone = features(both.frames(0, 1), pass);
        const auto second = features(both.frames(1, 1), pass);
        alone.insert(alone.end(), second.begin(), second.end());
        const double error = distance(features(both, pass), alone);
        if (!(error <= by_rounding))
            report_.fail(
                concatenate("independence of frames: in evaluation two frames in one batch differ from each alone by ",
                            error, " (relative)"));
    }

    void constancy() {
        const auto x = two_frames();
        Tape<B> tape(backend_);
        Pass<B> pass(tape);
        const auto first = features(x, pass);
        if (distance(features(x, pass), first) > 0)
            report_.fail("constancy: the same frames again give other features");
        const auto after = state_of(net_);
        for (std::size_t i = 0; i < std::min(at_first_.size(), after.size()); ++i)
            if (at_first_[i].second.values != after[i].second.values)
                report_.fail("constancy: a forward pass changes \"" + after[i].first + "\"");
    }

    // Gradients of Σ weight · features, summed over the calls, each on the tape of the same index.
    std::vector<double> gradients_of(const std::vector<Tensor<B>>& calls, bool on_one_tape) {
        std::vector<Tensor<B>> kept;
        visit_parameters(net_, [&](const std::string&, Parameter<B>& p) {
            kept.push_back(std::exchange(p.gradient, Tensor<B>(backend_, p.value.shape())));
            backend_.fill(p.gradient, 0);
        });
        Tape<B> tape(backend_);
        Pass<B> pass(tape);
        Variable<B> total;
        for (const auto& call : calls) {
            const auto loss = as_one_number(features(pass.input(call), pass), options_.gradients.seed);
            if (!on_one_tape) {
                tape.backward(loss);
            } else if (total.empty()) {
                total = loss;
            } else {
                const std::vector<Variable<B>> terms{total, loss};
                Tensor<B> sum(backend_, vector_shape(1));
                backend_.combine(1, value_of(total), 1, value_of(loss), sum);
                total = record_result<B>(&tape, true, std::move(sum), [terms](Tape<B>& t, const Tensor<B>& d) {
                    for (const auto& term : terms) add_gradient(t, term, d);
                });
            }
        }
        if (on_one_tape) tape.backward(total);
        std::vector<double> all;
        std::size_t i = 0;
        visit_parameters(net_, [&](const std::string&, Parameter<B>& p) {
            const auto gradient = download(p.gradient);
            all.insert(all.end(), gradient.begin(), gradient.end());
            p.gradient = kept[i++];
        });
        return all;
    }

    void independence_of_calls() {
        const std::vector<Tensor<B>> calls{two_frames(), two_frames()};
        const double error = distance(gradients_of(calls, true), gradients_of(calls, false));
        if (!(error <= by_rounding))
            report_.fail(
                concatenate("independence of calls: gradients of two calls on one tape differ from their sum by ",
                            error, " (relative)"));
    }

    void gradients() {
        const auto x = two_frames();
        const auto add = [&](const Report& found) {
            for (const auto& failure : found.failures) report_.fail("gradients: " + failure);
        };
        std::vector<std::pair<std::string, Parameter<B>*>> parameters;
        visit_parameters(net_, [&](const std::string& path, Parameter<B>& p) { parameters.emplace_back(path, &p); });
        add(check_parameter_gradients<B>(
            "parameters",
            [&](Tape<B>& tape) {
                Pass<B> pass(tape);
                return features(pass.input(x), pass);
            },
            parameters, options_.gradients));
        add(check_gradients(
            "frames",
            [&](const std::vector<Variable<B>>& v) {
                Pass<B> pass(*v[0].tape());
                return features(v[0], pass);
            },
            std::vector<Tensor<B>>{x}, options_.gradients));
    }

    N& net_;
    B& backend_;
    BackboneCheckOptions options_;
    Random random_;
    Index multiple_;
    StateDictionary at_first_;
    Report report_{"check_backbone", true, {}};
};

}  // namespace detail

/// Verifies the laws of `EncoderDecoder` on a net of a backend of doubles; print the report to see what failed.
///
/// Names are unique and stay the same. The feature map has the frames' size and `feature_channels()` channels, for
/// several multiples of `size_multiple()`, and the maps of a `PyramidDecoder`'s coarser levels have theirs. In
/// evaluation the frames of a batch do not influence each other. A forward
/// pass changes nothing, and two of them on one tape give the sum of their gradients. Gradients by all parameters and
/// by the frames agree with central differences. Takes seconds if width and depth are small. The net is as before
/// afterwards.
template <class N>
    requires EncoderDecoder<N, backend_of<N>> && std::same_as<typename backend_of<N>::Scalar, double>
Report check_backbone(N& net, const BackboneCheckOptions& options = {}) {
    return detail::BackboneCheck<N>(net, options).run();
}

}  // namespace mtdn::testing
