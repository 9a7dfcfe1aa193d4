// Losses of overlaps that the device divides itself, by the emulator.
#include <mtdn/backend/cuda/testing/emulator.hpp>
#include <mtdn/core/testing/thread_ranks.hpp>

#include "cuda/overlap_loss.hpp"
#include "support/catch.hpp"

using namespace mtdn;

namespace {
using Emulated = CudaFor<testing::Emulator>;
static_assert(divides_overlaps<Emulated> && !divides_overlaps<Reference<float>>);
}  // namespace

TEST_CASE("losses of overlaps that are played back are the reference's, in any order of threads") {
    Emulated emulated, other({.order = 3});
    CHECK(testing::check_overlap_loss(emulated) == std::vector<std::string>{});
    for (const auto& c : testing::overlap_cases())
        CHECK(testing::overlap_loss(emulated, c) == testing::overlap_loss(other, c));
}

TEST_CASE("ranks divide the sums of all their overlaps") {
    Emulated emulated;
    const testing::OverlapCase c = testing::overlap_cases().front();
    const auto whole = testing::overlap_loss(emulated, c);
    std::vector<std::vector<float>> of_ranks[2];
    testing::run_ranks(2, [&](testing::ThreadCommunicator ranks) {
        Emulated own;
        of_ranks[ranks.rank()] = testing::overlap_loss(own, c, ranks);
    });
    std::vector<double> gradient;
    for (const auto& ours : of_ranks) {
        CHECK(ours[0][0] == Approx(whole[0][0]).epsilon(1e-6));
        gradient.insert(gradient.end(), ours[1].begin(), ours[1].end());
    }
    CHECK(testing::deviation(whole[1], gradient).rms < 1e-6);
}
