// What the emulator finds, and how kernels are cut.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <vector>

#include <mtdn/backend/cuda/testing/emulator.hpp>

#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::detail::cuda;

namespace {

using EmulatedQueue = Queue<testing::Emulator>;

/// Each thread hands its number to its neighbour through shared memory.
struct Neighbours {
    static constexpr int threads = 8;
    struct Shared {
        SharedArray<float, threads> number;
    };
    float* result;
    bool waits;

    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        block.shared().number[block.thread()] = static_cast<float>(block.thread());
        if (waits) block.sync();
        result[block.number() * threads + block.thread()] = block.shared().number[(block.thread() + 1) % threads];
    }
};

std::vector<float> neighbours(int order, bool waits) {
    EmulatedQueue queue({.order = order});
    std::vector<float> result(2 * Neighbours::threads);
    launch(queue, 2, Neighbours{result.data(), waits});
    return result;
}

/// Half of a block's threads wait for the other half, which does not come.
struct HalfABarrier {
    static constexpr int threads = 8;
    struct Shared {};
    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        if (block.thread() % 2 == 0) block.sync();
    }
};

struct OutOfShared {
    static constexpr int threads = 8;
    struct Shared {
        SharedArray<int, 4> few;
    };
    template <class Block>
    MTDN_DEVICE void operator()(Block& block) const {
        block.shared().few[block.thread()] = 1;
    }
};

}  // namespace

TEST_CASE("threads of a block meet at barriers, in whatever order they take turns") {
    const std::vector<float> expected{1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0};
    for (const int order : {0, 1, 2, 3}) CHECK(neighbours(order, true) == expected);
}

TEST_CASE("a barrier that is missing shows: orders differ, and what was not written is no number") {
    CHECK(std::isnan(neighbours(0, false)[0]));
    CHECK_FALSE(std::isnan(neighbours(1, false)[0]));
}

TEST_CASE("a barrier that only some threads reach, and shared memory outside of its arrays, are refused") {
    EmulatedQueue queue({});
    CHECK_THROWS_WITH(launch(queue, 1, HalfABarrier{}), Catch::Contains("a barrier that 4 of 8 threads reach"));
    CHECK_THROWS_WITH(launch(queue, 1, OutOfShared{}), Catch::Contains("element 4 of 4"));
    CHECK(neighbours(0, true)[0] == 1);
}

TEST_CASE("the host cannot touch the device's memory") {
    CudaFor<testing::Emulator> emulated;
    const Tensor<CudaFor<testing::Emulator>> x(emulated, vector_shape(100));
    emulated.fill(x, 1);
    // The system refuses to read for us what we may not.
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    CHECK(::write(ends[1], x.data(), 1) == -1);
    CHECK(errno == EFAULT);
    for (const int end : ends) ::close(end);
    CHECK(emulated.sum_of_squares(x) == 100);
}

TEST_CASE("tiles and pieces of a product cover it once") {
    for (const Index rows : {1, 63, 64, 65, 4608})
        for (const Index columns : {1, 16, 17, 32, 33, 64, 65, 512})
            for (const Index inner : {1, 15, 16, 17, 511, 513, 70000, 2 << 20})
                for (const bool cut : {false, true}) {
                    const ProductPlan plan = product_plan(rows, columns, inner, cut);
                    INFO(rows << " x " << inner << " by " << inner << " x " << columns);
                    CHECK((plan.width == 16 || plan.width == 32 || plan.width == 64));
                    CHECK(plan.row_tiles * ProductPlan::height >= rows);
                    CHECK((plan.row_tiles - 1) * ProductPlan::height < rows);
                    CHECK(plan.column_tiles * plan.width >= columns);
                    CHECK((plan.column_tiles - 1) * plan.width < columns);
                    CHECK(plan.piece % ProductPlan::depth == 0);
                    CHECK(Index{plan.pieces} * plan.piece >= inner);
                    CHECK(Index{plan.pieces - 1} * plan.piece < inner);
                    if (cut) CHECK(plan.piece <= ProductPlan::long_sum);
                    else CHECK(plan.pieces == 1);
                }
    // The largest layer of the published network, 32 frames of 256 pixels' side: slabs of some megabytes.
    constexpr ProductPlan first = product_plan(288, 32, 32 * 256 * 256, true);
    static_assert(first.pieces * 288 * 32 * 4 <= (20 << 20));
    static_assert(product_plan(4608, 512, 32 * 16 * 16, true).pieces == 2);
    CHECK_THROWS_AS(product_plan(Index{1} << 31, 1, 1, false), BackendError);
}

TEST_CASE("pieces and tiles of channel sums cover them once") {
    for (const Index pixels : {1, 7, 8, 255, 256, 257, 8191, 2 << 20})
        for (const Index channels : {1, 2, 3, 4, 16, 19, 32, 33, 512}) {
            const SumsPlan plan = sums_plan(2, pixels, channels);
            INFO(pixels << " pixels of " << channels << " channels");
            CHECK(plan.lanes * plan.rows == SumsPlan::threads);
            CHECK((plan.lanes & (plan.lanes - 1)) == 0);
            CHECK(plan.tiles * plan.lanes >= channels);
            CHECK((plan.tiles - 1) * plan.lanes < channels);
            CHECK(plan.pieces * plan.piece >= pixels);
            CHECK((plan.pieces - 1) * plan.piece < pixels);
            CHECK(plan.pieces <= 256);
            CHECK(plan.blocks() == 2 * plan.pieces * plan.tiles);
        }
}

TEST_CASE("kernels' shared memory and arguments fit every GPU") {
    // 48 KiB of shared memory need no asking, 4 KiB of arguments no recent driver.
    using Widest = Product<64, Patches, Plain, StoreActivated>;
    static_assert(sizeof(Widest::Shared) <= 48 << 10);
    static_assert(sizeof(ChannelSums<Overlap>::Shared) <= 48 << 10);
    static_assert(sizeof(Widest) <= 4096);
    static_assert(sizeof(ForEach<Assign<CombineFrames>>) <= 4096);
    static_assert(std::is_trivially_copyable_v<Widest>);
    SUCCEED();
}
