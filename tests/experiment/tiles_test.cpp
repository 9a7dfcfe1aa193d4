#include "experiment/films.hpp"
#include "support/catch.hpp"

#include <mtdn/experiment/segment.hpp>
#include <mtdn/experiment/tiles.hpp>

using namespace mtdn;
using namespace mtdn::testing;
using Catch::Matchers::Contains;

namespace {

NumberedFrame numbered(const Images& frames, Index i) {
    NumberedFrame frame{i, make_array<float>(extent(frames, 1), extent(frames, 2))};
    std::copy_n(frame_data(frames, i), frame.pixels.size(), frame.pixels.data());
    return frame;
}

// Logits of frame 0 compared with frame 1, of every task: (height, width, 4).
template <class Model>
std::vector<std::vector<float>> logits_of(TiledSegmenter<Model>& tiles, const Images& frames) {
    std::vector<std::vector<float>> all(2);
    tiles.logits(numbered(frames, 0), numbered(frames, 1),
                 [&](std::size_t task, Index rows, std::span<const float> values) {
                     CHECK(static_cast<Index>(values.size()) == rows * extent(frames, 2) * 4);
                     all[task].insert(all[task].end(), values.begin(), values.end());
                 });
    return all;
}

Images noise(Index count, Index height, Index width) {
    Random random{11};
    auto frames = make_array<float>(count, height, width, 1);
    for (float& value : frames) value = static_cast<float>(random.uniform(0, 1));
    return frames;
}

// All frames of a film through `segment_film`; `reads` is given the number of frames read.
template <class Model, class Fusion>
TaskMasks film_masks(TiledSegmenter<Model>& tiles, const Images& frames, const Fusion& fusion, Index& reads) {
    TaskMasks masks;
    Index expected = 0;
    reads = 0;
    segment_film(
        tiles, extent(frames, 0), fusion, [&](Index i) { return ++reads, numbered(frames, i).pixels; },
        [&](Index i, const std::map<std::string, Mask>& of_frame) {
            CHECK(i == expected++);
            for (const auto& [task, mask] : of_frame) {
                auto& all = masks[task];
                if (all.size() == 0)
                    all = make_array<std::uint8_t>(extent(frames, 0), extent(frames, 1), extent(frames, 2));
                std::copy_n(mask.data(), mask.size(), frame_data(all, i));
            }
        });
    CHECK(expected == extent(frames, 0));
    return masks;
}

}  // namespace

TEST_CASE("tiles cover a side, begin at the backbone's multiples, and their weights add up to one") {
    for (const Index multiple : {1, 4, 16})
        for (const Index tile : {32, 48})
            for (const Index overlap : {Index{0}, Index{8}, Index{16}, tile - multiple})
                for (const Index length : {1, 15, 31, 32, 33, 63, 64, 65, 90, 200}) {
                    const TileAxis axis(length, {.tile = tile, .overlap = overlap}, multiple);
                    std::vector<double> sums(static_cast<std::size_t>(length));
                    for (Index k = 0; k < axis.count(); ++k) {
                        CHECK(axis.first(k) % multiple == 0);
                        CHECK(axis.end(k) - axis.first(k) <= tile);
                        CHECK(axis.end(k) - axis.first(k) > std::min(length - 1, tile - multiple));
                        if (k > 0) CHECK(axis.end(k - 1) - axis.first(k) >= overlap);
                        if (k > 0) CHECK(axis.first(k) > axis.first(k - 1));
                        REQUIRE(static_cast<Index>(axis.weights(k).size()) == axis.end(k) - axis.first(k));
                        for (Index at = axis.first(k); at < axis.end(k); ++at) {
                            const double weight =
                                static_cast<double>(axis.weights(k)[static_cast<std::size_t>(at - axis.first(k))]);
                            CHECK(weight > 0);
                            sums[static_cast<std::size_t>(at)] += weight;
                        }
                    }
                    CHECK(axis.first(0) == 0);
                    CHECK(axis.end(axis.count() - 1) == length);
                    for (const double sum : sums) CHECK(std::abs(sum - 1) < 1e-6);
                }
    // sin² over the overlap of two: half and half in the middle.
    const TileAxis two(112, {.tile = 64, .overlap = 16}, 16);
    CHECK(two.seam(0) == 56);
    CHECK(std::abs(two.weights(0)[55] + two.weights(0)[56] - 1) < 1e-6F);
    CHECK(two.weights(0)[47] == 1);
    CHECK(two.weights(0)[63] < 0.01F);
}

TEST_CASE("a tile that is the whole frame gives the whole frame's bits") {
    Cpu cpu;
    const auto model = small_model(cpu);
    const auto& frames = small_film().test()[0].frames;
    TiledSegmenter tiles(model, {35, 35}, {.tile = 36, .overlap = 8});
    CHECK(tiles.tiles() == 1);
    const auto logits = logits_of(tiles, frames);
    SequenceComparison<SmallModel> whole(model, frames);
    const Pair pair{0, 1};
    whole.logits(std::span(&pair, 1), [&](Index, Index task, const float* values) {
        CHECK(std::equal(logits[static_cast<std::size_t>(task)].begin(), logits[static_cast<std::size_t>(task)].end(),
                         values));
    });
    Index reads = 0;
    for (const std::string name : {"backward", "forward", "consecutive"}) {
        const auto fusion = prediction_fusion(name);
        TiledSegmenter film(model, {35, 35}, {.tile = 64, .overlap = 8});
        CHECK((film_masks(film, frames, fusion, reads) == segment(model, frames, fusion)));
        CHECK(reads == extent(frames, 0));
    }
    Random random{7};
    const SingleFrame single{UNet<Cpu>{cpu, {.in_channels = 3, .width = 4, .depth = 2}, random}, small_film().tasks(),
                             random};
    TiledSegmenter film(single, {35, 35}, {.tile = 64, .overlap = 8});
    CHECK((film_masks(film, frames, BackwardFusion{}, reads) == segment(single, frames)));
    CHECK(reads == extent(frames, 0));
}

TEST_CASE("beyond the network's reach of a tile's edge logits are the whole frame's, and nearer they are not") {
    // Two convolutions at full, half and quarter resolution, two more on the way back, four in the head: 2 + 4 + 8 +
    // 4 + 2 + 4 px; poolings may add 1 + 2.
    const Index reach = 27, height = 131, width = 178;
    Cpu cpu;
    const auto model = small_model(cpu);
    const auto frames = noise(2, height, width);
    const TileOptions options{.tile = 72, .overlap = 8};
    TiledSegmenter tiles(model, {height, width}, options);
    CHECK(tiles.tiles() == 6);
    const auto ours = logits_of(tiles, frames);
    const TileAxis rows(height, options, 4), columns(width, options, 4);
    const auto is_far = [&](const TileAxis& axis, Index length, Index at) {
        for (Index k = 0; k < axis.count(); ++k)
            if (at >= axis.first(k) && at < axis.end(k) &&
                ((axis.first(k) > 0 && at - axis.first(k) < reach) ||
                 (axis.end(k) < length && axis.end(k) - 1 - at < reach)))
                return false;
        return true;
    };
    SequenceComparison<SmallModel> whole(model, frames);
    const Pair pair{0, 1};
    whole.logits(std::span(&pair, 1), [&](Index, Index task, const float* values) {
        float largest = 0, far = 0, near = 0;
        Index counted = 0;
        for (Index y = 0; y < height; ++y)
            for (Index x = 0; x < width; ++x) {
                const bool both = is_far(rows, height, y) && is_far(columns, width, x);
                counted += both;
                for (Index c = 0; c < 4; ++c) {
                    const Index i = (y * width + x) * 4 + c;
                    const float off =
                        std::abs(ours[static_cast<std::size_t>(task)][static_cast<std::size_t>(i)] - values[i]);
                    largest = std::max(largest, std::abs(values[i]));
                    (both ? far : near) = std::max(both ? far : near, off);
                }
            }
        CHECK(counted > height * width / 8);
        CHECK(far < 1e-5F * largest);  // Winograd's 4·10⁻⁷ a convolution, eighteen of them
        CHECK(near > 1e-4F * largest);
    });
}

TEST_CASE("kept features save passes and change nothing; a frame is read once") {
    Cpu cpu;
    const auto model = small_model(cpu);
    const auto frames = noise(4, 70, 90);
    for (const std::string name : {"backward", "forward", "consecutive"}) {
        const auto fusion = prediction_fusion(name);
        Index reads = 0;
        TiledSegmenter keeps(model, {70, 90}, {.tile = 32, .overlap = 8});
        const auto masks = film_masks(keeps, frames, fusion, reads);
        CHECK(keeps.tiles() == 12);
        CHECK(keeps.passes() == 4 * 12);
        CHECK(reads == 4);
        TiledSegmenter forgets(model, {70, 90}, {.tile = 32, .overlap = 8, .memory = 0});
        CHECK((film_masks(forgets, frames, fusion, reads) == masks));
        CHECK(forgets.passes() == (2 * 4 - 1) * 12);
        TiledSegmenter some(model, {70, 90}, {.tile = 32, .overlap = 8, .memory = 3 * 32 * 32 * 8 * sizeof(float)});
        CHECK((film_masks(some, frames, fusion, reads) == masks));
        CHECK(some.passes() > keeps.passes());
        CHECK(some.passes() < forgets.passes());
    }
}

TEST_CASE("tiles that cannot be are refused with what would do") {
    Cpu cpu;
    auto model = small_model(cpu);
    CHECK_THROWS_WITH(TiledSegmenter(model, {70, 90}, {.tile = 30}),
                      Contains("multiple of the backbone's 4") && Contains("got 30"));
    CHECK_THROWS_WITH(TiledSegmenter(model, {70, 90}, {.tile = 4}), Contains("at least 8"));
    CHECK_THROWS_WITH(TiledSegmenter(model, {70, 90}, {.tile = 32, .overlap = 30}), Contains("[0, 28], got 30"));
    TiledSegmenter tiles(model, {70, 90}, {.tile = 32, .overlap = 8});
    const auto frames = noise(2, 70, 89);
    CHECK_THROWS_WITH(tiles.segment(numbered(frames, 0), numbered(frames, 1)),
                      Contains("70 × 89") && Contains("70 × 90"));
    Index reads = 0;
    CHECK_THROWS_WITH(film_masks(tiles, noise(2, 70, 90), EnsembleFusion{}, reads),
                      Contains("ensemble") && Contains("expected one that compares it with one"));
    model.set_size(64);
    CHECK_THROWS_WITH(TiledSegmenter(model, {70, 90}, {.tile = 32, .overlap = 8}),
                      Contains("expected tiles of 64 px, got 32"));
    CHECK(TiledSegmenter(model, {70, 90}, {.tile = 64, .overlap = 8}).tiles() == 4);
}

TEST_CASE("nothing of a film is kept for the next one through the same tiles") {
    Cpu cpu;
    const auto model = small_model(cpu);
    const auto film = noise(3, 40, 52);
    TiledSegmenter<SmallModel> tiles(model, {40, 52}, {.tile = 32, .overlap = 8});
    const auto runs = [&] {  // features are kept within a film, so a frame that had been kept would save runs
        return segment_film(tiles, 3, ForwardFusion{}, [&](Index i) { return numbered(film, i).pixels; },
                            [](Index, const std::map<std::string, Mask>&) {});
    };
    const Index first = runs();
    CHECK(first == 3 * tiles.tiles());
    CHECK(runs() == first);
}
