#include <mtdn/core/error.hpp>

#include <span>
#include <sstream>
#include <stdexcept>
#include <vector>

#include <mtdn/core/communicator.hpp>
#include <mtdn/core/shape.hpp>

#include "support/catch.hpp"

TEST_CASE("Errors are of one family and carry the message that was put together") {
    CHECK_NOTHROW(mtdn::require<mtdn::ShapeError>(true, "unseen"));
    CHECK_THROWS_WITH(mtdn::require<mtdn::ShapeError>(false, "head \"", "A2", "\" takes ", 32), "head \"A2\" takes 32");
    CHECK_THROWS_AS(mtdn::fail<mtdn::ShapeError>("why"), mtdn::Error);
    CHECK_THROWS_AS(mtdn::fail<mtdn::OptionError>("why"), mtdn::Error);
    CHECK_THROWS_AS(mtdn::fail<mtdn::DataError>("why"), mtdn::Error);
    CHECK_THROWS_AS(mtdn::fail<mtdn::IoError>("why"), mtdn::Error);
    CHECK_THROWS_AS(mtdn::fail<mtdn::BackendError>("why"), mtdn::Error);
    CHECK_THROWS_AS(mtdn::fail<mtdn::BackendError>("why"), std::runtime_error);
}

TEST_CASE("A shape counts pixels and elements and is written in order") {
    constexpr mtdn::Shape shape{2, 3, 4, 5};
    static_assert(shape.pixels() == 24 && shape.size() == 120);
    static_assert(shape.with_channels(7) == mtdn::Shape{2, 3, 4, 7} && shape.with_frames(7) == mtdn::Shape{7, 3, 4, 5});
    static_assert(mtdn::vector_shape(9) == mtdn::Shape{1, 1, 1, 9} && shape != mtdn::Shape{2, 3, 5, 4});
    std::ostringstream out;
    out << shape;
    CHECK(out.str() == "(2, 3, 4, 5)");
}

TEST_CASE("Alone, every exchange leaves the values as they are") {
    const mtdn::Alone alone;
    CHECK(alone.rank() == 0);
    CHECK(alone.size() == 1);
    std::vector<float> floats{1, 2};
    std::vector<double> doubles{3, 4};
    alone.all_reduce(std::span(floats));
    alone.broadcast(std::span(floats));
    alone.all_reduce(std::span(doubles));
    alone.broadcast(std::span(doubles));
    alone.barrier();
    CHECK(floats == std::vector<float>{1, 2});
    CHECK(doubles == std::vector<double>{3, 4});
}
