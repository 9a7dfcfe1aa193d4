#pragma once

// What every backend must do. A file defines MTDN_TESTED_BACKENDS, a list of types, and includes this one.
#include <cmath>
#include <concepts>
#include <memory>
#include <string>
#include <vector>

#include <mtdn/backend/testing/checks.hpp>

#include "support/catch.hpp"

using namespace mtdn;
using mtdn::testing::values_of;

namespace {

/// A backend with so many threads, or whose threads take turns in that order; the reference has no choice.
template <Backend B>
std::unique_ptr<B> backend_with(int threads) {
    if constexpr (requires { new B({.threads = threads}); }) return std::unique_ptr<B>(new B({.threads = threads}));
    else if constexpr (requires { new B({.order = threads}); }) return std::unique_ptr<B>(new B({.order = threads}));
    else return std::make_unique<B>();
}

/// What to compare with one thread; an emulator, which is slow, shows in one other order what it has to show.
template <Backend B>
std::vector<int> numbers_of_threads() {
    if constexpr (requires { new B({.order = 3}); }) return {3};
    else return {1, 2, 3, 7};
}

}  // namespace

using Failures = std::vector<std::string>;

TEMPLATE_TEST_CASE("every operation agrees with the reference in double precision", "", MTDN_TESTED_BACKENDS) {
    TestType backend;
    CHECK(testing::check_backend(backend) == Failures{});
}

TEMPLATE_TEST_CASE("every operation gives equal bits for every number of threads, and again", "",
                   MTDN_TESTED_BACKENDS) {
    const auto first = backend_with<TestType>(1);
    for (const int threads : numbers_of_threads<TestType>()) {
        INFO(threads << " threads");
        CHECK(testing::check_equal_bits(*first, *backend_with<TestType>(threads)) == Failures{});
    }
}

TEMPLATE_TEST_CASE("values come back from a backend as they went, slices included", "", MTDN_TESTED_BACKENDS) {
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
        // A backend that queues its work says so when the host meets it.
        CHECK_THROWS_AS((backend.overlap_sums(logits, labels, sums), values_of(sums)), DataError);
        CHECK_THROWS_WITH(loss(), Catch::Contains("label 4") && Catch::Contains("less than 4"));
    }
    SECTION("a pixel that does not count changes nothing") {
        set(0, 4);
        CHECK_THROWS_AS(loss(), DataError);
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
    using T = typename TestType::Scalar;
    TestType backend;
    Tensor<TestType> x(backend, {1, 2, 2, 1}), dy(backend, {1, 1, 1, 1}), dx(backend, {1, 2, 2, 1});
    backend.fill(x, 3);
    backend.fill(dy, 7);
    backend.max_pool_backward(x, dy, Window{.kernel = 2, .stride = 2}, dx);
    CHECK(values_of(dx) == std::vector<T>{7, 0, 0, 0});
}

TEMPLATE_TEST_CASE("losses and their gradients stay finite for logits as far apart as they can be", "",
                   MTDN_TESTED_BACKENDS) {
    using T = typename TestType::Scalar;
    TestType backend;
    Tensor<TestType> logits(backend, {1, 1, 2, 2}), gradients(backend, {1, 1, 2, 2});
    Tensor<TestType> loss(backend, vector_shape(1)), divisor(backend, vector_shape(1)), one(backend, vector_shape(1));
    Tensor<TestType> sums(backend, {3, 1, 1, 2}), sum_gradients(backend, {2, 1, 1, 2});
    backend.fill(one, 1);
    backend.fill(sum_gradients, 1);
    Tensor<TestType, std::uint8_t> labels(backend, {1, 1, 2, 1});
    const std::vector<std::uint8_t> right_and_wrong{0, 1};
    backend.upload(std::span<const std::uint8_t>(right_and_wrong), View<TestType, std::uint8_t>(labels));
    const auto finite = [](const Tensor<TestType>& x) {
        for (const T value : values_of(x))
            if (!std::isfinite(value)) return false;
        return true;
    };
    for (const T far : {T(1e3), T(1e4), T(1e30)}) {
        const std::vector<T> values{far, 0, far, -far};
        backend.upload(std::span<const T>(values), View<TestType, T>(logits));
        for (const double gamma : {0.0, 0.5, 2.0})
            for (const double smoothing : {0.0, 1e-5}) {
                INFO("logits " << far << ", gamma " << gamma << ", smoothing " << smoothing);
                const FocalOptions options{.gamma = gamma, .smoothing = smoothing};
                backend.focal_loss(logits, labels, Tensor<TestType>(), options, loss, divisor);
                CHECK(finite(loss));
                CHECK(values_of(loss)[0] > T(1));
                backend.focal_loss_backward(logits, labels, Tensor<TestType>(), options, divisor, one, gradients);
                CHECK(finite(gradients));
                if (smoothing == 0)
                    CHECK(values_of(gradients)[2] == Approx(0.5));  // one of two pixels, hopelessly wrong
            }
        backend.overlap_sums(logits, labels, sums);
        CHECK(values_of(sums) == std::vector<T>{1, 0, 2, 0, 1, 1});
        backend.overlap_backward(logits, labels, sum_gradients, gradients);
        CHECK(finite(gradients));
    }
}
