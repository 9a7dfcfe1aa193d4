#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <mtdn/autograd/parameter.hpp>
#include <mtdn/autograd/variable.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/core/random.hpp>

namespace mtdn::testing {

using Exact = Reference<double>;
using Values = Tensor<Exact>;
using LabelTensor = Tensor<Exact, std::uint8_t>;

/// A tensor of these values, in order.
inline Values values(Exact& backend, const Shape& shape, const std::vector<double>& numbers) {
    Values tensor(backend, shape);
    upload(std::span<const double>(numbers), tensor);
    return tensor;
}

/// A tensor of random values.
inline Values random_values(Exact& backend, const Shape& shape, Random& random, double low = -1, double high = 1) {
    std::vector<double> numbers(static_cast<std::size_t>(shape.size()));
    for (double& number : numbers) number = random.uniform(low, high);
    return values(backend, shape, numbers);
}

inline LabelTensor labels(Exact& backend, const Shape& shape, const std::vector<std::uint8_t>& codes) {
    LabelTensor tensor(backend, shape.with_channels(1));
    upload(std::span<const std::uint8_t>(codes), tensor);
    return tensor;
}

/// Random labels below a number of classes, every seventh pixel ignored.
inline LabelTensor random_labels(Exact& backend, const Shape& shape, Index classes, Random& random) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(shape.pixels()));
    for (std::size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<std::uint8_t>(i % 7 == 6 ? 255 : random.below(classes));
    return labels(backend, shape, codes);
}

/// What a variable holds, on the host.
inline std::vector<double> numbers(const Variable<Exact>& x) { return download(value_of(x)); }

/// Largest difference of two vectors' elements; infinite if their lengths differ or a value is not a number.
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
    if (a.size() != b.size()) return INFINITY;
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(a[i] - b[i]);
        largest = std::isnan(difference) ? INFINITY : std::max(largest, difference);
    }
    return largest;
}

inline double largest(const std::vector<double>& a) { return distance(a, std::vector<double>(a.size(), 0.0)); }

/// Largest difference of two tensors of one shape that only the order of their sums tells apart.
constexpr double by_rounding = 1e-12;

/// A variable on a tape whose gradient arrives at `gradient` on the way back.
inline Variable<Exact> leaf(Tape<Exact>& tape, const Values& value, std::vector<double>& gradient) {
    const auto place = tape.new_place();
    tape.record([place, &gradient](Tape<Exact>& t) {
        if (const auto arrived = t.take_gradient(place); !arrived.empty()) gradient = download(arrived);
    });
    return {value, &tape, place};
}

/// The sum of all elements, as an operation.
inline Variable<Exact> sum(const Variable<Exact>& x) {
    double total = 0;
    for (const double value : numbers(x)) total += value;
    Values result(x.backend(), vector_shape(1));
    x.backend().fill(result, total);
    return record_result<Exact>(
        x.tape(), x.needs_gradient(), std::move(result),
        [places = GradientPlaces<Exact>(x), shape = x.shape()](Tape<Exact>& tape, const Values& d) {
            Values dx(tape.backend(), shape);
            tape.backend().fill(dx, download(d).front());
            places.add(tape, dx);
        });
}

/// What an error of the given type says that a function throws; empty if it throws none.
template <class E, class Function>
std::string error_of(Function&& function) {
    try {
        function();
    } catch (const E& error) {
        return error.what();
    }
    return "";
}

}  // namespace mtdn::testing
