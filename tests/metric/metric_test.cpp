#include <mtdn/metric/metric.hpp>

#include <string>
#include <vector>

#include <mtdn/metric/testing/archetypes.hpp>
#include <mtdn/metric/testing/checks.hpp>

#include "support/catch.hpp"

using mtdn::Mask;
using mtdn::Masks;

namespace {

struct LastFrameOnly {  // forgets: joining depends on the order
    double last = 0;
    void add(const Mask& prediction, const Mask&) {
        last = mtdn::accuracy(mtdn::confusion(prediction, prediction)) + prediction(0, 0);
    }
    LastFrameOnly& operator+=(const LastFrameOnly& other) {
        last = other.last;
        return *this;
    }
    std::optional<double> value() const { return last; }
    std::string name() const { return "last"; }
};
static_assert(mtdn::Metric<LastFrameOnly>);

struct PlainValue : LastFrameOnly {
    double value() const { return 0; }
};
static_assert(!mtdn::gives_a_score_or_none<PlainValue> && !mtdn::Metric<PlainValue>);

const Masks prediction = {{{1, 1, 0}}, {{0, 0, 0}}, {{1, 0, 0}}};
const Masks truth = {{{1, 0, 0}}, {{0, 1, 0}}, {{0, 0, 1}}};

}  // namespace

TEST_CASE("The library's metrics obey the laws") {
    using mtdn::testing::check_metric;
    const std::vector<std::string> none;
    CHECK(check_metric(mtdn::ConfusionMetric{"macro F1", mtdn::macro_f1}) == none);
    CHECK(check_metric(mtdn::ConfusionMetric{"kappa", mtdn::kappa, mtdn::AbsentClass::nan}) == none);
    CHECK(check_metric(mtdn::FrameMeanMetric{"Hausdorff", mtdn::hausdorff}) == none);
    CHECK(check_metric(mtdn::FrameMeanMetric{"HD95", mtdn::hausdorff95}) == none);
    CHECK(check_metric(mtdn::testing::MetricArchetype{}) == none);
    CHECK_FALSE(check_metric(LastFrameOnly{}).empty());
}

TEST_CASE("A confusion metric scores the sum of frames") {
    const auto metric = mtdn::measure(mtdn::ConfusionMetric{"F1", mtdn::f1}, prediction, truth);
    CHECK(metric.name() == "F1");
    CHECK(metric.confusion() == mtdn::confusion(prediction, truth));
    CHECK(*metric.value() == mtdn::f1(mtdn::confusion(prediction, truth)));
    CHECK_FALSE(mtdn::ConfusionMetric("F1", mtdn::f1, mtdn::AbsentClass::nan).value());
}

TEST_CASE("A frame mean leaves undefined frames out and counts them") {
    const auto metric = mtdn::measure(mtdn::FrameMeanMetric{"Hausdorff", mtdn::hausdorff}, prediction, truth);
    CHECK(metric.undefined() == 1);
    CHECK(*metric.value() == Approx((1.0 + 2.0) / 2));
    CHECK_FALSE(mtdn::FrameMeanMetric("Hausdorff", mtdn::hausdorff).value());
}

TEST_CASE("measure refuses sequences of different size") {
    CHECK_THROWS_AS(mtdn::measure(mtdn::testing::MetricArchetype{}, prediction, Masks{{{0, 0, 0}}}), mtdn::ShapeError);
    CHECK_THROWS_WITH(mtdn::measure(mtdn::testing::MetricArchetype{}, prediction, Masks{{{0, 0, 0}}}),
                      Catch::Contains("measure: the prediction has size (3, 1, 3), the truth (1, 1, 3)"));
}
