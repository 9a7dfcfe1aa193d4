#include "experiment/films.hpp"
#include "support/catch.hpp"

#include <mtdn/experiment/train.hpp>
#include <mtdn/siamese/single_frame.hpp>

using namespace mtdn;
using namespace mtdn::testing;

TEST_CASE("training gives the same bits on 1, 2, 3 and 7 threads") {
    std::vector<double> first;
    for (const int threads : {1, 2, 3, 7}) {
        Cpu cpu({.threads = threads});
        auto model = small_model(cpu);
        Trainer<SmallModel> trainer(model, small_film(), quick());
        for (int i = 0; i < 4; ++i) trainer.step();
        if (first.empty()) first = bits(model);
        CHECK((bits(model) == first));
    }
}

TEST_CASE("training lowers the loss on what it is trained on") {
    Cpu cpu;
    auto model = small_model(cpu);
    auto options = quick(8);
    options.rate = 5e-3;
    const auto result = train(model, small_film(), options);
    REQUIRE(result.curve.size() == 8);
    CHECK(result.curve.back().loss < 0.75 * result.curve.front().loss);
    CHECK(result.best_epoch >= 0);
    CHECK(result.best > 0);
}

TEST_CASE("an epoch visits every pair of the policy once, in batches of which the last is smaller") {
    Cpu cpu;
    auto model = small_model(cpu);
    auto options = quick(1);
    Index pairs = 0, steps = 0;
    options.progress = [&](const TrainProgress& p) {
        pairs = p.pairs_done;
        steps = p.batches;
    };
    train(model, small_film(), options);
    const Index sequences = small_film().train().size();
    CHECK(pairs == sequences * 16);  // ordered + self: 4² of each sequence
    CHECK(steps == (sequences * 16 + 4) / 5);
}

TEST_CASE("an epoch of some pairs ends with the batch that holds the last of them, and is validated") {
    Cpu cpu;
    auto model = small_model(cpu);
    auto options = quick(2);
    options.epoch_pairs = 7;
    Index pairs = 0;
    options.progress = [&](const TrainProgress& p) {
        CHECK(p.batches == 2);
        pairs = p.pairs_done;
    };
    const auto result = train(model, small_film(), options);
    CHECK(pairs == 2 * 2 * 5);
    REQUIRE(result.curve.size() == 2);
    CHECK(result.curve[0].validation > 0);
    options.epoch_pairs = -1;
    CHECK_THROWS_AS(Trainer<SmallModel>(model, small_film(), options), OptionError);
}

TEST_CASE("an epoch of more pairs than there are is several, but for the validation") {
    const auto weights = [](Index epochs, Index epoch_pairs) {
        Cpu cpu;
        auto model = small_model(cpu);
        auto options = quick(epochs);
        options.schedule = "constant";
        options.keep_best = false;
        options.epoch_pairs = epoch_pairs;
        train(model, small_film(), options);
        return bits(model);
    };
    const Index all = (small_film().train().size() * 16 + 4) / 5 * 5;  // whole batches
    CHECK((weights(1, 2 * all) == weights(2, 0)));
}

TEST_CASE("what waits for the way back may be kept in bfloat16: the steps are almost the same") {
    const auto loss_of = [](Precision kept) {
        Cpu cpu;
        auto model = small_model(cpu);
        auto options = quick(1);
        options.kept = kept;
        return train(model, small_film(), options).curve.at(0).loss;
    };
    const double single = loss_of(Precision::single), rounded = loss_of(Precision::bfloat16);
    CHECK(rounded != single);
    CHECK(rounded == Approx(single).epsilon(0.02));
}

TEST_CASE("a loss of one's own gets each task's class weights") {
    const auto trained = [](const LossFactory<Cpu>& loss) {
        Cpu cpu;
        auto model = small_model(cpu);
        train(model, small_film(), quick(1), loss);
        return bits(model);
    };
    int tasks = 0;
    const auto same = trained([&](Cpu& cpu, std::span<const double> weights) {
        ++tasks;
        CHECK(weights.size() == 4);
        return FocalLoss<Cpu>(cpu, {}, weights);
    });
    CHECK(tasks == 2);
    CHECK((same == trained({})));
    CHECK((same != trained([](Cpu&, std::span<const double>) { return TverskyLoss<Cpu>(); })));
}

TEST_CASE("the learning rate falls linearly by epoch") {
    Cpu cpu;
    auto model = small_model(cpu);
    const auto result = train(model, small_film(), quick(3));
    for (Index epoch = 0; epoch < 3; ++epoch)
        CHECK(result.curve[static_cast<std::size_t>(epoch)].rate ==
              Approx(9.5519814e-4 * (1 - static_cast<double>(epoch) / 4)));
}

TEST_CASE("patience ends training") {
    Cpu cpu;
    auto model = small_model(cpu);
    auto options = quick(50);
    options.patience = 1;
    options.rate = 1e-12;  // nothing improves but by the running statistics
    const auto result = train(model, small_film(), options);
    CHECK(result.curve.size() < 50);
    CHECK(static_cast<Index>(result.curve.size()) == result.best_epoch + 2);
}

TEST_CASE("cliques train without branches, and their batch is a multiple of their pairs") {
    Cpu cpu;
    auto model = small_model(cpu);
    auto options = quick(1);
    options.clique = 3;
    CHECK_THROWS_WITH((Trainer<SmallModel>(model, small_film(), options)), Catch::Matchers::Contains("multiple of 9"));
    options.batch = 9;
    Trainer<SmallModel> trainer(model, small_film(), options);
    const auto before = bits(model);
    trainer.step();
    CHECK((bits(model) != before));
}

TEST_CASE("frozen batch normalisation leaves the running statistics as they are") {
    Cpu cpu;
    auto model = small_model(cpu);
    auto options = quick(1);
    options.batch_norm = BatchNormPolicy::frozen;
    Trainer<SmallModel> trainer(model, small_film(), options);
    trainer.step();
    for (const auto& [name, tensor] : state_of(model))
        if (name.ends_with("running_mean")) CHECK((tensor.values == std::vector<double>(tensor.values.size(), 0.0)));
}

TEST_CASE("parameters that are not trainable stay as they are") {
    Cpu cpu;
    auto model = small_model(cpu);
    visit_parameters(model,
                     [](const std::string& name, Parameter<Cpu>& p) { p.trainable = !name.starts_with("backbone"); });
    Trainer<SmallModel> trainer(model, small_film(), quick(1));
    const auto before = state_of(model);
    trainer.step();
    const auto after = state_of(model);
    bool heads_changed = false;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const bool running = before[i].first.find("running") != std::string::npos || before[i].second.counter;
        if (before[i].first.starts_with("heads"))
            heads_changed |= before[i].second.values != after[i].second.values;
        else if (!running)
            CHECK((before[i].second.values == after[i].second.values));
    }
    CHECK(heads_changed);
}

TEST_CASE("while the backbone is frozen its parameters stay, then they learn") {
    const auto backbone_of = [](const SmallModel& model) {
        std::vector<double> values;
        visit_parameters(model, [&](const std::string& name, const Parameter<Cpu>& p) {
            if (!name.starts_with("backbone")) return;
            const auto numbers = download(p.value);
            values.insert(values.end(), numbers.begin(), numbers.end());
        });
        return values;
    };
    auto options = quick(2);
    options.epoch_pairs = 10;
    options.frozen_epochs = 1;
    Cpu cpu;
    auto model = small_model(cpu);
    Trainer<SmallModel> trainer(model, small_film(), options);
    const auto before = backbone_of(model), all = bits(model);
    while (!trainer.step()) {}
    CHECK((backbone_of(model) == before));
    CHECK((bits(model) != all));  // the heads learned
    visit_parameters(model, [](const std::string&, const Parameter<Cpu>& p) { CHECK(p.trainable); });
    trainer.step();
    CHECK((backbone_of(model) != before));
    CHECK(*trainer.optimizer_state().step == 1);  // begun anew
    options.frozen_epochs = -1;
    CHECK_THROWS_AS(Trainer<SmallModel>(model, small_film(), options), OptionError);
}

using SingleModel = SingleFrame<UNet<Cpu>>;

SingleModel single_model(Cpu& cpu) {
    Random random{7};
    return {UNet<Cpu>{cpu, {.in_channels = 1, .width = 8, .depth = 2}, random}, small_film().tasks(), random};
}

TEST_CASE("a single-frame model learns from every frame once an epoch, the same bits on any number of threads") {
    std::vector<double> first;
    for (const int threads : {1, 3}) {
        Cpu cpu({.threads = threads});
        auto model = single_model(cpu);
        auto options = quick(6);
        options.batch = 3;
        options.rate = 5e-3;
        Index frames = 0, steps = 0;
        options.progress = [&](const TrainProgress& p) {
            frames = p.pairs_done;
            steps = p.batches;
        };
        const auto result = train(model, small_film(), options);
        const Index of_epoch = small_film().train().size() * 4;
        CHECK(frames == 6 * of_epoch);
        CHECK(steps == (of_epoch + 2) / 3);
        CHECK(result.curve.back().loss < 0.75 * result.curve.front().loss);
        if (first.empty()) first = bits(model);
        CHECK((bits(model) == first));
    }
}

TEST_CASE("a single-frame model is selected by the macro F1 of its masks, the mean over tasks and sequences") {
    Cpu cpu;
    auto model = single_model(cpu);
    model.set_size(24);  // frames are scaled, masks are not
    const auto validation = small_film().validation();
    const auto selection = selection_score(model, validation);
    double sum = 0;
    for (const Sequence& sequence : validation) {
        const auto result = segment_with_uncertainty(model, sequence.frames);
        for (const auto& task : model.tasks()) {
            const Masks& masks = result.masks.at(task);
            REQUIRE(masks.shape() == sequence.masks.at(task).shape());
            const auto counted =
                confusion(masks.data(), sequence.masks.at(task).data(), static_cast<Index>(masks.size()));
            sum += macro_f1(counted, AbsentClass::zero);
            const auto& bits_of = result.uncertainty.at(task);
            CHECK(
                std::all_of(bits_of.data(), bits_of.data() + bits_of.size(), [](float b) { return b >= 0 && b <= 1; }));
        }
    }
    CHECK(selection.mean == Approx(sum / static_cast<double>(2 * validation.size())));
    CHECK((selection.tasks.at("A1") + selection.tasks.at("A2")) / 2 == Approx(selection.mean));
    auto options = quick();
    options.clique = 2;
    CHECK_THROWS_WITH((Trainer<SingleModel>(model, small_film(), options)), Catch::Matchers::Contains("single-frame"));
}

TEST_CASE("what does not fit together is refused by name") {
    Cpu cpu;
    auto model = small_model(cpu);
    auto options = quick();
    options.optimizer = "magic";
    CHECK_THROWS_WITH((Trainer<SmallModel>(model, small_film(), options)), Catch::Matchers::Contains("magic"));
    options = quick();
    options.task_weights["A9"] = 2;
    CHECK_THROWS_WITH((Trainer<SmallModel>(model, small_film(), options)), Catch::Matchers::Contains("A9"));
    options = quick();
    options.pairs = "all";
    CHECK_THROWS_AS((Trainer<SmallModel>(model, small_film(), options)), OptionError);
    Random random{1};
    SmallModel other{UNet<Cpu>{cpu, {.in_channels = 1, .width = 8, .depth = 2}, random}, Concatenate{}, {"B"}, random};
    CHECK_THROWS_WITH((Trainer<SmallModel>(other, small_film(), quick())), Catch::Matchers::Contains("\"B\""));
}
