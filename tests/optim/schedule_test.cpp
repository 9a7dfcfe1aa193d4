#include <cmath>
#include <vector>

#include <mtdn/optim/schedule.hpp>
#include <mtdn/optim/testing/archetypes.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

using namespace mtdn;
using mtdn::testing::error_of;

static_assert(Schedule<ConstantSchedule> && Schedule<LinearSchedule> && Schedule<CosineSchedule> &&
              Schedule<StepSchedule>);
static_assert(Schedule<WarmUp<LinearSchedule>> && Schedule<AnySchedule> && !Schedule<int>);

TEST_CASE("the published rate falls linearly by epoch: 1 − e/(E + 1)") {
    const LinearSchedule schedule{.epochs = 500};
    CHECK(schedule(0) == 1);
    CHECK(schedule(250) == Approx(1 - 250.0 / 501));
    CHECK(schedule(499) == Approx(2.0 / 501));
    CHECK(schedule(500) > 0);
    CHECK(schedule(501) == 0);
    CHECK(schedule(900) == 0);
    CHECK(LinearSchedule{}(1) == schedule(1));
}

TEST_CASE("factors of the schedules") {
    struct Row {
        AnySchedule schedule;
        std::vector<double> factors;  // of epochs 0, 1, 2, …
    };
    const double low = (1 + std::cos(std::acos(-1.0) / 4)) / 2;
    for (const Row& row : {Row{ConstantSchedule{}, {1, 1, 1}}, Row{LinearSchedule{3}, {1, 0.75, 0.5, 0.25, 0, 0}},
                           Row{CosineSchedule{4}, {1, low, 0.5, 1 - low, 0, 0}},
                           Row{CosineSchedule{4, 0.2}, {1, 0.2 + 0.8 * low, 0.6, 0.2 + 0.8 * (1 - low), 0.2, 0.2}},
                           Row{StepSchedule{2, 0.1}, {1, 1, 0.1, 0.1, 0.01}},
                           Row{WarmUp<ConstantSchedule>{{}, 3}, {0.25, 0.5, 0.75, 1, 1}},
                           Row{WarmUp<LinearSchedule>{{3}, 1}, {0.5, 0.75, 0.5, 0.25}},
                           Row{testing::ScheduleArchetype{}, {1, 0.5, 0.25}}, Row{AnySchedule{}, {1, 1}}})
        for (std::size_t epoch = 0; epoch < row.factors.size(); ++epoch)
            CHECK(row.schedule(static_cast<Index>(epoch)) == Approx(row.factors[epoch]).margin(1e-15));
}

TEST_CASE("schedules by name") {
    for (const Index epoch : {0, 3, 9}) {
        CHECK(make_schedule("constant", 9)(epoch) == 1);
        CHECK(make_schedule("linear", 9)(epoch) == LinearSchedule{9}(epoch));
        CHECK(make_schedule("cosine", 9)(epoch) == CosineSchedule{9}(epoch));
        CHECK(make_schedule("step", 9)(epoch) == StepSchedule{3}(epoch));
        CHECK(make_schedule("linear", 9, 4)(epoch) == WarmUp<LinearSchedule>{{9}, 4}(epoch));
    }
    CHECK(error_of<OptionError>([] { make_schedule("square", 9); }) ==
          "make_schedule: no schedule \"square\"; expected constant, linear, cosine or step");
}
