#include <mtdn/change/category.hpp>

#include "support/catch.hpp"

using mtdn::Category;

TEST_CASE("The truth table of categories") {
    struct Row {
        bool query, partner;
        Category category;
        int index;
        const char* text;
    };
    for (const Row& row :
         {Row{false, false, Category::no_change, 0, "no change"}, Row{false, true, Category::appearing, 1, "appearing"},
          Row{true, false, Category::disappearing, 2, "disappearing"},
          Row{true, true, Category::overlapping, 3, "overlapping"}}) {
        CHECK(mtdn::categorise(row.query, row.partner) == row.category);
        CHECK(static_cast<int>(row.category) == row.index);
        CHECK(mtdn::in_query(row.category) == row.query);
        CHECK(mtdn::in_partner(row.category) == row.partner);
        CHECK(mtdn::swapped(row.category) == mtdn::categorise(row.partner, row.query));
        CHECK(mtdn::name(row.category) == row.text);
    }
    CHECK(mtdn::swapped(Category::appearing) == Category::disappearing);
    CHECK(mtdn::category_count == 4);
}
