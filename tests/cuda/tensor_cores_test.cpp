// Convolutions by tensor cores, which the host emulates.
#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <mtdn/backend/cuda/testing/emulator.hpp>

#include "cuda/convolution_statistics.hpp"
#include "cuda/rounded_convolutions.hpp"
#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::detail::cuda;
using mtdn::testing::rounded;
using mtdn::testing::values_of;

namespace {

using Emulated = CudaFor<testing::Emulator>;

}  // namespace

TEST_CASE("every operation agrees with the reference as far as its convolutions' precision goes") {
    // Half a unit of the last bit of two factors, root mean square over a power of two, is 2e-3 and 3e-4.
    const auto [precision, tolerance] = GENERATE(std::pair(Precision::bfloat16, 1e-2), std::pair(Precision::tf32, 1e-3),
                                                 std::pair(Precision::tf32x3, 1e-5));
    Emulated emulated({.precision = precision});
    CHECK(testing::check_backend(emulated, tolerance) == std::vector<std::string>{});
}

TEST_CASE("convolutions whose sums are exact are equal to the reference in every bit") {
    const auto precision = GENERATE(Precision::bfloat16, Precision::tf32, Precision::tf32x3);
    Emulated emulated({.order = 3, .precision = precision});
    CHECK(testing::check_exact_convolutions(emulated) == std::vector<std::string>{});
}

TEST_CASE("a convolution's statistics are those of what it stores, in whatever order threads come") {
    const auto precision = GENERATE(Precision::bfloat16, Precision::tf32x3);
    Emulated emulated({.precision = precision}), other({.order = 3, .precision = precision});
    CHECK(testing::check_convolution_statistics(emulated) == std::vector<std::string>{});
    const testing::ExactConvolution c{"statistics", {4, 19, 35, 0}, {{20, true}}, 37, {.padding = 1}};
    CHECK(testing::statistics_of(emulated, c, 3) == testing::statistics_of(other, c, 3));
}

TEST_CASE("operands are rounded to the nearest, once, and summed in single precision, in whatever order threads come") {
    const auto precision = GENERATE(Precision::bfloat16, Precision::tf32);
    const testing::cases::Convolution c{.x = {2, 13, 20, 40}, .out = 36, .window = {.padding = 1}};
    Emulated emulated({.precision = precision}), other({.order = 3, .precision = precision});
    Reference<double> exact;
    // 45 or 90 sums that are cut off, by half of 2⁻²³ in the mean, are 4e-6 of the result's size at most.
    CHECK(testing::check_rounded_convolution(emulated, exact, c, precision, {4e-6, 4e-6}) ==
          std::vector<std::string>{});
    CHECK(testing::check_rounded_convolution(emulated, exact, c, Precision::single, {4e-6, 4e-6}).size() == 3);
    CHECK(testing::random_passes(other, c, precision) ==
          testing::random_passes(emulated, c, Precision::single));
}

// Cut off one after the other, sums of so many products lose 1e-5 of their size.
TEST_CASE("three products in TF32 are nearly as exact as single precision, for long sums too") {
    const testing::cases::Convolution c{.x = {1, 9, 7, 256}, .out = 5, .window = {.padding = 1}};
    const testing::cases::Convolution many{.x = {1, 64, 64, 3}, .out = 4, .window = {.padding = 1}};
    const testing::cases::Convolution one{.x = {1, 9, 7, 256}, .out = 40, .window = {.kernel = 1}};
    Emulated emulated({.precision = Precision::tf32x3}), other({.order = 3, .precision = Precision::tf32x3});
    Reference<double> exact;
    for (const auto& each : {c, many, one})
        CHECK(testing::check_rounded_convolution(emulated, exact, each, Precision::tf32x3, {1e-6, 1e-6}) ==
              std::vector<std::string>{});
    CHECK(testing::random_passes(other, c, Precision::tf32x3) ==
          testing::random_passes(emulated, c, Precision::tf32x3));
}

TEST_CASE("transposed convolutions are multiplied by tensor cores, all three ways") {
    const testing::ExactTransposed c{"transposed", {1, 5, 6, 8}, 4};
    const auto run = [&](const testing::EmulatorOptions& options) {
        Emulated emulated(options);
        const Tensor<Emulated> x(emulated, c.x), w(emulated, {2, 2, 8, 4}), dy(emulated, {1, 10, 12, 4});
        const Tensor<Emulated> y(emulated, dy.shape()), dx(emulated, c.x), dw(emulated, w.shape());
        for (const auto& [tensor, value] :
             {std::pair(x, 0.1), std::pair(w, 0.7), std::pair(dy, 0.3), std::pair(dw, 0.0)})
            emulated.fill(tensor, value);
        emulated.transposed_convolve(x, w, {}, y);
        emulated.transposed_convolve_backward_data(dy, w, dx);
        emulated.transposed_convolve_backward_weights(x, dy, dw, {});
        return std::vector{values_of(y), values_of(dx), values_of(dw)};
    };
    const auto single = run({}), bf16 = run({.precision = Precision::bfloat16});
    for (std::size_t i = 0; i < single.size(); ++i) CHECK(bf16[i] != single[i]);
    CHECK(run({.precision = Precision::bfloat16, .simple = true}) == single);
}

TEST_CASE("simple kernels multiply in single precision whatever the precision") {
    const testing::ExactConvolution c{"simple", {1, 5, 6, 0}, {{8}}, 6, {.padding = 1}};
    const auto run = [&](const testing::EmulatorOptions& options) {
        Emulated emulated(options);
        const Tensor<Emulated> x(emulated, c.x()), w(emulated, c.w()), y(emulated, c.y());
        emulated.fill(x, 0.1);
        emulated.fill(w, 0.7);
        emulated.convolve(x, w, {}, {}, c.window, Activation::identity, y);
        return values_of(y);
    };
    const auto single = run({});
    CHECK(run({.precision = Precision::bfloat16, .simple = true}) == single);
    CHECK(run({.precision = Precision::bfloat16}) != single);
    CHECK(run({.precision = Precision::tf32}) != single);
    CHECK(run({.precision = Precision::tf32x3, .simple = true}) == single);
}

namespace {

/// One warp multiplies a (16 × depth) by b (depth × 8), both in shared memory: b as rows, its transpose's.
template <class Cores>
struct OneProduct {
    static constexpr int threads = 32, depth = Cores::depth;
    struct Shared {
        Tile<16> a;
        Tile<16> b;
    };
    const float* a;
    const float* b;
    float* c;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const int lane = block.thread();
        Shared& shared = block.shared();
        for (int i = lane; i < 16 * depth / 4; i += 32) {
            const int row = i / (depth / 4), quad = i % (depth / 4);
            float left[4], right[4];
            for (int e = 0; e < 4; ++e) {
                left[e] = a[row * depth + 4 * quad + e];
                right[e] = row < 8 ? b[(4 * quad + e) * 8 + row] : 0;
            }
            Cores::put(block, [&](int half) -> Unit& { return shared.a.at(0, row, half); }, quad, left);
            Cores::put(block, [&](int half) -> Unit& { return shared.b.at(0, row, half); }, quad, right);
        }
        block.sync();
        Word left[4], right[4];
        float sum[4] = {1, 1, 1, 1};
        block.load_rows(&shared.a.at(0, lane % 16, lane / 16), left);
        block.load_rows(&shared.b.at(0, lane / 16 * 8 + lane % 8, lane / 8 % 2), right);
        Cores::multiply(block, sum, left, right[0], right[1]);
        for (int i = 0; i < 4; ++i) c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = sum[i];
    }
};

template <class Cores>
void check_product() {
    constexpr std::size_t depth = Cores::depth;
    std::vector<float> a(16 * depth), b(depth * 8), c(16 * 8);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 7 % 31) - 15;
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i * 5 % 23) - 11;
    Queue<testing::Emulator> queue({.order = 2});
    launch(queue, 1, OneProduct<Cores>{a.data(), b.data(), c.data()});
    for (std::size_t i = 0; i < 16; ++i)
        for (std::size_t j = 0; j < 8; ++j) {
            float sum = 1;
            for (std::size_t k = 0; k < depth; ++k) sum += a[i * depth + k] * b[k * 8 + j];
            CHECK(c[i * 8 + j] == sum);
        }
}

/// A warp whose lanes do what `what` says.
struct Warp {
    enum What { copies, copies_unseen, copies_unfinished, copies_askew, half_a_warp, different, same_bank, columns };
    static constexpr int threads = 32;
    struct Shared {
        Tile<32> tile;
        SharedArray<Four, 32> fours;
    };
    What what;
    const Four* from;
    float* result;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        const int lane = block.thread();
        Shared& shared = block.shared();
        Word words[4] = {};
        float sum[4] = {};
        if (what == copies || what == copies_unseen || what == copies_unfinished) {
            block.copy(&shared.fours[lane], from + lane, lane % 4 * 4);
            if (what == copies) block.wait_for_copies();
            block.sync();
            for (int i = 0; i < 4; ++i) result[4 * lane + i] = shared.fours[(lane + 1) % 32].values[i];
            block.sync();
            if (what == copies_unseen) block.wait_for_copies();
        }
        if (what == copies_askew) block.copy(&shared.fours[lane], from->values + 1, 16);
        if (what == half_a_warp && lane < 16) block.load_rows(&shared.tile.at(0, lane, 0), words);
        if (what == different && lane < 16) block.load_rows(&shared.tile.at(0, lane, 0), words);
        if (what == different && lane >= 16) block.multiply_bf16(sum, words, 0, 0);
        if (what == same_bank) block.load_rows(&shared.tile.units[lane % 8 * 8], words);
        if (what == columns) {
            // Row r of matrix m: numbers 100 m + 8 r and so on.
            for (int i = 0; i < 4; ++i) {
                const auto first = static_cast<Word>(100 * (lane / 8) + 8 * (lane % 8) + 2 * i);
                shared.tile.at(0, lane, 0).words[i] = first | (first + 1) << 16;
            }
            block.sync();
            block.load_columns(&shared.tile.at(0, lane, 0), words);
            for (int i = 0; i < 4; ++i) result[4 * lane + i] = static_cast<float>(words[i]);
        }
    }
};

std::vector<float> run_warp(Warp::What what) {
    std::vector<Four> from(33);
    for (std::size_t i = 0; i < 32; ++i) from[i] = {{1, 2, 3, 4}};
    std::vector<float> result(128);
    Queue<testing::Emulator> queue({});
    launch(queue, 1, Warp{what, from.data(), result.data()});
    return result;
}

}  // namespace

TEST_CASE("a warp's product is that of matrices whose rows it loads") {
    check_product<Bf16Cores>();
    check_product<Tf32Cores>();
}

TEST_CASE("columns of 16-bit numbers go to the lanes that multiply them") {
    const auto words = run_warp(Warp::columns);
    for (std::size_t lane = 0; lane < 32; ++lane)
        for (std::size_t matrix = 0; matrix < 4; ++matrix) {
            const std::size_t column = lane / 4, row = lane % 4 * 2;  // and the row below
            const std::size_t low = 100 * matrix + 8 * row + column, high = low + 8;
            CHECK(words[4 * lane + matrix] == static_cast<float>(low + (high << 16)));
        }
}

TEST_CASE("what is copied while a thread goes on is there after it has waited, zeros behind it") {
    const auto copied = run_warp(Warp::copies), unseen = run_warp(Warp::copies_unseen);
    for (std::size_t lane = 0; lane < 32; ++lane)
        for (std::size_t i = 0; i < 4; ++i) {
            CHECK(copied[4 * lane + i] == (i < (lane + 1) % 4 ? static_cast<float>(i + 1) : 0.0F));
            CHECK(std::isnan(unseen[4 * lane + i]));
        }
    CHECK_THROWS_WITH(run_warp(Warp::copies_unfinished), Catch::Contains("ends before its copies"));
    CHECK_THROWS_WITH(run_warp(Warp::copies_askew), Catch::Contains("no multiple of 16"));
}

TEST_CASE("a warp that does not stay together, and rows in one bank, are refused") {
    CHECK_THROWS_WITH(run_warp(Warp::half_a_warp), Catch::Contains("16 of its 32 lanes"));
    CHECK_THROWS_WITH(run_warp(Warp::different), Catch::Contains("different things"));
    CHECK_THROWS_WITH(run_warp(Warp::same_bank), Catch::Contains("banks"));
}

TEST_CASE("numbers are rounded as tensor cores want them") {
    const float bit8 = std::ldexp(1.0F, -8), bit11 = std::ldexp(1.0F, -11);
    const auto bf16 = [](float x) { return rounded(Precision::bfloat16, x); };
    const auto tf32 = [](float x) { return rounded(Precision::tf32, x); };
    CHECK(bf16(1 + bit8) == 1);  // half way: to the even one
    CHECK(bf16(1 + 3 * bit8) == 1 + 4 * bit8);
    CHECK(bf16(-1 - 1.01F * bit8) == -1 - 2 * bit8);
    CHECK(tf32(1 + bit11) == 1 + 2 * bit11);  // half way: away from 0
    CHECK(tf32(-1 - bit11) == -1 - 2 * bit11);
    CHECK(tf32(1 + 0.99F * bit11) == 1);
    const float largest = std::numeric_limits<float>::max(), infinite = HUGE_VALF;
    for (const Precision precision : {Precision::bfloat16, Precision::tf32}) {
        const auto round = [&](float x) { return rounded(precision, x); };
        CHECK(round(largest) == infinite);
        CHECK(round(-infinite) == -infinite);
        CHECK(round(0) == 0);
        for (const Word bits : {0x7fffffffU, 0x7f800001U, 0xffc00000U})
            CHECK(std::isnan(round(std::bit_cast<float>(bits))));
    }
}

TEST_CASE("tiles of a convolution cover its output once") {
    for (const Index side : {1, 15, 16, 17, 31, 32, 33, 100})
        for (const Index channels : {1, 16, 31, 32, 33, 64, 65, 512}) {
            INFO(side << " pixels, " << channels << " channels");
            const Shape y{3, side, 2 * side, channels};
            const TilePlan plan(y, channels, 16, 32, 64, 8);
            CHECK(plan.row_tiles * 16 >= side);
            CHECK((plan.row_tiles - 1) * 16 < side);
            CHECK(plan.column_tiles * 32 >= 2 * side);
            CHECK((plan.column_tiles - 1) * 32 < 2 * side);
            CHECK(plan.channel_tiles * 64 >= channels);
            CHECK((plan.channel_tiles - 1) * 64 < channels);
            CHECK(plan.chunks * 8 >= channels);
            CHECK((plan.chunks - 1) * 8 < channels);
            CHECK(plan.blocks == Index{3} * plan.row_tiles * plan.column_tiles * plan.channel_tiles);
            Index pixels = 0;
            for (Index tile = 0; tile < plan.tiles; ++tile) pixels += plan.pixels(tile);
            CHECK(pixels == y.pixels());

            const GradientPlan gradient(y, channels);
            CHECK(gradient.tiles == 3 * gradient.row_tiles * gradient.column_tiles);
            CHECK(gradient.pieces * gradient.piece >= gradient.tiles);
            CHECK((gradient.pieces - 1) * gradient.piece < gradient.tiles);
            CHECK(gradient.piece * GradientPlan::rows * GradientPlan::columns <= GradientPlan::long_sum);
        }
    CHECK_THROWS_AS(TilePlan({1 << 14, 1 << 8, 1 << 8, 1}, 1, 16, 32, 64, 8), BackendError);
    CHECK_THROWS_AS(GradientPlan({1 << 14, 1 << 8, 1 << 8, 1}, 1), BackendError);
    // The largest layer of the published network, 32 frames of 256 pixels' side: slabs of some megabytes.
    constexpr GradientPlan first({32, 256, 256, 32}, 32);
    static_assert(first.pieces * 288 * 32 * 4 <= (20 << 20));
    static_assert(GradientPlan({32, 16, 16, 512}, 512).pieces == 2);
    static_assert(ChannelsOfTiles::blocks(2, 32) == 8 && ChannelsOfTiles::blocks(3, 33) == 15);
}

namespace {

/// Two blocks in one multiprocessor of compute capability 8.0, one in one of 8.6.
template <class Body>
constexpr bool fits() {
    constexpr std::size_t taken = 1024;  // of each block, by the system
    return sizeof(typename Body::Shared) <= shared_of_86 &&
           Body::resident * (sizeof(typename Body::Shared) + taken) <= shared_of_80 + taken && sizeof(Body) <= 4096;
}

/// How often a warp's threads, who access `bytes` at their address each, have to wait for one bank.
int conflicts(const std::vector<int>& addresses, int bytes) {
    const int together = 128 / bytes;
    int worst = 1;
    for (std::size_t begin = 0; begin < addresses.size(); begin += static_cast<std::size_t>(together)) {
        std::set<int> words[32];
        for (int i = 0; i < together; ++i)
            for (int b = 0; b < bytes; b += 4) {
                const int word = (addresses[begin + static_cast<std::size_t>(i)] + b) / 4;
                words[word % 32].insert(word);
            }
        for (const auto& of_bank : words) worst = std::max(worst, static_cast<int>(of_bank.size()));
    }
    return worst;
}

}  // namespace

TEST_CASE("shared memory of tensor-core kernels fits, and its banks are met one at a time") {
    static_assert(fits<TiledConvolution<Bf16Cores, 1, 1>>() && fits<TiledConvolution<Bf16Cores, 1, 2>>());
    static_assert(fits<TiledConvolution<Bf16Cores, 3, 1>>() && fits<TiledConvolution<Bf16Cores, 3, 2>>());
    static_assert(fits<TiledConvolution<Tf32Cores, 1, 1>>() && fits<TiledConvolution<Tf32Cores, 1, 2>>());
    static_assert(fits<TiledConvolution<Tf32Cores, 3, 1>>() && fits<TiledConvolution<Tf32Cores, 3, 2>>());
    static_assert(fits<TiledConvolution<Tf32x3Cores, 1, 1>>() && fits<TiledConvolution<Tf32x3Cores, 1, 2>>());
    static_assert(fits<TiledConvolution<Tf32x3Cores, 3, 1>>() && fits<TiledConvolution<Tf32x3Cores, 3, 2>>());
    static_assert(fits<TiledWeightGradient<Tf32x3Cores, 1>>() && fits<TiledWeightGradient<Tf32x3Cores, 3>>());
    static_assert(fits<TiledWeightGradient<Bf16Cores, 1>>() && fits<TiledWeightGradient<Bf16Cores, 3>>());
    static_assert(fits<TiledWeightGradient<Tf32Cores, 1>>() && fits<TiledWeightGradient<Tf32Cores, 3>>());

    CHECK(conflicts({0, 128, 256, 384, 512, 640, 768, 896}, 16) == 8);
    for (const int columns : {16, 18, 32, 34})
        for (int first = 0; first < 2 * columns; ++first) {
            INFO("pixel " << first << " of lines of " << columns);
            const auto unit = [&](int pixel, int half) {
                return 16 * unit_of(pixel / columns * columns, pixel % columns, half);
            };
            // Four pixels' 32 bytes, written by eight bytes and by 16.
            std::vector<int> eights, sixteens;
            for (int lane = 0; lane < 16; ++lane) eights.push_back(unit(first + lane / 4, lane % 4 / 2) + lane % 2 * 8);
            for (int lane = 0; lane < 8; ++lane) sixteens.push_back(unit(first + lane / 2, lane % 2));
            CHECK(conflicts(eights, 8) == 1);
            CHECK(conflicts(sixteens, 16) == 1);
            // Eight pixels' halves, loaded as rows, and eight channels of four pixels, in TF32.
            if (first % columns + 8 > columns) continue;
            std::vector<int> halves, words;
            for (int lane = 0; lane < 8; ++lane) halves.push_back(unit(first + lane, 0));
            for (int lane = 0; lane < 32; ++lane)
                words.push_back(unit(first + lane % 4, lane / 16) + lane / 4 % 4 * 4);
            CHECK(conflicts(halves, 16) == 1);
            CHECK(conflicts(words, 4) == 1);
        }
}
