#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <mtdn/backend/reference.hpp>
#if __has_include(<mtdn/backend/cpu.hpp>)
#include <mtdn/backend/cpu.hpp>
#endif

#include "backend/table.hpp"
#include "support/catch.hpp"

using namespace mtdn;

namespace {

template <Backend B>
std::vector<typename B::Scalar> values_of(const Tensor<B>& x) {
    std::vector<typename B::Scalar> values(static_cast<std::size_t>(x.shape().size()));
    x.backend().download(View<B, const typename B::Scalar>(x), std::span<typename B::Scalar>(values));
    return values;
}

template <Backend B>
std::vector<std::uint8_t> values_of(const Tensor<B, std::uint8_t>& x) {
    std::vector<std::uint8_t> values(static_cast<std::size_t>(x.shape().size()));
    x.backend().download(View<B, const std::uint8_t>(x), std::span<std::uint8_t>(values));
    return values;
}

// Relative root mean square error. A sum of n products in single precision is off by about √n · 2⁻²⁴ of their root
// mean square: 2e-6 for the longest sum here, 9 · 128 terms. Transformed convolutions (Winograd) lose up to a
// factor of 4 more. What is simply wrong is off by far more than 1e-5.
constexpr double rms_tolerance = 1e-5;
// The largest error, relative to the largest value. Errors spread like a normal variate: five deviations.
constexpr double largest_tolerance = 5e-5;

template <class T>
void check_close(const std::vector<T>& ours, const std::vector<double>& expected) {
    REQUIRE(ours.size() == expected.size());
    double error = 0, norm = 0, largest_error = 0, largest = 0;
    bool finite = true;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const double difference = std::abs(ours[i] - expected[i]);
        finite = finite && std::isfinite(ours[i]);
        error += difference * difference;
        norm += expected[i] * expected[i];
        largest_error = std::max(largest_error, difference);
        largest = std::max(largest, std::abs(expected[i]));
    }
    CHECK(finite);
    CHECK(std::sqrt(error) <= rms_tolerance * std::sqrt(norm));
    CHECK(largest_error <= largest_tolerance * largest);
}

template <Backend B>
cases::Prepared<B> run(const cases::Case<B>& that, B& backend) {
    auto prepared = that.prepare(backend);
    prepared.run();
    return prepared;
}

/// A backend of type B with some number of threads, if the type takes one.
template <Backend B>
std::unique_ptr<B> backend_with(int threads) {
    if constexpr (requires { B{{.threads = threads}}; })
        return std::unique_ptr<B>(new B{{.threads = threads}});
    else
        return std::make_unique<B>();
}

// The backends under test. A type whose instructions this processor lacks is left out of the run.
template <Backend B>
bool available() {
    try {
        B backend;
        return true;
    } catch (const BackendError&) {
        return false;
    }
}

}  // namespace

#if __has_include(<mtdn/backend/cpu.hpp>)
#define MTDN_TESTED_BACKENDS Reference<float>, CpuFor<isa::Baseline>, CpuFor<isa::Avx2>, CpuFor<isa::Avx512>
#else
#define MTDN_TESTED_BACKENDS Reference<float>
#endif

TEMPLATE_TEST_CASE("every operation agrees with the reference in double precision", "", MTDN_TESTED_BACKENDS) {
    if (!available<TestType>()) return;
    using Exact = Reference<double>;
    Exact exact;
    TestType backend;
    const auto ours = cases::table<TestType>();
    const auto expected = cases::table<Exact>();
    for (std::size_t i = 0; i < ours.size(); ++i) {
        INFO(ours[i].name());
        const auto a = run(ours[i], backend);
        const auto b = run(expected[i], exact);
        for (std::size_t k = 0; k < a.results.size(); ++k) {
            INFO("result " << k);
            check_close(values_of(a.results[k]), values_of(b.results[k]));
        }
        for (std::size_t k = 0; k < a.codes.size(); ++k) CHECK(values_of(a.codes[k]) == values_of(b.codes[k]));
    }
}

TEMPLATE_TEST_CASE("every operation gives equal bits for every number of threads, and again", "",
                   MTDN_TESTED_BACKENDS) {
    if (!available<TestType>()) return;
    const auto first = backend_with<TestType>(1);
    for (const int threads : {1, 2, 3, 7}) {
        const auto second = backend_with<TestType>(threads);
        for (const auto& that : cases::table<TestType>()) {
            INFO(that.name() << ", " << threads << " threads");
            const auto a = run(that, *first), b = run(that, *second);
            for (std::size_t k = 0; k < a.results.size(); ++k)
                CHECK(values_of(a.results[k]) == values_of(b.results[k]));
            for (std::size_t k = 0; k < a.codes.size(); ++k) CHECK(values_of(a.codes[k]) == values_of(b.codes[k]));
        }
    }
}

TEMPLATE_TEST_CASE("values come back from a backend as they went, slices included", "", MTDN_TESTED_BACKENDS) {
    if (!available<TestType>()) return;
    using T = typename TestType::Scalar;
    TestType backend;
    Tensor<TestType> whole(backend, {1, 2, 2, 5});
    backend.fill(whole, -1);
    const std::vector<T> values{1, 2, 3, 4, 5, 6, 7, 8};
    const auto part = whole.channels(1, 2);
    backend.upload(std::span<const T>(values), View<TestType, T>(part));
    CHECK(values_of(part) == values);
    CHECK(values_of(whole) == std::vector<T>{-1, 1, 2, -1, -1, -1, 3, 4, -1, -1, -1, 5, 6, -1, -1, -1, 7, 8, -1, -1});
    CHECK(!backend.describe().empty());
}

TEMPLATE_TEST_CASE("losses refuse a label out of range and ignore 255", "", MTDN_TESTED_BACKENDS) {
    if (!available<TestType>()) return;
    using T = typename TestType::Scalar;
    TestType backend;
    Tensor<TestType> logits(backend, {1, 1, 2, 4}), one(backend, vector_shape(1)), divisor(backend, vector_shape(1));
    Tensor<TestType> sums(backend, {3, 1, 1, 4});
    backend.fill(logits, 0);
    Tensor<TestType, std::uint8_t> labels(backend, {1, 1, 2, 1});
    const auto set = [&](std::uint8_t first, std::uint8_t second) {
        const std::uint8_t values[] = {first, second};
        backend.upload(std::span<const std::uint8_t>(values), View<TestType, std::uint8_t>(labels));
    };
    const auto loss = [&] {
        backend.focal_loss(logits, labels, Tensor<TestType>(), FocalOptions{.gamma = 0}, one, divisor);
        return values_of(one)[0];
    };
    SECTION("a label that is no class is named") {
        set(0, 4);
        CHECK_THROWS_AS(loss(), DataError);
        CHECK_THROWS_WITH(loss(), Catch::Contains("label 4") && Catch::Contains("less than 4"));
    }
    SECTION("a pixel that does not count changes nothing") {
        set(1, 255);
        CHECK(loss() == Approx(std::log(4.0)));
        CHECK(values_of(divisor)[0] == T(1));
        backend.overlap_sums(logits, labels, sums);
        CHECK(values_of(sums) == std::vector<T>{0, 0.25, 0, 0, 0.25, 0.25, 0.25, 0.25, 0, 1, 0, 0});
    }
    SECTION("where nothing counts the loss is 0, not a division by 0") {
        set(255, 255);
        CHECK(loss() == T(0));
        CHECK(values_of(divisor)[0] == T(1));
    }
}

TEMPLATE_TEST_CASE("the largest of equals is the first", "", MTDN_TESTED_BACKENDS) {
    if (!available<TestType>()) return;
    using T = typename TestType::Scalar;
    TestType backend;
    Tensor<TestType> x(backend, {1, 2, 2, 1}), dy(backend, {1, 1, 1, 1}), dx(backend, {1, 2, 2, 1});
    backend.fill(x, 3);
    backend.fill(dy, 7);
    backend.max_pool_backward(x, dy, Window{.kernel = 2, .stride = 2}, dx);
    CHECK(values_of(dx) == std::vector<T>{7, 0, 0, 0});
}
