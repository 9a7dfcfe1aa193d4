#include <mtdn/backend/cpu.hpp>

#include "support/catch.hpp"

using namespace mtdn;

TEST_CASE("a processor that lacks the instructions of a build is refused by name") {
    const auto require = [](int level) { detail::cpu::require_processor<isa::Avx512>(level); };
    CHECK_NOTHROW(require(isa::Avx512::level));
    CHECK_NOTHROW(require(isa::Avx512Bf16::level));
    CHECK_THROWS_AS(require(isa::Avx2::level), BackendError);
    CHECK_THROWS_WITH(require(isa::Baseline::level), Catch::Contains("built for AVX-512") &&
                                                         Catch::Contains("baseline") && Catch::Contains("-march"));
}

TEST_CASE("a backend says its threads and instructions, and what more there is") {
    const int offered = detail::cpu::processor_level<isa::Current>();
    CpuFor<isa::Baseline> backend({.threads = 3});
    CHECK(backend.threads() == 3);
    CHECK_THAT(backend.describe(), Catch::Contains("3 threads") && Catch::Contains("baseline"));
    CHECK((backend.describe().find("-march=native") != std::string::npos) == (offered > 0));
    CHECK_THAT(Cpu({.threads = 1}).describe(), Catch::Contains("1 thread,") && !Catch::Contains("bfloat16"));
    CHECK_THAT(Cpu({.precision = Precision::bfloat16}).describe(), Catch::Contains("bfloat16"));
    CHECK_THROWS_AS(Cpu({.threads = -1}), OptionError);
}

TEST_CASE("work that repeats needs no more memory") {
    Cpu backend({.threads = 1});
    const Shape shape{1, 20, 20, 32};
    Tensor<Cpu> x(backend, shape), y(backend, shape), w(backend, {3, 3, 32, 32});
    backend.fill(x, 1);
    backend.fill(w, 1);
    const auto step = [&] {
        backend.convolve(x, w, {}, {}, {.padding = 1}, Activation::relu, y);
        backend.convolve_backward_weights(x, y, {.padding = 1}, w, Tensor<Cpu>());
    };
    step();
    const auto peak = backend.memory().peak(), in_use = backend.memory().in_use();
    step();
    CHECK(backend.memory().peak() == peak);
    CHECK(backend.memory().in_use() == in_use);
}
