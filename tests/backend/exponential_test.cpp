#include <mtdn/backend/cpu/exponential.hpp>
#include <mtdn/backend/cpu/isa.hpp>

#include <cmath>
#include <limits>

#include "support/catch.hpp"

using namespace mtdn;
namespace cpu = mtdn::detail::cpu;

namespace {

template <class I>
float exponential(float x) {
    cpu::Vector<I> all = cpu::Vector<I>{} + x;
    cpu::exponential<I>(all);
    return all[I::floats - 1];
}

}  // namespace

TEMPLATE_TEST_CASE("exp is within 2 units in the last place", "", isa::Baseline, isa::Avx2, isa::Avx512) {
    double worst = 0;
    for (float x = -87; x < 88.7F; x += 0.0137F) {
        const double expected = std::exp(static_cast<double>(x));
        const double unit = std::ldexp(1.0, std::ilogb(expected) - 23);
        worst = std::max(worst, std::abs(exponential<TestType>(x) - expected) / unit);
    }
    CHECK(worst <= 2);
}

TEMPLATE_TEST_CASE("exp is exact at 0 and holds at the ends of the range", "", isa::Baseline, isa::Avx2, isa::Avx512) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    CHECK(exponential<TestType>(0) == 1);
    CHECK(exponential<TestType>(-infinity) == 0);
    CHECK(exponential<TestType>(-1e30F) == 0);
    CHECK(exponential<TestType>(infinity) == infinity);
    CHECK(exponential<TestType>(89) == infinity);
    CHECK(std::isnan(exponential<TestType>(std::numeric_limits<float>::quiet_NaN())));
    // Subnormal numbers have fewer digits: one step of theirs.
    CHECK(std::abs(exponential<TestType>(-100) - std::exp(-100.0)) <= std::numeric_limits<float>::denorm_min());
}
