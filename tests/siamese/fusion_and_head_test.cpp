#include <functional>
#include <string>
#include <vector>

#include <mtdn/autograd/testing/gradient_check.hpp>
#include <mtdn/siamese/testing/archetypes.hpp>

#include "support/catch.hpp"
#include "support/exact.hpp"

namespace {

using namespace mtdn;
using namespace mtdn::testing;
using X = Variable<Exact>;
using Any = AnyFeatureFusion<Exact>;

static_assert(FeatureFusion<Concatenate, Exact> && FeatureFusion<Difference, Exact> && FeatureFusion<Any, Exact>);
static_assert(FeatureFusion<AbsoluteDifference, Exact> && FeatureFusion<Product, Exact> && !FeatureFusion<int, Exact>);
static_assert(Head<ConvHead<Exact>, Exact> && !Head<Concatenate, Exact> && !Head<ConvHead<Exact>, Reference<float>>);

struct Row {
    Any fusion;
    std::string name;
    std::function<double(double, double)> of;  // one value of each map; none for a fusion that concatenates
};

const std::vector<Row>& fusions() {
    static const std::vector<Row> rows{
        {Concatenate{}, "concat", {}},
        {Difference{}, "difference", [](double q, double p) { return q - p; }},
        {AbsoluteDifference{}, "absolute", [](double q, double p) { return std::abs(q - p); }},
        {Product{}, "product", [](double q, double p) { return q * p; }},
        {FeatureFusionArchetype{}, "partner", [](double, double p) { return p; }},
    };
    return rows;
}

}  // namespace

TEST_CASE("feature fusions: their formula, their channels, their name, their gradients") {
    Exact exact;
    Random random{3};
    const Values q = random_values(exact, {2, 3, 2, 3}, random), p = random_values(exact, {2, 3, 2, 3}, random);
    const auto vq = download(q), vp = download(p);
    for (const auto& row : fusions()) {
        INFO(row.name);
        CHECK(row.fusion.name() == row.name);
        const X fused = row.fusion(X(q), X(p));
        CHECK(fused.shape() == Shape{2, 3, 2, row.fusion.channels(3)});
        const auto result = numbers(fused);
        for (std::size_t pixel = 0; pixel < 12; ++pixel)
            for (std::size_t c = 0; c < 3; ++c) {
                const std::size_t i = pixel * 3 + c;
                if (row.of) {
                    CHECK(result[i] == row.of(vq[i], vp[i]));
                } else {  // the query's channels stand before the partner's
                    CHECK(result[pixel * 6 + c] == vq[i]);
                    CHECK(result[pixel * 6 + 3 + c] == vp[i]);
                }
            }
        const auto fuse = [&](const std::vector<X>& x) { return row.fusion(x[0], x[1]); };
        const Report report = check_gradients(row.name, fuse, std::vector{q, p});
        INFO(report);
        CHECK(report.passed);
    }
}

TEST_CASE("feature fusions by name") {
    for (const std::string name : {"concat", "difference", "absolute", "product"})
        CHECK(feature_fusion<Exact>(name).name() == name);
    CHECK(Any().name() == "concat");
    CHECK(error_of<OptionError>([] { feature_fusion<Exact>("sum"); }) ==
          "feature_fusion: \"sum\" is none; expected concat, difference, absolute or product");
}

TEST_CASE("the published head: 2f, f, f/2, 3, and 4 classes; 60,582 parameters at f = 32") {
    Exact exact;
    Random random{1};
    const ConvHead<Exact> published(exact, 64, 32, {}, random);
    CHECK(count_parameters(published) == 60582);
    CHECK(published.widths() == std::vector<Index>{64, 32, 16, 3});
    CHECK(ConvHead<Exact>(exact, 2, 1, {}, random).widths() == std::vector<Index>{2, 1, 1, 3});
    std::vector<std::string> names;
    visit_parameters(published, [&](const std::string& name, const auto&) { names.push_back(name); });
    CHECK(names == std::vector<std::string>{"0.weight", "1.weight", "1.bias", "3.weight", "4.weight", "4.bias",
                                            "6.weight", "7.weight", "7.bias", "9.weight", "10.weight", "10.bias",
                                            "12.weight", "12.bias"});
}

TEST_CASE("a head's widths and classes are options; none at all is not among them") {
    Exact exact;
    Random random{1};
    Pass<Exact> pass(exact);
    const X fused(random_values(exact, {2, 5, 4, 6}, random));
    const ConvHead<Exact> head(exact, 6, 3, {.widths = {5, 2}, .classes = 2}, random);
    CHECK(head.widths() == std::vector<Index>{5, 2});
    CHECK(head(fused, pass).shape() == Shape{2, 5, 4, 2});
    CHECK(HeadArchetype<Exact>(exact, 6, random)(fused, pass).shape() == Shape{2, 5, 4, 4});
    CHECK(error_of<OptionError>([&] {
              ConvHead<Exact>(exact, 6, 3, {.widths = {4, 0}}, random);
          }) == "ConvHead: widths must be positive, got 0");
    CHECK_THROWS_AS(ConvHead<Exact>(exact, 6, 3, {.classes = 0}, random), OptionError);
    const X other(random_values(exact, {1, 5, 4, 3}, random));
    CHECK(error_of<ShapeError>([&] { head(other, pass); }).find("has 3 channels, the weights (3, 3, 6, 5) take 6") !=
          std::string::npos);
}
