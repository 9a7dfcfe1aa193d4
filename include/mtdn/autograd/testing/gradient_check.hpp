#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/autograd/testing/report.hpp>
#include <mtdn/autograd/variable.hpp>
#include <mtdn/core/random.hpp>

namespace mtdn::testing {

/// How gradients are compared with central differences.
struct GradientCheckOptions {
    double step = 1e-5;       ///< first step; a tenth and a hundredth of it are tried too, as a kink may lie within
    double tolerance = 1e-6;  ///< largest difference, relative to 1 + Σ |slope · direction|
    std::uint64_t seed = 1;   ///< of the directions and of the weights that make one number of a result
};

namespace detail {

/// Something that a function depends on: its value, which is moved in place, and the gradient to be checked.
template <Backend B>
struct CheckedGradient {
    std::string name;
    Tensor<B> value;
    std::vector<double> gradient;
};

/// Σ weight · y with random weights, as an operation on y's tape.
template <Backend B>
Variable<B> as_one_number(const Variable<B>& y, std::uint64_t seed) {
    Random random(seed, "weights of the result");
    Tensor<B> weights(y.backend(), y.shape()), sum(y.backend(), vector_shape(1));
    auto w = download(weights);
    double total = 0;
    const auto values = download(value_of(y));
    for (std::size_t i = 0; i < w.size(); ++i) total += (w[i] = random.uniform(-1, 1)) * values[i];
    upload(std::span<const double>(w), weights);
    y.backend().fill(sum, total);
    return record_result<B>(y.tape(), y.needs_gradient(), std::move(sum),
                            [places = GradientPlaces<B>(y), weights](Tape<B>& tape, const Tensor<B>& dsum) {
                                Tensor<B> dy(tape.backend(), weights.shape());
                                tape.backend().combine(download(dsum).front(), weights, 0, weights, dy);
                                places.add(tape, dy);
                            });
}

/// Compares each slope with central differences of `value()` along a random direction.
template <Backend B, class Value>
void compare_with_differences(Report& report, const std::vector<CheckedGradient<B>>& checks, Value&& value,
                              const GradientCheckOptions& options) {
    Random random(options.seed, "directions");
    for (const auto& check : checks) {
        const std::vector<double> start = download(check.value);
        std::vector<double> direction(start.size()), moved(start.size());
        double analytic = 0, size = 0;
        for (std::size_t i = 0; i < start.size(); ++i) {
            direction[i] = random.uniform(-1, 1);
            analytic += check.gradient[i] * direction[i];
            size += std::abs(check.gradient[i] * direction[i]);
        }
        const auto value_at = [&](double step) {
            for (std::size_t i = 0; i < start.size(); ++i) moved[i] = start[i] + step * direction[i];
            upload(std::span<const double>(moved), check.value);
            return value();
        };
        double closest = 0;
        bool agrees = false;
        for (const double step : {options.step, options.step / 10, options.step / 100}) {
            const double numeric = (value_at(step) - value_at(-step)) / (2 * step);
            if (step == options.step || std::abs(numeric - analytic) < std::abs(closest - analytic)) closest = numeric;
            agrees = std::abs(closest - analytic) <= options.tolerance * (1 + size);
            if (agrees) break;
        }
        upload(std::span<const double>(start), check.value);
        if (!agrees)
            report.fail(concatenate("gradient by ", check.name, " ", check.value.shape(), ": along a random direction ",
                                    "the slope is ", analytic, ", central differences give ", closest));
    }
}

}  // namespace detail

/// Checks the gradients of a function of variables by central differences along a random direction of each input.
///
/// `function(variables)` takes a vector of variables on a tape, with the values of `inputs`, and gives a variable of
/// any shape. Inputs must lie where the function has no kink within a hundredth of the step; they are moved and
/// put back.
template <Backend B, class Function>
    requires std::same_as<typename B::Scalar, double>
Report check_gradients(const std::string& name, Function&& function, const std::vector<Tensor<B>>& inputs,
                       const GradientCheckOptions& options = {}) {
    Report report{name, true, {}};
    Tape<B> tape(inputs.front().backend());
    std::vector<detail::CheckedGradient<B>> checks;
    for (const auto& input : inputs)
        checks.push_back({"input " + std::to_string(checks.size()), input,
                          std::vector<double>(static_cast<std::size_t>(input.shape().size()), 0.0)});
    const auto run = [&] {
        std::vector<Variable<B>> variables;
        for (auto& check : checks) {
            const auto place = tape.new_place();
            tape.record([place, &check](Tape<B>& t) {
                const auto gradient = t.take_gradient(place);
                if (!gradient.empty()) check.gradient = download(gradient);
            });
            variables.emplace_back(check.value, &tape, place);
        }
        return detail::as_one_number(function(std::as_const(variables)), options.seed);
    };
    tape.backward(run());
    detail::compare_with_differences(
        report, checks,
        [&] {
            const auto value = download(value_of(run()));
            tape.clear();
            return value.front();
        },
        options);
    return report;
}

/// Checks the gradients by parameters in the same way.
///
/// `forward(tape)` computes a variable of any shape from the parameters, which it must record on the tape.
/// `parameters` are (name, parameter); those that are not trainable are left out. Values and gradients are put back.
template <Backend B, class Forward>
    requires std::same_as<typename B::Scalar, double>
Report check_parameter_gradients(const std::string& name, Forward&& forward,
                                 const std::vector<std::pair<std::string, Parameter<B>*>>& parameters,
                                 const GradientCheckOptions& options = {}) {
    Report report{name, true, {}};
    if (parameters.empty()) return report;
    B& backend = parameters.front().second->value.backend();
    Tape<B> tape(backend);
    std::vector<Tensor<B>> kept;
    for (const auto& [path, parameter] : parameters) {
        kept.push_back(std::exchange(parameter->gradient, Tensor<B>(backend, parameter->value.shape())));
        backend.fill(parameter->gradient, 0);
    }
    tape.backward(detail::as_one_number(forward(tape), options.seed));
    std::vector<detail::CheckedGradient<B>> checks;
    for (const auto& [path, parameter] : parameters)
        if (parameter->trainable) checks.push_back({path, parameter->value, download(parameter->gradient)});
    for (std::size_t i = 0; i < kept.size(); ++i) parameters[i].second->gradient = kept[i];
    detail::compare_with_differences(
        report, checks,
        [&] {
            const auto value = download(value_of(detail::as_one_number(forward(tape), options.seed)));
            tape.clear();
            return value.front();
        },
        options);
    return report;
}

}  // namespace mtdn::testing
