#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cpu.hpp>
#include <mtdn/data/synthetic.hpp>
#include <mtdn/experiment/segment.hpp>
#include <mtdn/experiment/train.hpp>
#include <mtdn/siamese/siamese.hpp>

#include "support/catch.hpp"

using namespace mtdn;

// One training from data to masks, small enough for sanitizers, with sizes that fill no vector and no tile.
TEST_CASE("a tiny training learns, and touches nothing it must not") {
    Cpu cpu{{.threads = 2}};
    Random random{7};
    const auto film = synthesize({.sequences = 3, .frames = 6, .size = 35});
    Siamese model{UNet{cpu, {.in_channels = 1, .width = 5, .depth = 2}, random}, Concatenate{}, film.tasks(), random};

    const auto random_pairs =
        train(model, film, {.epochs = 3, .batch = 3, .schedule = "constant", .seed = 1, .keep_best = false});
    CHECK(random_pairs.curve.back().loss < random_pairs.curve.front().loss);
    const auto cliques = train(model, film, {.epochs = 1, .batch = 4, .clique = 2, .seed = 1, .keep_best = false});
    CHECK(cliques.curve.back().loss < random_pairs.curve.front().loss);

    const auto& frames = film.sequences().front().frames;
    for (const auto& [task, masks] : segment(model, frames, BackwardFusion{})) {
        INFO(task);
        CHECK(masks.shape(0) == frames.shape(0));
        CHECK(masks.shape(1) == frames.shape(1));
    }
}
