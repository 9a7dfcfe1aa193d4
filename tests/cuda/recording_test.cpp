// Training steps that are recorded and played back, and frames that stay on the device, by the emulator.
#include <mtdn/backend/cuda/testing/emulator.hpp>

#include "experiment/equal_training.hpp"
#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::testing;

namespace {

using Emulated = CudaFor<Emulator>;

/// Weights, running statistics and their counters, and losses of some steps.
Steps run(const Dataset& film, TrainOptions options, int steps, bool graphs, bool resident, bool single_frame = false,
          Precision precision = Precision::single) {
    Emulated emulated({.precision = precision, .graphs = graphs});
    options.resident = resident;
    return train_steps(emulated, film, options, steps, {}, 7, single_frame);
}

void check_equal(const Steps& ours, const Steps& expected) {
    CHECK((ours.weights == expected.weights));
    CHECK((ours.running == expected.running));
    CHECK(ours.position.loss_sum == expected.position.loss_sum);
    CHECK(ours.position.best == expected.position.best);
    REQUIRE(ours.position.curve.size() == expected.position.curve.size());
    for (std::size_t i = 0; i < ours.position.curve.size(); ++i)
        CHECK(ours.position.curve[i].loss == expected.position.curve[i].loss);
}

const Dataset& even_film() {
    static const Dataset film = synthesize({.sequences = 3, .frames = 3, .size = 32});
    return film;
}

}  // namespace

// Before each playing the recording's memory is filled with NaN, so what it leaves out shows; and between playings, a
// validation, and steps of other kinds, use the rest of the memory.
TEST_CASE("steps that are played back, from frames on the device, are those that are run, bit for bit") {
    struct Case {
        const char* name;
        const Dataset& film;
        TrainOptions options;
        int steps;
        bool single_frame = false;
        Precision precision = Precision::single;
    };
    static const Case cases[] = {
        // 9 pairs: two batches of 4, one of 1, in each epoch; the rate changes from epoch to epoch.
        {"random pairs, a short last batch", even_film(),
         {.epochs = 4, .batch = 4, .rate = 1e-2, .warm_up = 1, .size = 16, .seed = 3}, 6},
        // Three cliques an epoch: a step of two of them, and one of one.
        {"cliques", even_film(), {.epochs = 4, .batch = 8, .clique = 2, .rate = 1e-2, .schedule = "cosine", .clip = 0.1,
          .size = 16}, 7},
        {"frames of different sizes, a frozen backbone, sgd, kept in bfloat16", uneven_film(),
         {.epochs = 3, .batch = 6, .rate = 1e-2, .optimizer = "sgd", .frozen_epochs = 1, .kept = Precision::bfloat16},
         6},
        {"single frames", even_film(), {.epochs = 5, .batch = 2, .rate = 1e-2, .size = 16}, 8, true},
        {"as they are", even_film(), {.epochs = 2, .batch = 4, .augmentation = NoAugmentation{}, .size = 16}, 4},
        {"heads' first layers as one", even_film(), {.epochs = 1, .batch = 4, .rate = 1e-2, .size = 16}, 3, false,
         Precision::tf32},
        // More weights a line than there was room for at first.
        {"wide blurs", even_film(), {.epochs = 2, .batch = 2, .augmentation = PublishedAugmentation{.blur_max = 4}}, 4},
        {"losses of overlaps", even_film(), {.epochs = 1, .batch = 4, .rate = 1e-2,
          .loss = {.name = "focal+dice:0.5+tversky:2:0.4:0.6"}, .size = 16}, 3},
    };
    const int chosen = GENERATE(0, 1, 2, 3, 4, 5, 6, 7);
    const Case& c = cases[chosen];
    INFO(c.name);
    const Steps expected = run(c.film, c.options, c.steps, false, false, c.single_frame, c.precision);
    REQUIRE(std::isfinite(expected.weights.front()));
    check_equal(run(c.film, c.options, c.steps, true, true, c.single_frame, c.precision), expected);
    if (chosen > 0) return;
    check_equal(run(c.film, c.options, c.steps, true, false, c.single_frame), expected);
    check_equal(run(c.film, c.options, c.steps, false, true, c.single_frame), expected);
}

TEST_CASE("a step that is played back copies one list to the device, and takes no memory") {
    Emulated emulated;
    Random random{7};
    Siamese model{UNet{emulated, {.in_channels = 1, .width = 4, .depth = 1}, random}, Concatenate{},
                  even_film().tasks(), random};
    const auto film = synthesize({.sequences = 3, .frames = 6, .size = 32});
    const std::string loss = GENERATE("focal", "focal+dice");
    INFO(loss);
    Trainer<decltype(model)> trainer(model, film,
                                     {.epochs = 1, .batch = 4, .clip = 1, .loss = {.name = loss}, .size = 16});
    for (int i = 0; i < 3; ++i) trainer.step();
    const auto held = emulated.memory().held(), in_use = emulated.memory().in_use();
    const Index meetings = emulated.meetings();
    for (int i = 0; i < 5; ++i) trainer.step();
    CHECK(emulated.meetings() == meetings + 5);
    CHECK(emulated.memory().held() == held);
    CHECK(emulated.memory().in_use() == in_use);
    const double all = trainer.position().loss_sum;
    CHECK(trainer.position().loss_pairs == 8 * 4);
    CHECK(all > 0);
}

TEST_CASE("a loss that is no number is told a step late, with the number of its batch") {
    Emulated emulated;
    Random random{7};
    Siamese model{UNet{emulated, {.in_channels = 1, .width = 4, .depth = 1}, random}, Concatenate{},
                  even_film().tasks(), random};
    const std::string loss = GENERATE("focal", "dice");
    INFO(loss);
    Trainer<decltype(model)> trainer(
        model, even_film(), {.epochs = 1, .batch = 2, .rate = 1e38, .loss = {.name = loss}, .size = 16});
    trainer.step();
    CHECK(std::isfinite(trainer.position().loss_sum));
    CHECK_NOTHROW(trainer.step());
    CHECK_THROWS_WITH(trainer.step(), Catch::Contains("in epoch 0, batch 1;"));
}

namespace {
struct Inverted : PublishedAugmentation {
    void augment(const FrameSource& source, const FrameTarget& target, Random geometry, Random photometry) const {
        PublishedAugmentation::augment(source, target, geometry, photometry);
        for (Index i = 0; i < target.height * target.width; ++i) target.frame[i] = 1 - target.frame[i];
    }
};
}  // namespace

TEST_CASE("an augmentation that does more than it says it draws is the host's") {
    static_assert(DrawnAugmentation<PublishedAugmentation> && Augmentation<Inverted> && !DrawnAugmentation<Inverted>);
    CHECK(!AnyAugmentation(Inverted{}).drawn(Random{}, Random{}));
    CHECK(AnyAugmentation(PublishedAugmentation{}).drawn(Random{}, Random{}));
}

TEST_CASE("a step within which the host meets the device is run every time") {
    const LossFactory<Emulated> told = [](Emulated& backend, std::span<const double> weights) {
        return AnyLoss<Emulated>([focal = FocalLoss<Emulated>(backend, {}, weights)](
                                     const Variable<Emulated>& logits, const Tensor<Emulated, std::uint8_t>& labels) {
            const auto loss = focal(logits, labels);
            CHECK(number_in(value_of(loss)) > 0);
            return loss;
        });
    };
    const auto weights_after_steps = [&](bool graphs) {
        Emulated emulated({.graphs = graphs});
        Random random{7};
        Siamese model{UNet{emulated, {.in_channels = 1, .width = 4, .depth = 1}, random}, Concatenate{},
                      even_film().tasks(), random};
        Trainer<decltype(model)> trainer(model, even_film(), {.epochs = 1, .batch = 4, .size = 16}, told);
        trainer.step();
        trainer.step();
        return download(model.parameters().values);
    };
    CHECK((weights_after_steps(true) == weights_after_steps(false)));
}

TEST_CASE("work that copies or waits is not recorded, and the backend goes on") {
    Emulated emulated;
    Tensor<Emulated> x(emulated, vector_shape(1)), y(emulated, vector_shape(1));
    CHECK_THROWS_AS(emulated.record([&] { emulated.wait(); }), BackendError);
    CHECK_THROWS_AS(emulated.record([&] { number_in(x); }), BackendError);
    CHECK_THROWS_AS(emulated.record([&] { emulated.read_later(x); }), BackendError);
    CHECK_THROWS_AS(emulated.record([&] { emulated.record([] {}); }), BackendError);
    CHECK_THROWS_AS(emulated.replay({}), BackendError);
    emulated.fill(x, 2);
    const auto twice = emulated.record([&] {
        const Tensor<Emulated> sum(emulated, vector_shape(1));
        emulated.combine(1, x, 1, x, sum);
        emulated.copy(sum, y);
        emulated.copy(y, x);
    });
    CHECK(number_in(x) == 2);
    for (const double expected : {4, 8, 16}) {
        emulated.replay(twice);
        CHECK(number_in(y) == expected);
    }
}

TEST_CASE("numbers are read late, and a wrong label is told with the number that came of it") {
    Emulated emulated;
    Tensor<Emulated> logits(emulated, {1, 1, 2, 4}), loss(emulated, vector_shape(1)),
        divisor(emulated, vector_shape(1));
    Tensor<Emulated, std::uint8_t> labels(emulated, {1, 1, 2, 1});
    emulated.fill(logits, 0);
    const auto set = [&](std::uint8_t second) {
        const std::uint8_t values[] = {0, second};
        upload(std::span<const std::uint8_t>(values), labels);
    };
    set(1);
    const FocalOptions options{.gamma = 0};
    const auto work = emulated.record([&] { emulated.focal_loss(logits, labels, {}, options, loss, divisor); });
    emulated.replay(work);
    const Index good = emulated.read_later(loss);
    set(9);
    emulated.replay(work);
    const Index bad = emulated.read_later(loss);
    CHECK(emulated.late_number(good) == Approx(std::log(4.0)));
    CHECK_THROWS_WITH(emulated.late_number(bad), Catch::Contains("focal_loss: label 9 in pixel 1 of (1, 1, 2, 1)"));
    set(3);
    emulated.replay(work);
    CHECK(number_in(loss) == Approx(std::log(4.0)));
    for (int i = 0; i < 8; ++i) emulated.read_later(loss);
    CHECK_THROWS_AS(emulated.late_number(good), BackendError);
    CHECK_THROWS_AS(emulated.late_number(100), BackendError);
}

TEST_CASE("the norm is limited without the host as with it") {
    Emulated emulated;
    Random random{3};
    std::vector<float> values(1000);
    for (float& value : values) value = static_cast<float>(random.uniform(-1, 1));
    Tensor<Emulated> ours(emulated, vector_shape(1000)), theirs(emulated, vector_shape(1000));
    for (const double limit : {0.5, 1e3}) {
        for (const auto& tensor : {ours, theirs}) upload(std::span<const float>(values), tensor);
        limit_gradients(ours, limit);
        clip_gradients(theirs, limit);
        CHECK((download(ours) == download(theirs)));
    }
    CHECK_THROWS_AS(limit_gradients(ours, 0), OptionError);
}

// 16 × 16 pixels are four blocks of a convolution of few channels, 8 × 8 are one: a U-Net of depth 1 is 4 · 4 + 2 · 1
// blocks a frame. A head's first convolution is 4 blocks a frame and slot where it is split, or a pair; the four others
// a pair.
TEST_CASE("a clique's features and heads' first convolutions are computed once a frame, not once a pair") {
    const auto film = synthesize({.sequences = 3, .frames = 6, .size = 32});
    const Index tasks = static_cast<Index>(film.tasks().size());
    const auto blocks_of_a_step = [&](Index clique) {
        std::map<std::string, Index> blocks;
        Emulated emulated({.blocks = &blocks});
        Random random{7};
        Siamese model{UNet{emulated, {.in_channels = 1, .width = 4, .depth = 1}, random}, Concatenate{}, film.tasks(),
                      random};
        Trainer<decltype(model)> trainer(model, film, {.epochs = 1, .batch = 16, .clique = clique, .size = 16});
        trainer.step();
        Index forth = 0;
        for (const auto& [kernel, count] : blocks)
            if (kernel.find("Product") != std::string::npos && kernel.find("5Plain") != std::string::npos &&
                kernel.find("StoreActivated") != std::string::npos)
                forth += count;
        return forth;
    };
    const Index others = tasks * 4 * 16 * 4;
    CHECK(blocks_of_a_step(4) == 4 * 18 + tasks * (4 + 4) * 4 + others);
    CHECK(blocks_of_a_step(0) == 32 * 18 + tasks * 16 * 4 + others);
}
