#include "experiment/films.hpp"
#include "support/catch.hpp"

#include <mtdn/experiment/partner_sensitivity.hpp>
#include <mtdn/experiment/segment.hpp>

using namespace mtdn;
using namespace mtdn::testing;

TEST_CASE("masks by each partner are those of the fusions") {
    Cpu cpu;
    const auto model = small_model(cpu);
    const auto& sequence = small_film().test()[0];
    const Index count = sequence.size();
    const auto all = partner_masks(model, sequence);
    const auto ensemble = segment_with_uncertainty(model, sequence.frames, EnsembleFusion{});
    REQUIRE(all.size() == 2);
    for (const auto& [task, masks] : all) {
        REQUIRE(masks.size() == static_cast<std::size_t>(count * count));
        const Index pixels = sequence.height() * sequence.width();
        for (std::size_t i = 0; i < masks.size(); ++i) {
            const auto& one = masks[i];
            CHECK(one.query == static_cast<Index>(i) / count);
            CHECK(one.partner == static_cast<Index>(i) % count);
            CHECK(one.seconds == sequence.seconds[i % sequence.seconds.size()] -
                                     sequence.seconds[static_cast<std::size_t>(one.query)]);
            const auto& areas = ensemble.areas.at(task)[static_cast<std::size_t>(one.query)];
            CHECK(static_cast<double>(one.area) == areas[static_cast<std::size_t>(one.partner)]);
            const auto* majority = frame_data(ensemble.masks.at(task), one.query);
            CHECK(one.majority == std::count(majority, majority + pixels, 1));
            CHECK(one.changed >= std::abs(one.area - one.majority));
            CHECK(one.score.total() == pixels);
            CHECK(one.score.true_positive + one.score.false_positive == one.area);
        }
    }
    // One partner for all frames is backward fusion's last one.
    const auto backward = score(segment(model, sequence.frames, BackwardFusion{}), sequence.masks);
    BinaryConfusion last;
    for (const auto& one : all.at("A1"))
        if (one.partner == count - 1) last += one.score;
    CHECK(last == backward.tasks.at("A1").total());
}

TEST_CASE("masks are summed up by frame and by distance") {
    // Two frames 10 s apart; the first one's masks differ, the second one's do not, and one has no feature.
    const PartnerMasks masks{
        {.query = 0, .partner = 0, .seconds = 0, .area = 4, .majority = 4, .changed = 0, .score = {4, 0, 0, 4}},
        {.query = 0, .partner = 1, .seconds = 10, .area = 2, .majority = 4, .changed = 2, .score = {2, 0, 2, 4}},
        {.query = 1, .partner = 0, .seconds = -10, .area = 1, .majority = 1, .changed = 0, .score = {1, 0, 0, 7}},
        {.query = 1, .partner = 1, .seconds = 0, .area = 1, .majority = 1, .changed = 0, .score = {1, 0, 0, 7}}};
    const std::vector<PartnerMasks> film{masks};
    const auto summed = partner_sensitivity(film);
    CHECK(summed.changed == Approx(2.0 / 10));
    CHECK(summed.area == Approx(1.0 / 4));  // 3 ± 1 and 1 ± 0
    CHECK(summed.f1 == macro_f1(BinaryConfusion{8, 0, 2, 22}));
    const double worse = (2.0 * 2 / 6 + 2.0 * 4 / 10) / 2;
    CHECK(summed.f1_spread == Approx((1 - worse) / 2 / 2));

    const auto ranges = partners_by_distance(film, 2);
    REQUIRE(ranges.size() == 3);  // none at 5 s
    CHECK(ranges[0].seconds == -10);
    CHECK(ranges[1].seconds == 0);
    CHECK(ranges[2].seconds == 10);
    CHECK(ranges[0].changed == 0);
    CHECK(ranges[2].changed == Approx(0.5));
    CHECK(ranges[2].f1 == Approx(worse));
    CHECK_THROWS_AS(partners_by_distance(film, 0), OptionError);

    const std::vector<PartnerMasks> empty{{{.query = 0, .partner = 0}}};
    CHECK(std::isnan(partner_sensitivity(empty).changed));
    CHECK(std::isnan(partner_sensitivity(empty).f1));
    CHECK(partners_by_distance(empty).size() == 1);
}
