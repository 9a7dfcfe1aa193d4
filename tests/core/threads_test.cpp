#include <mtdn/core/threads.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using mtdn::Index;
using mtdn::ThreadPool;

TEST_CASE("Every piece runs once, for any number of threads") {
    for (int threads : {1, 2, 5}) {
        ThreadPool pool{threads};
        CHECK(pool.size() == threads);
        for (Index count : {-1, 0, 1, 2, 3, 100}) {
            std::vector<std::atomic<int>> runs(static_cast<std::size_t>(std::max<Index>(count, 0)));
            pool.run(count, [&](Index i) { ++runs[static_cast<std::size_t>(i)]; });
            int wrong = 0;
            for (const auto& run : runs) wrong += run != 1;
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("A pool is used over and over, and from several threads") {
    ThreadPool pool{3};
    std::atomic<Index> sum{0};
    for (int loop = 0; loop < 200; ++loop) pool.run(10, [&](Index i) { sum += i; });
    CHECK(sum == 200 * 45);

    sum = 0;
    {
        std::vector<std::jthread> callers;
        for (int caller = 0; caller < 3; ++caller)
            callers.emplace_back([&] {
                for (int loop = 0; loop < 50; ++loop) pool.run(10, [&](Index i) { sum += i; });
            });
    }
    CHECK(sum == 3 * 50 * 45);
}

TEST_CASE("An exception in a piece reaches the caller and leaves the pool usable") {
    for (int threads : {1, 4}) {
        ThreadPool pool{threads};
        const auto broken = [](Index i) {
            if (i == 3) throw std::runtime_error("piece 3");
        };
        CHECK_THROWS_WITH(pool.run(50, broken), "piece 3");
        CHECK_THROWS_WITH(pool.run(50, [](Index) { throw std::runtime_error("any"); }), "any");
        std::atomic<int> runs{0};
        pool.run(20, [&](Index) { ++runs; });
        CHECK(runs == 20);
    }
}

TEST_CASE("The number of threads is checked") {
    CHECK(ThreadPool{}.size() >= 1);
    CHECK_THROWS_AS(ThreadPool{-1}, mtdn::OptionError);
    CHECK_THROWS_WITH(ThreadPool{-1}, Catch::Contains("ThreadPool") && Catch::Contains("-1"));
}

TEST_CASE("a thread of a pool knows its number, and whether a loop is run") {
    ThreadPool threads(3);
    CHECK(threads.current() == 0);
    CHECK_FALSE(threads.running());
    threads.run(50, [&](Index) {
        if (!threads.running() || threads.current() < 0 || threads.current() > 2) throw std::runtime_error("wrong");
    });
    CHECK_FALSE(threads.running());
}
