#include <mtdn/io/half.hpp>

#include <cmath>
#include <limits>

#include "support/catch.hpp"

using namespace mtdn;

TEST_CASE("every half is a float and comes back") {
    int wrong = 0;
    for (unsigned bits = 0; bits < 65536; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = half_to_float(half);
        wrong += std::isnan(value) ? !std::isnan(half_to_float(float_to_half(value))) : float_to_half(value) != half;
        // The definition: sign · 2^max(e, 1) − 25 · (fraction, with a leading one unless e is 0)
        const int exponent = half >> 10 & 31, fraction = half & 1023;
        if (exponent == 31) continue;
        const double magnitude = std::ldexp(exponent ? 1024 + fraction : fraction, std::max(exponent, 1) - 25);
        wrong += value != (half & 0x8000 ? -magnitude : magnitude);
    }
    CHECK(wrong == 0);
}

TEST_CASE("rounding is to the nearest half, ties to even") {
    int wrong = 0;
    for (unsigned bits = 0; bits < 0x7BFF; ++bits) {
        const auto low = static_cast<std::uint16_t>(bits), high = static_cast<std::uint16_t>(bits + 1);
        const float middle = (half_to_float(low) + half_to_float(high)) / 2;  // exact in float
        wrong += float_to_half(middle) != (low % 2 == 0 ? low : high);
        wrong += float_to_half(std::nextafter(middle, 0.0f)) != low;
        wrong += float_to_half(std::nextafter(middle, 1e9f)) != high;
        wrong += float_to_half(-middle) != ((low % 2 == 0 ? low : high) | 0x8000);
    }
    CHECK(wrong == 0);
    CHECK(float_to_half(65519.0f) == 0x7BFF);
    CHECK(float_to_half(65520.0f) == 0x7C00);  // halfway to 2^16, which is even
    CHECK(float_to_half(1e30f) == 0x7C00);
    CHECK(float_to_half(-std::numeric_limits<float>::infinity()) == 0xFC00);
    CHECK(float_to_half(1e-30f) == 0);
}

TEST_CASE("bfloat16 is the upper half of a float") {
    CHECK(bfloat16_to_float(0x3F80) == 1.0f);
    CHECK(bfloat16_to_float(0xC040) == -3.0f);
    CHECK(std::isnan(bfloat16_to_float(0x7FC0)));
}
