#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/core/inline_vector.hpp>

#include "support/catch.hpp"

using namespace mtdn;

TEST_CASE("a short list holds what a vector holds, within its own room and beyond") {
    for (int count : {0, 1, 2, 3, 4, 9}) {
        InlineVector<std::string, 3> list;
        std::vector<std::string> vector;
        for (int i = 0; i < count; ++i) {
            list.push_back(std::string(30, static_cast<char>('a' + i)));
            vector.push_back(list.back());
        }
        REQUIRE(list.size() == vector.size());
        CHECK(list.empty() == (count == 0));
        CHECK(std::equal(list.begin(), list.end(), vector.begin(), vector.end()));
        if (count > 0) CHECK((list.front() == vector.front() && list[list.size() - 1] == vector.back()));

        auto copy = list;
        const auto moved = std::move(list);
        CHECK(std::equal(moved.begin(), moved.end(), vector.begin(), vector.end()));
        copy.push_back("more");
        CHECK((copy.size() == vector.size() + 1 && moved.size() == vector.size()));
        const InlineVector<std::string, 2> narrow(moved);
        CHECK(std::equal(narrow.begin(), narrow.end(), vector.begin(), vector.end()));
        list = moved;
        CHECK(std::equal(list.begin(), list.end(), vector.begin(), vector.end()));
    }
}

TEST_CASE("a short list lies in its owner") {
    const InlineVector<int, 3> few{1, 2, 3}, many{1, 2, 3, 4};
    const auto inside = [](const auto& list) {
        const auto *data = reinterpret_cast<const char*>(list.data()), *self = reinterpret_cast<const char*>(&list);
        return data >= self && data < self + sizeof(list);
    };
    CHECK(inside(few));
    CHECK_FALSE(inside(many));
    CHECK(std::accumulate(many.begin(), many.end(), 0) == 10);
    const InlineVector<int, 3> zeros(5);
    CHECK((zeros.size() == 5 && zeros[4] == 0));
}
