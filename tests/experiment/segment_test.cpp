#include "experiment/films.hpp"
#include "support/catch.hpp"

#include <mtdn/change/fuse.hpp>
#include <mtdn/experiment/live.hpp>

using namespace mtdn;
using namespace mtdn::testing;

namespace {

const Sequence& sequence() { return small_film().test()[0]; }

// The categories of one pair of several, without any cache.
Array<std::uint8_t, 2> categories_of(const SmallModel& model, Pair pair, Index of_pairs) {
    SequenceComparison<SmallModel> comparison(model, sequence().frames, 0, of_pairs);
    auto codes = make_array<std::uint8_t>(comparison.size().height, comparison.size().width);
    comparison.categories(std::span(&pair, 1), [&](Index, Index task, const std::uint8_t* values) {
        if (task == 0) std::copy_n(values, codes.size(), codes.data());
    });
    return codes;
}

}  // namespace

TEMPLATE_TEST_CASE("segmentation is the fusion of the pairs' categories", "", BackwardFusion, ForwardFusion,
                   ConsecutiveFusion, EnsembleFusion) {
    Cpu cpu;
    const auto model = small_model(cpu);
    const auto ours = segment_with_uncertainty(model, sequence().frames, TestType{});
    const Index frames = sequence().size();
    const Index pairs = frames * static_cast<Index>(TestType{}.partners(0, frames).size());
    const auto fused = fuse(TestType{}, frames, [&](Pair pair) { return categories_of(model, pair, pairs); });
    CHECK((ours.masks.at(model.tasks()[0]) == fused.masks));
    CHECK((ours.uncertainty.at(model.tasks()[0]) == fused.uncertainty));
    for (Index query = 0; query < frames; ++query) {
        std::vector<double> areas;
        for (const auto& [pair, slot] : TestType{}.partners(query, frames)) {
            const auto codes = categories_of(model, pair, pairs);
            areas.push_back(static_cast<double>(
                std::count_if(codes.begin(), codes.end(), [](std::uint8_t code) { return (code & 2) != 0; })));
        }
        CHECK(ours.areas.at(model.tasks()[0])[static_cast<std::size_t>(query)] == areas);
    }
    // With one pair a frame, its features are the masks.
    if (pairs > frames) return;
    const auto &a1 = ours.masks.at("A1"), &a2 = ours.masks.at("A2");
    for (Index query = 0; query < frames; ++query) {
        const auto *first = frame_data(a1, query), *second = frame_data(a2, query);
        const double both =
            std::inner_product(first, first + a1.size() / static_cast<std::size_t>(frames), second, 0.0);
        CHECK(ours.areas.at("A1&A2")[static_cast<std::size_t>(query)] == std::vector{both});
    }
}

TEST_CASE("a frame's features are computed once where they fit, and the result is the same where they do not") {
    Cpu cpu;
    const auto model = small_model(cpu);
    const EnsembleFusion fusion{{.soft = true, .both_slots = true}};
    const auto all = segment_with_uncertainty(model, sequence().frames, fusion);
    CHECK(all.passes == sequence().size());
    const auto few = segment_with_uncertainty(model, sequence().frames, fusion, {.memory = 1});
    CHECK(few.passes > sequence().size());
    CHECK((few.masks == all.masks));
    CHECK((few.uncertainty == all.uncertainty));
    CHECK(few.areas == all.areas);
    // Features of all frames fit, what the heads make of them does not.
    const std::size_t features = 35 * 35 * 8 * sizeof(float) * static_cast<std::size_t>(sequence().size());
    for (const std::size_t memory : {features, 8 * features - 1, 8 * features}) {
        const auto some = segment_with_uncertainty(model, sequence().frames, fusion, {.memory = memory});
        CHECK(some.passes == sequence().size());
        CHECK((some.masks == all.masks));
        CHECK((some.uncertainty == all.uncertainty));
    }
}

TEST_CASE("a fusion that is not linear is segmented pair by pair") {
    Cpu cpu;
    Random random{7};
    const Siamese model{UNet<Cpu>{cpu, {.in_channels = 1, .width = 8, .depth = 2}, random}, Product{},
                        small_film().tasks(), random};
    const auto all = segment_with_uncertainty(model, sequence().frames, EnsembleFusion{});
    CHECK(all.passes == sequence().size());
    CHECK((segment(model, sequence().frames, EnsembleFusion{}, {.memory = 1}) == all.masks));
}

TEST_CASE("a model's size scales frames on their way in and answers on their way out") {
    Cpu cpu;
    auto model = small_model(cpu);
    model.set_size(24);
    const auto masks = segment(model, sequence().frames, BackwardFusion{});
    for (const auto& [task, of_task] : masks) {
        CHECK(extent(of_task, 1) == sequence().height());
        CHECK(extent(of_task, 2) == sequence().width());
    }
    model.set_size(2);
    CHECK_THROWS_WITH(segment(model, sequence().frames, BackwardFusion{}), Catch::Matchers::Contains("depth 1"));
}

TEST_CASE("the selection score is the mean over tasks and sequences of the categories' macro F1") {
    Cpu cpu;
    const auto model = small_model(cpu);
    const auto validation = small_film().validation();
    double sum = 0;
    Index terms = 0;
    for (const Sequence& s : validation) {
        SequenceComparison<SmallModel> comparison(model, s.frames, 0, s.size() * s.size());
        for (std::size_t t = 0; t < model.tasks().size(); ++t) {
            CategoryMatrix matrix;
            for (Index i = 0; i < s.size(); ++i) {
                for (Index j = 0; j < s.size(); ++j) {
                    const Pair pair{i, j};
                    comparison.categories(std::span(&pair, 1), [&](Index, Index task, const std::uint8_t* codes) {
                        if (task != static_cast<Index>(t)) return;
                        const Masks& masks = s.masks.at(model.tasks()[t]);
                        std::vector<std::uint8_t> labels(static_cast<std::size_t>(s.height() * s.width()));
                        change_labels(frame_data(masks, i), frame_data(masks, j), labels.data(),
                                      s.height() * s.width());
                        matrix.add(codes, labels.data(), s.height() * s.width());
                    });
                }
            }
            sum += macro_f1(matrix);
            ++terms;
        }
    }
    CHECK(selection_score(model, validation).mean == Approx(sum / static_cast<double>(terms)).epsilon(1e-12));
}

TEST_CASE("a film that comes a frame at a time is segmented as it is afterwards, to the bit") {
    Cpu cpu;
    auto model = small_model(cpu);
    const Index count = sequence().size();
    for (const Index size : {0, 24})
        for (const std::string name : {"forward", "consecutive"}) {
            model.set_size(size);
            const auto whole = segment(model, sequence().frames, prediction_fusion(name));
            LiveSegmenter live(model, live_fusion(name));
            CHECK(!live.finish());
            for (int film = 0; film < 2; ++film) {  // the second begins where the first was finished
                Index frames = 0;
                const auto check = [&](const std::optional<LiveMasks>& masks) {
                    if (!masks) return;
                    CHECK(masks->frame == frames++);
                    for (const auto& [task, mask] : masks->masks)
                        CHECK(std::equal(mask.data(), mask.data() + mask.size(),
                                         frame_data(whole.at(task), masks->frame)));
                };
                for (Index i = 0; i < count; ++i) {
                    auto frame = make_array<float>(sequence().height(), sequence().width());
                    std::copy_n(frame_data(sequence().frames, i), frame.size(), frame.data());
                    check(live.push(frame));
                    CHECK(frames == (name == "forward" ? i + 1 : i));
                }
                CHECK(live.frames() == count);
                check(live.finish());
                CHECK(frames == count);
            }
        }
    LiveSegmenter live(model);
    live.push(make_array<float>(35, 35));
    CHECK_THROWS_WITH(live.push(make_array<float>(35, 36)),
                      Catch::Matchers::Contains("35 × 36") && Catch::Matchers::Contains("35 × 35"));
    CHECK_THROWS_WITH(live_fusion("backward"), Catch::Matchers::Contains("expected forward or consecutive"));
}
