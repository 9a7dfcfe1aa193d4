#include "experiment/films.hpp"
#include "support/catch.hpp"

#include <mtdn/experiment/train.hpp>

using namespace mtdn;
using namespace mtdn::testing;

namespace {

TrainOptions averaging(double decay) {
    auto options = quick(2);
    options.epoch_pairs = 20;
    options.rate = 1e-2;  // weights that move
    options.ema = decay;
    return options;
}

// All but the number of batches, which is not averaged.
std::vector<double> averaged_bits(const SmallModel& model) {
    std::vector<double> all;
    for (const auto& entry : state_of(model))
        if (!entry.second.counter) all.insert(all.end(), entry.second.values.begin(), entry.second.values.end());
    return all;
}

}  // namespace

TEST_CASE(
    "the average is that of weights and running statistics, with a short memory at first, and lent to the model") {
    Cpu cpu;
    auto model = small_model(cpu);
    const double decay = 0.3;  // reached in step 4
    auto options = averaging(decay);
    options.epoch_pairs = 0;
    Trainer<SmallModel> trainer(model, small_film(), options);
    auto expected = averaged_bits(model);
    for (int n = 0; n < 6; ++n) {
        trainer.step();
        const auto weights = averaged_bits(model);
        const double keeps = std::min(decay, (1.0 + n) / (10.0 + n));
        for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = keeps * expected[i] + (1 - keeps) * weights[i];
    }
    const auto own = bits(model);
    const auto masks = segment(model, small_film().test()[0].frames, BackwardFusion{});
    {
        const auto lent = trainer.validated_weights();
        const auto average = averaged_bits(model);
        REQUIRE(average.size() == expected.size());
        double furthest = 0;
        for (std::size_t i = 0; i < expected.size(); ++i)
            furthest = std::max(furthest, std::abs(average[i] - expected[i]) / (1 + std::abs(expected[i])));
        CHECK(furthest < 1e-6);
        CHECK((bits(model) != own));
        // What was derived from the other weights is not used with these.
        auto fresh = small_model(cpu, 8);
        load_state(fresh, state_of(model), "test");
        const auto share =
            segment_with_uncertainty(model, small_film().test()[0].frames, EnsembleFusion{{.soft = true}}).share;
        CHECK((segment_with_uncertainty(fresh, small_film().test()[0].frames, EnsembleFusion{{.soft = true}}).share ==
               share));
    }
    CHECK((bits(model) == own));
    CHECK((segment(model, small_film().test()[0].frames, BackwardFusion{}) == masks));
}

TEST_CASE("averaged weights are validated, kept as the best, and what training ends with; they change no step") {
    Cpu cpu;
    std::vector<double> plain_end;
    {
        auto model = small_model(cpu);
        auto options = averaging(0);
        options.keep_best = false;
        train(model, small_film(), options);
        plain_end = bits(model);
    }
    auto model = small_model(cpu);
    Trainer<SmallModel> trainer(model, small_film(), averaging(0.9));
    while (!trainer.step()) {}
    auto best = small_model(cpu, 8);
    load_state(best, trainer.best_state(), "test");
    CHECK((bits(best) != bits(model)));
    CHECK(trainer.position().curve.at(0).validation == selection_score(best, small_film().validation()).mean);
    {
        const auto lent = trainer.validated_weights();
        CHECK((bits(best) == bits(model)));
    }
    while (!trainer.step()) {}
    CHECK((bits(model) == plain_end));
    trainer.settle();
    load_state(best, trainer.best_state(), "test");
    CHECK((bits(best) == bits(model)));

    auto last = small_model(cpu);
    auto options = averaging(0.9);
    options.keep_best = false;
    Trainer<SmallModel> to_the_end(last, small_film(), options);
    to_the_end.run([](auto&, bool) { return true; });
    CHECK((bits(last) == plain_end));
    to_the_end.settle();
    CHECK((bits(last) != plain_end));
    options.ema = 1;
    CHECK_THROWS_WITH((Trainer<SmallModel>(last, small_film(), options)), Catch::Matchers::Contains("between 0 and 1"));
}
