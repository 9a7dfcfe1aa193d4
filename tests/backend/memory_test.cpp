#include <memory>
#include <vector>

#include <mtdn/backend/memory.hpp>

#include "support/catch.hpp"

using namespace mtdn;

TEST_CASE("blocks that are given back are found again by requests that round up to the same power of two") {
    const auto pool = std::make_shared<HostMemoryPool>();
    const auto address = [&](std::size_t bytes) { return BlockHandle(pool->obtain(bytes)).data(); };
    void* first = address(1000);
    CHECK(pool->held() == 1024);
    CHECK(address(513) == first);
    CHECK(address(1024) == first);
    CHECK(address(512) != first);
    CHECK(pool->held() == 1024 + 512);
    CHECK(pool->in_use() == 0);
    CHECK(pool->peak() == 1024);
    pool->trim();
    CHECK(pool->held() == 0);
}

TEST_CASE("equal requests in equal order get equal addresses, in whatever order they were given back") {
    const auto pool = std::make_shared<HostMemoryPool>();
    std::vector<void*> first;
    for (int round = 0; round < 3; ++round) {
        std::vector<BlockHandle> blocks;
        for (int i = 0; i < 5; ++i) blocks.emplace_back(pool->obtain(100));
        CHECK(pool->in_use() == 500);
        std::vector<void*> addresses;
        for (auto& block : blocks) addresses.push_back(block.data());
        if (round == 1) first = addresses;
        if (round == 2) CHECK(addresses == first);
        if (round == 0) std::swap(blocks[0], blocks[3]);
    }
    CHECK(pool->held() == 5 * 128);
}

TEST_CASE("what is provided is there when it is wanted") {
    const auto pool = std::make_shared<HostMemoryPool>();
    CHECK_FALSE(pool->has_idle(100));
    pool->provide(100);
    CHECK(pool->has_idle(128));
    const BlockHandle block(pool->obtain(70));
    CHECK_FALSE(pool->has_idle(100));
    CHECK(pool->held() == 128);
}

TEST_CASE("more than there is, is refused with the amount") {
    const auto pool = std::make_shared<HostMemoryPool>();
    CHECK_THROWS_WITH(pool->obtain(~std::size_t{0} - 5), Catch::Matchers::Contains("MiB wanted"));
    CHECK(pool->held() == 0);
}
