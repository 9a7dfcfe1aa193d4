#include <memory>
#include <vector>

#include <mtdn/backend/memory.hpp>

#include "support/catch.hpp"

using namespace mtdn;

TEST_CASE("small blocks that are given back are found again by requests that round up to the same power of two") {
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

TEST_CASE("a large block is cut to what is asked for, and whole again when its pieces are back") {
    const auto pool = std::make_shared<HostMemoryPool>();
    constexpr std::size_t mebibyte = 1 << 20;
    pool->provide(mebibyte);  // a chunk of just that size
    const auto at = [whole = static_cast<char*>(BlockHandle(pool->obtain(mebibyte)).data())](std::size_t offset) {
        return static_cast<void*>(whole + offset);
    };
    {
        BlockHandle first(pool->obtain(mebibyte / 4)), second(pool->obtain(300000)), third(pool->obtain(100000));
        CHECK(first.data() == at(0));
        CHECK(second.data() == at(mebibyte / 4));
        CHECK(third.data() == at(mebibyte / 4 + 303104));  // the next multiple of 4096
        CHECK(pool->held() == mebibyte);
        second = {};
        CHECK(BlockHandle(pool->obtain(70000)).data() == at(mebibyte / 4));  // the smallest hole
        CHECK(BlockHandle(pool->obtain(350000)).data() == at(mebibyte / 4 + 303104 + 102400));
        pool->trim();
        CHECK(pool->held() == mebibyte);
        const BlockHandle more(pool->obtain(mebibyte));
        CHECK(pool->held() == (1 + 64) * mebibyte);  // further chunks are large: their pages come when touched
        first = third = {};
        pool->trim();
        CHECK(pool->held() == 64 * mebibyte);
        CHECK_FALSE(pool->has_idle(1000));
    }
    CHECK(pool->has_idle(64 * mebibyte));
    CHECK_FALSE(pool->has_idle(1000));  // small requests leave large blocks whole
}

TEST_CASE("any order of requests and returns keeps blocks apart and ends with whole ones") {
    const auto pool = std::make_shared<HostMemoryPool>();
    std::uint64_t state = 1;
    const auto next = [&](std::uint64_t below) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (state >> 33) % below;
    };
    struct Piece {
        BlockHandle block;
        std::size_t bytes;
        char mark;
    };
    std::vector<Piece> pieces;
    for (int i = 0; i < 4000; ++i) {
        if (next(5) < 3 || pieces.empty()) {
            const std::size_t bytes = std::size_t{1} << (10 + next(12));
            Piece piece{BlockHandle(pool->obtain(bytes)), bytes, static_cast<char>(i)};
            static_cast<char*>(piece.block.data())[0] = static_cast<char*>(piece.block.data())[bytes - 1] = piece.mark;
            pieces.push_back(std::move(piece));
        } else {
            const auto chosen = pieces.begin() + static_cast<std::ptrdiff_t>(next(pieces.size()));
            const char* data = static_cast<const char*>(chosen->block.data());
            REQUIRE((data[0] == chosen->mark && data[chosen->bytes - 1] == chosen->mark));
            pieces.erase(chosen);
        }
        while (pieces.size() > 100) pieces.erase(pieces.begin());
    }
    pieces.clear();
    pool->trim();
    CHECK(pool->held() == 0);
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

TEST_CASE("where there is little left, chunks are as small as the request, and idle ones go back first") {
    /// Memory of a device that has 100 MiB.
    class SmallPool final : public MemoryPool {
    public:
        using MemoryPool::MemoryPool;
        ~SmallPool() override { trim(); }

    private:
        void* allocate(std::size_t bytes) override {
            if (held() + bytes > std::size_t{100} << 20) fail<BackendError>("out of memory");
            return std::aligned_alloc(64, bytes);
        }
        void deallocate(void* data) noexcept override { std::free(data); }
    };
    constexpr std::size_t mebibyte = 1 << 20;
    const auto pool = std::make_shared<SmallPool>();
    {
        const BlockHandle first(pool->obtain(60 * mebibyte)), second(pool->obtain(30 * mebibyte));
        CHECK(pool->held() == (64 + 30) * mebibyte);
        CHECK_THROWS_AS(pool->obtain(20 * mebibyte), BackendError);
    }
    const BlockHandle third(pool->obtain(90 * mebibyte));
    CHECK(pool->held() == 90 * mebibyte);
}

TEST_CASE("chunks grow as slowly as a device wants") {
    class EighthPool final : public MemoryPool {
    public:
        EighthPool() : MemoryPool(8) {}
        ~EighthPool() override { trim(); }

    private:
        void* allocate(std::size_t bytes) override { return std::aligned_alloc(64, bytes); }
        void deallocate(void* data) noexcept override { std::free(data); }
    };
    constexpr std::size_t mebibyte = 1 << 20;
    const auto pool = std::make_shared<EighthPool>();
    const BlockHandle first(pool->obtain(800 * mebibyte)), second(pool->obtain(mebibyte));
    CHECK(pool->held() == (800 + 100) * mebibyte);
}
