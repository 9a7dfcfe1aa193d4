#include <span>
#include <string>
#include <vector>

#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/core/testing/thread_ranks.hpp>

#include "experiment/equal_training.hpp"
#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::testing;

namespace {

/// What every rank ends with, each on a backend of its own.
template <class B, class... Options>
std::vector<Steps> on_ranks(int size, const TrainOptions& options, int steps, const Options&... of_backend) {
    std::vector<Steps> results(static_cast<std::size_t>(size));
    run_ranks(size, [&](ThreadCommunicator ranks) {
        B backend(of_backend...);
        results[static_cast<std::size_t>(ranks.rank())] = train_steps(backend, uneven_film(), options, steps, ranks);
    });
    return results;
}

TrainOptions recipe(const std::string& optimizer) {
    TrainOptions options;
    options.epochs = 50;
    options.batch = 4;  // 18 pairs: an epoch's last batch has 2
    options.size = 16;
    options.optimizer = optimizer;
    options.rate = optimizer == "sgd" ? 1e-4 : 1e-3;
    options.seed = 3;
    return options;
}

void check_equal(const std::vector<Steps>& ranks, const Steps& alone, double tolerance) {
    CHECK(distance(ranks[0].weights, alone.weights) < tolerance);
    CHECK(distance(ranks[0].running, alone.running) < tolerance);
    CHECK(ranks[0].position.loss_sum == Approx(alone.position.loss_sum).epsilon(tolerance));
    CHECK(ranks[0].position.loss_pairs == alone.position.loss_pairs);
    CHECK(ranks[0].position.curve.size() == alone.position.curve.size());
    // Rounding may prefer another of several epochs.
    if (!alone.best.empty() && ranks[0].position.best_epoch == alone.position.best_epoch)
        CHECK(distance(ranks[0].best, alone.best) < tolerance);
    for (const auto& rank : ranks) {
        CHECK((rank.best == ranks[0].best));
        CHECK((rank.weights == ranks[0].weights));
        CHECK((rank.running == ranks[0].running));
        CHECK(rank.position.best == ranks[0].position.best);
    }
}

}  // namespace

TEST_CASE("ranks on Reference<double> end within 1e-9 of one process, in every kind of batch norm, loss and batch") {
    using Exact = Reference<double>;
    auto options = recipe("adamw");
    int size = 2, steps = 6;
    SECTION("20 steps by branches") { steps = 20; }
    SECTION("three ranks, of which one has no pair in an epoch's last batch") { size = 3; }
    SECTION("stacked statistics") { options.batch_norm = BatchNormPolicy::stacked; }
    SECTION("frozen statistics") { options.batch_norm = BatchNormPolicy::frozen; }
    SECTION("a loss of overlaps as well, and the gradient's norm cut") {
        options.loss.name = "focal+dice";
        options.clip = 0.1;
    }
    SECTION("a sum that is divided by the classes' weights") { options.loss.reduction = Reduction::weights; }
    SECTION("a sum that is not divided") { options.loss.reduction = Reduction::none; }
    SECTION("cliques") {
        options.clique = 2;
        options.batch = 8;
    }
    SECTION("the backbone frozen for an epoch") { options.frozen_epochs = 1; }
    SECTION("averaged weights") { options.ema = 0.9; }
    Exact exact;
    const Steps alone = train_steps(exact, uneven_film(), options, steps);
    check_equal(on_ranks<Exact>(size, options, steps), alone, 1e-9);
}

TEST_CASE("three ranks share the frames of a single-frame model") {
    using Exact = Reference<double>;
    const auto options = recipe("adamw");  // batches of 4 and, the last of an epoch, 2 frames
    const auto train = [&](Exact& exact, const AnyCommunicator& ranks) {
        return train_steps(exact, uneven_film(), options, 6, ranks, 7, true);
    };
    std::vector<Steps> results(3);
    run_ranks(3, [&](ThreadCommunicator ranks) {
        Exact exact;
        results[static_cast<std::size_t>(ranks.rank())] = train(exact, ranks);
    });
    Exact exact;
    check_equal(results, train(exact, {}), 1e-9);
}

TEST_CASE("20 SGD steps of two ranks on Cpu end within 1e-5 of one process") {
    auto options = recipe("sgd");
    options.batch_norm = GENERATE(BatchNormPolicy::branch, BatchNormPolicy::stacked);
    // Without class weights, as a rounding that turns a ReLU or a maximum at one of few weighty pixels is seen.
    options.loss.beta = 0;
    const CpuOptions one_thread{.threads = 1};
    Cpu cpu(one_thread);
    check_equal(on_ranks<Cpu>(2, options, 20, one_thread), train_steps(cpu, uneven_film(), options, 20), 1e-5);
}

TEST_CASE("a step of ranks is another one where statistics are not shared, so the test of equality can fail") {
    const auto options = recipe("sgd");
    Cpu cpu({.threads = 1});
    auto alone = options;
    alone.batch = 2;  // what each of two ranks sees
    CHECK(distance(train_steps(cpu, uneven_film(), alone, 20).weights,
                   train_steps(cpu, uneven_film(), options, 20).weights) > 1e-4);
}

TEST_CASE("ranks that train again end with the same bits") {
    const auto first = on_ranks<Cpu>(3, recipe("adamw"), 6, CpuOptions{.threads = 1});
    const auto second = on_ranks<Cpu>(3, recipe("adamw"), 6, CpuOptions{.threads = 2});
    CHECK((first[0].weights == second[0].weights));
}

TEST_CASE("gradients are summed in buckets while the way back goes on, in one order, to the same bits") {
    // Sums begun are made at the end; how many there were when the last exchange but these came.
    struct Late : ThreadCommunicator {
        explicit Late(const ThreadCommunicator& ranks, std::vector<int>& log)
            : ThreadCommunicator(ranks), begun(&log) {}
        void all_reduce(std::span<double> values) {
            before = static_cast<int>(waiting.size());
            ThreadCommunicator::all_reduce(values);
        }
        void all_reduce(std::span<float> values) { ThreadCommunicator::all_reduce(values); }
        void start_all_reduce(std::span<float> values) { waiting.push_back(values); }
        void start_all_reduce(std::span<double>) { FAIL("gradients are floats"); }
        void finish() {
            begun->push_back(before);
            begun->push_back(static_cast<int>(waiting.size()));
            for (const auto values : waiting) ThreadCommunicator::all_reduce(values);
            waiting.clear();
        }
        std::vector<int>* begun;
        std::vector<std::span<float>> waiting;
        int before = 0;
    };
    static_assert(OverlappingCommunicator<Late>);
    auto options = recipe("sgd");
    const auto at_once = on_ranks<Cpu>(2, options, 3, CpuOptions{.threads = 1});
    options.bucket = GENERATE(1, 300);
    std::vector<Steps> results(2);
    std::vector<std::vector<int>> begun(2);
    run_ranks(2, [&](ThreadCommunicator ranks) {
        const auto rank = static_cast<std::size_t>(ranks.rank());
        Cpu cpu({.threads = 1});
        results[rank] = train_steps(cpu, uneven_film(), options, 3, Late(ranks, begun[rank]));
    });
    for (const auto& rank : results) CHECK((rank.weights == at_once[0].weights));
    REQUIRE(begun[0].size() == 6);
    CHECK((begun[0] == begun[1]));
    const int buckets = begun[0][1];
    CHECK(buckets > (options.bucket == 1 ? 30 : 3));
    // All but the first block's and what lies in its bucket.
    for (std::size_t step = 0; step < 3; ++step) {
        CHECK(begun[0][2 * step + 1] == buckets);
        CHECK(begun[0][2 * step] >= buckets - (options.bucket == 1 ? 3 : 2));
    }
}

TEST_CASE("ranks begin with the weights of rank 0, and rank 0 alone tells of progress") {
    auto options = recipe("sgd");
    std::vector<std::vector<double>> weights(2);
    std::vector<int> told(2);
    run_ranks(2, [&](ThreadCommunicator ranks) {
        const auto rank = static_cast<std::size_t>(ranks.rank());
        Cpu cpu({.threads = 1});
        Random random{rank};
        Siamese model{UNet{cpu, {.in_channels = 1, .width = 4, .depth = 1}, random}, Concatenate{}, {"A1"}, random};
        auto own = options;
        own.ranks = ranks;
        own.epochs = 1;
        own.max_seconds = ranks.rank() == 0 ? 1e9 : 1e-9;  // rank 0's clock says when it is over
        own.progress = [&](const TrainProgress&) { ++told[rank]; };
        Trainer<decltype(model)> trainer(model, uneven_film(), own);
        trainer.run([](auto&, bool) { return true; });
        const auto values = download(model.parameters().values);
        weights[rank].assign(values.begin(), values.end());
    });
    CHECK((weights[0] == weights[1]));
    CHECK((told == std::vector<int>{5, 0}));
}

TEST_CASE("a batch that cannot be shared is refused") {
    auto options = recipe("sgd");
    options.clique = 2;
    CHECK_THROWS_WITH(on_ranks<Cpu>(2, options, 1),
                      Catch::Matchers::Contains("not cut") && Catch::Matchers::Contains("2 ranks"));
}
