#include <mtdn/core/arrays.hpp>

#include <limits>
#include <type_traits>

#include <mtdn/core/eigen.hpp>
#include <mtdn/core/masks.hpp>

#include "support/catch.hpp"

using mtdn::Index;

TEST_CASE("Arrays are made with the size asked for, and tell it") {
    const auto array = mtdn::full_array<float>(2.5F, 2, 3, 4, 5);
    static_assert(std::is_same_v<decltype(array), const mtdn::Images>);
    CHECK(mtdn::shape_of(array) == mtdn::Shape{2, 3, 4, 5});
    CHECK(mtdn::shape_of(mtdn::make_array<std::uint8_t>(2, 3, 4)) == mtdn::Shape{2, 3, 4, 1});
    CHECK(mtdn::extent(array, 2) == 4);
    CHECK(array(1, 2, 3, 4) == 2.5F);
    CHECK_THROWS_WITH(mtdn::shape_of(mtdn::make_array<float>(2, 3)), Catch::Contains("3 or 4 dimensions, got 2"));
}

TEST_CASE("frame_data points at a frame's first element") {
    auto array = mtdn::make_array<int>(2, 3, 4);
    for (Index i = 0; i < 24; ++i) array.data()[i] = static_cast<int>(i);
    CHECK(*mtdn::frame_data(array, 1) == array(1, 0, 0));
    *mtdn::frame_data(array, 1) = 99;
    CHECK(array(1, 0, 0) == 99);
}

TEST_CASE("An array and the Eigen matrix over it share their memory") {
    auto array = mtdn::full_array<double>(0.0, 2, 3, 4);
    auto matrix = mtdn::as_matrix(array);
    CHECK(matrix.rows() == 6);
    CHECK(matrix.cols() == 4);
    matrix(5, 3) = 7;
    CHECK(array(1, 2, 3) == 7);
    const auto& constant = array;
    CHECK(mtdn::as_matrix(constant)(5, 3) == 7);
    CHECK(mtdn::as_matrix(mtdn::full_array<float>(0.0F, 3, 0)).size() == 0);
}

TEST_CASE("An Eigen matrix of either storage order becomes an array") {
    Eigen::Matrix<int, 2, 3, Eigen::ColMajor> columns;
    columns << 1, 2, 3, 4, 5, 6;
    const auto array = mtdn::as_array(columns);
    CHECK(mtdn::extent(array, 0) == 2);
    for (Index row = 0; row < 2; ++row)
        for (Index column = 0; column < 3; ++column) CHECK(array(row, column) == columns(row, column));
    const mtdn::RowMatrix<int> rows = columns;
    CHECK((mtdn::as_array(rows) == array));
    CHECK(mtdn::as_array(columns.transpose())(2, 1) == 6);
}

TEST_CASE("as_bytes takes any expression of whole numbers and names the pixel of any other value") {
    using mtdn::detail::as_bytes;
    const auto bytes = mtdn::full_array<std::uint8_t>(1, 2, 3);
    CHECK(&as_bytes<2>(bytes, "f", "mask") == &bytes);

    const mtdn::Array<double, 2> doubles = {{0, 1}, {255, 2}};
    CHECK((as_bytes<2>(doubles, "f", "mask") == mtdn::Mask{{0, 1}, {255, 2}}));
    const mtdn::Array<bool, 2> truths = {{true, false}};
    CHECK((as_bytes<2>(truths, "f", "mask") == mtdn::Mask{{1, 0}}));
    const xt::xarray<int> dynamic = {{{1, 0}, {0, 1}}};
    CHECK((as_bytes<3>(dynamic, "f", "mask") == mtdn::Masks{{{1, 0}, {0, 1}}}));
    CHECK((as_bytes<2>(doubles + 0.0, "f", "mask") == mtdn::Mask{{0, 1}, {255, 2}}));

    CHECK_THROWS_AS(as_bytes<2>(mtdn::Array<double, 2>{{0, 0.5}}, "f", "mask"), mtdn::DataError);
    CHECK_THROWS_WITH(as_bytes<2>(mtdn::Array<double, 2>{{0, 0.5}}, "f", "mask"),
                      Catch::Contains("f: the mask has the value 0.5 at row 0, column 1"));
    CHECK_THROWS_WITH(as_bytes<3>(mtdn::Array<int, 3>{{{0, 0}}, {{0, -1}}}, "f", "mask"),
                      Catch::Contains("-1 at frame 1, row 0, column 1"));
    CHECK_THROWS_WITH(as_bytes<2>(mtdn::Array<int, 2>{{256}}, "f", "mask"), Catch::Contains("256"));
    CHECK_THROWS_WITH(as_bytes<2>(mtdn::Array<float, 2>{{std::numeric_limits<float>::quiet_NaN()}}, "f", "mask"),
                      Catch::Contains("nan"));
    CHECK_THROWS_AS(as_bytes<2>(dynamic, "f", "mask"), mtdn::ShapeError);
    CHECK_THROWS_WITH(as_bytes<2>(dynamic, "f", "mask"), Catch::Contains("2 dimensions, got size (1, 2, 2)"));
}

TEST_CASE("Masks are checked for values and for size") {
    using namespace mtdn::detail;
    CHECK_NOTHROW(require_codes(mtdn::Mask{{0, 1, 255}}, 1, "f", "mask"));
    CHECK_THROWS_WITH(require_codes(mtdn::Mask{{0, 1}, {2, 255}}, 1, "f", "mask"),
                      "f: the mask has the value 2 at row 1, column 0; expected 0 to 1 or 255 (ignore)");
    CHECK_THROWS_WITH(require_same_size(mtdn::Mask{{0, 1}}, mtdn::Mask{{0}, {1}}, "f", "query", "partner"),
                      "f: the query has size (1, 2), the partner (2, 1); they must be equal");
}
