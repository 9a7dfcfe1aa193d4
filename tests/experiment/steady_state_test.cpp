#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <mtdn/loss/weighted_sum.hpp>
#include <mtdn/optim/adamw.hpp>

#include "experiment/films.hpp"
#include "support/catch.hpp"

// Counts what this program asks the C library for, by standing in front of it. Sanitizers stand there already.
#if defined(__has_feature)
#define MTDN_HAS_FEATURE(name) __has_feature(name)
#else
#define MTDN_HAS_FEATURE(name) 0
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !MTDN_HAS_FEATURE(address_sanitizer)
#define MTDN_COUNTS_ALLOCATIONS 1
#else
#define MTDN_COUNTS_ALLOCATIONS 0
#endif

static std::atomic<long> allocations{0};
#if MTDN_COUNTS_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t size) { return ++allocations, __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) { return ++allocations, __libc_calloc(count, size); }
void* realloc(void* old, std::size_t size) { return ++allocations, __libc_realloc(old, size); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return ++allocations, __libc_memalign(alignment, size); }
}
#endif

using namespace mtdn;
using namespace mtdn::testing;

namespace {

long page_faults() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

long resident_bytes() {
    std::ifstream file("/proc/self/statm");
    long size = 0, resident = 0;
    file >> size >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

/// Allocations and page faults of `count` calls.
struct Cost {
    long allocations, faults;
};
template <class Step>
Cost cost_of(int count, Step&& step) {
    const Cost before{allocations, page_faults()};
    for (int i = 0; i < count; ++i) step();
    return {allocations - before.allocations, page_faults() - before.faults};
}

constexpr int steps = 48;

/// Forward, loss, backward, update of a small network on frames of any size.
struct BareStep {
    Cpu cpu{{.threads = 2}};
    Random random{7};
    SmallModel model;
    Tape<Cpu> tape;
    AdamW<Cpu> optimizer;
    std::vector<AnyLoss<Cpu>> losses;
    std::vector<Pair> pairs{{0, 4}, {1, 5}, {2, 6}, {3, 7}};

    explicit BareStep(const std::string& loss, Precision kept = Precision::single, Index width = 4)
        : model(UNet<Cpu>{cpu, {.in_channels = 1, .width = width}, random}, Concatenate{}, {"A1", "A2"}, random),
          tape(cpu, kept) {
        enable_gradients(model.parameters(), model);
        for (int task = 0; task < 2; ++task)
            losses.push_back(make_loss(cpu, {.name = loss}, std::vector<double>{1, 2, 3, 4}));
    }

    void operator()(Index height, Index width) {
        Tensor<Cpu> frames(cpu, {8, height, width, 1});
        Tensor<Cpu, std::uint8_t> labels(cpu, {4, height, width, 1});
        for (Index i = 0; i < frames.shape().size(); ++i) frames.data()[i] = static_cast<float>(i % 17) / 17;
        for (Index i = 0; i < labels.shape().size(); ++i) labels.data()[i] = static_cast<std::uint8_t>(i % 4);
        auto& parameters = model.parameters();
        cpu.fill(parameters.gradients, 0);
        Pass<Cpu> pass(tape);
        pass.set_groups(2);
        const auto logits = model.compare(model.features(pass.input(frames), pass), pairs, pass);
        auto total = losses[0](logits[0], labels);
        total = add(total, scale(losses[1](logits[1], labels), 0.5));
        tape.backward(total);
        const ParameterGroup all{0, parameters.values.shape().size(), 1, 1};
        optimizer.step(parameters.values, parameters.gradients, std::span(&all, 1), 1e-3);
        pass.commit();
    }
};

}  // namespace

TEST_CASE("counting sees an allocation") {
    if (!MTDN_COUNTS_ALLOCATIONS) return;
    CHECK(cost_of(1, [] { std::vector<int>(1000).at(3) = 1; }).allocations == 1);
    CHECK(cost_of(1, [] { std::free(std::aligned_alloc(64, 64)); }).allocations == 1);
}

TEST_CASE("from the third on, a step allocates nothing and touches no new page") {
    const std::string loss = GENERATE("focal", "dice+tversky");
    const Precision kept = GENERATE(Precision::single, Precision::bfloat16);
    INFO(loss << (kept == Precision::single ? "" : ", kept in bfloat16"));
    BareStep step(loss, kept);
    for (int i = 0; i < 2; ++i) step(32, 32);
    const Cost cost = cost_of(steps, [&] { step(32, 32); });
    CHECK(cost.allocations == 0);
    CHECK(cost.faults < 20);
}

TEST_CASE("neither does a trainer's step, with its batch and augmentation, and losses at four levels") {
    static const Dataset film = synthesize({.sequences = 4, .frames = 20, .size = 32});
    const auto [clique, deep_supervision] = GENERATE(std::pair<Index, double>(0, 0), std::pair<Index, double>(2, 0),
                                                     std::pair<Index, double>(0, 0.5));
    INFO("clique " << clique << ", deep supervision " << deep_supervision);
    Cpu cpu({.threads = 2});
    Random random{7};
    SmallModel model{UNet<Cpu>{cpu, {.in_channels = 1, .width = 4}, random}, Concatenate{}, film.tasks(), random};
    Trainer<SmallModel> trainer(
        model, film,
        {.epochs = 1, .batch = 4, .clique = clique, .clip = 1, .deep_supervision = deep_supervision});
    int epochs_done = 0;
    const auto step = [&] { epochs_done += trainer.step(); };
    for (int i = 0; i < 2; ++i) step();
    const Cost cost = cost_of(steps, step);
    REQUIRE(epochs_done == 0);  // an epoch ends in validation, which may allocate
    CHECK(cost.allocations == 0);
    CHECK(cost.faults < 20);
}

namespace {

void check_resident_memory(int rounds) {
    const long before = resident_bytes();
    BareStep step("focal");
    const auto all_sizes = [&] {
        for (const Index side : {32, 96, 33, 70, 48, 61, 39}) step(side, 128 - side);
    };
    all_sizes();
    const auto held = step.cpu.memory().held(), peak = step.cpu.memory().peak();
    const long resident = resident_bytes();
    CHECK(resident - before < static_cast<long>(2 * peak));
    for (int i = 0; i < rounds; ++i) all_sizes();
    CHECK(step.cpu.memory().held() == held);
    CHECK(resident_bytes() - resident < static_cast<long>(peak / 20));
}

}  // namespace

TEST_CASE("resident memory stays as it is however the sizes of the input change") { check_resident_memory(8); }

// Minutes each, so only where they are asked for: test_experiment "[long]".
TEST_CASE("so it does over 2000 steps", "[.long]") { check_resident_memory(286); }

TEST_CASE("198 steps of the published network allocate nothing and touch no new page", "[.long]") {
    const Precision kept = GENERATE(Precision::single, Precision::bfloat16);
    BareStep step("focal", kept, 32);
    for (int i = 0; i < 2; ++i) step(256, 256);
    const Cost cost = cost_of(198, [&] { step(256, 256); });
    CHECK(cost.allocations == 0);
    CHECK(cost.faults < 20);
}
