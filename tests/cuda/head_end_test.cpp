// The end of a head at once, by the emulator.
#include <algorithm>
#include <map>

#include <mtdn/backbone/unet.hpp>
#include <mtdn/backend/cuda/testing/emulator.hpp>
#include <mtdn/experiment/live.hpp>

#include "cuda/head_end.hpp"
#include "cuda/kernel_blocks.hpp"
#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::detail::cuda;

namespace {

using Emulated = CudaFor<testing::Emulator>;
static_assert(joins_head_ends<Emulated> && !joins_head_ends<Reference<float>>);
static_assert(AnswersByClasses<ConvHead<Emulated>, Emulated> &&
              !AnswersByClasses<ConvHead<Reference<float>>, Reference<float>>);

/// What a small network says of a film of three frames.
struct Said {
    std::vector<double> logits;
    std::vector<std::uint8_t> classes, live;
};

/// @param size  of the frames within the model; 0: their own
template <class B>
Said say(B& backend, std::vector<Index> widths, Index size = 0, Index pairs = 0) {
    Random random{4};
    Siamese<UNet<B>> model{UNet<B>(backend, {.in_channels = 1, .width = 4, .depth = 1}, random), Concatenate{},
                           {"A1", "A2"}, random, HeadOptions{.widths = std::move(widths)}};
    model.set_size(size);
    auto film = make_array<float>(3, 10, 12, 1);
    for (std::size_t i = 0; i < film.size(); ++i) film.data()[i] = static_cast<float>(random.uniform(0, 1));
    const std::vector<Pair> asked{{1, 0}, {2, 0}, {1, 2}, {2, 2}};
    SequenceComparison<Siamese<UNet<B>>> comparison(model, film, 0, pairs);
    Said said;
    comparison.logits(asked, [&](Index, Index, const float* values) {
        said.logits.insert(said.logits.end(), values, values + 10 * 12 * 4);
    });
    comparison.categories(asked, [&](Index, Index, const std::uint8_t* codes) {
        said.classes.insert(said.classes.end(), codes, codes + 10 * 12);
    });
    LiveSegmenter<Siamese<UNet<B>>> live(model);
    for (Index frame = 0; frame < 3; ++frame) {
        auto one = make_array<float>(10, 12);
        std::copy_n(film.data() + frame * 120, 120, one.data());
        const auto found = live.push(one).value();
        for (const auto& [task, mask] : found.masks)
            said.live.insert(said.live.end(), mask.data(), mask.data() + 120);
    }
    return said;
}

}  // namespace

TEST_CASE("the end of a head is at once what it is one after the other") {
    Emulated emulated({.precision = Precision::bfloat16});
    CHECK(testing::check_head_end(emulated) == std::vector<std::string>{});
}

TEST_CASE("the end of a head has the same bits whoever comes first, played back, and in every precision") {
    Emulated one({.precision = Precision::bfloat16}), back({.order = 1, .precision = Precision::tf32});
    Emulated steps({.order = 3, .precision = Precision::tf32x3});
    for (const auto& c : testing::head_end_cases()) {
        INFO(c.name);
        const auto answers = testing::head_answers<true>(one, c);
        CHECK((testing::head_answers<true>(back, c) == answers));
        CHECK((testing::head_answers<true>(steps, c) == answers));
        CHECK((testing::head_answers<true>(one, c, false, true) == answers));
    }
}

TEST_CASE("the end of a head has the bits of the simple kernels, where one chunk has all channels") {
    Emulated fast({.precision = Precision::bfloat16}), simple;
    for (const auto& c : testing::head_end_cases()) {
        Index in = 0;
        for (const Index channels : c.parts) in += channels;
        if (in > FinishHead<WriteClass>::depth) continue;
        INFO(c.name);
        const auto ours = testing::head_answers<true>(fast, c), theirs = testing::head_answers<false>(simple, c);
        CHECK((ours.logits == theirs.logits));
        CHECK((ours.classes == theirs.classes));
    }
}

TEST_CASE("only the ends of heads that one thread holds are joined, and only with tensor cores") {
    Emulated fast({.precision = Precision::bfloat16}), simple({.precision = Precision::bfloat16, .simple = true});
    Emulated single;
    const auto joins = [](const Emulated& backend, Index out, Index classes, const Window& window) {
        const float some = 0;
        return backend.joins_head_end({.w = {&some, {window.kernel, window.kernel, 16, out}, out},
                                       .window = window,
                                       .last = {&some, {1, 1, out, classes}, classes}});
    };
    CHECK(joins(fast, 4, 4, {.padding = 1}));
    CHECK(!joins(fast, 5, 4, {.padding = 1}));
    CHECK(!joins(fast, 4, 5, {.padding = 1}));
    CHECK(!joins(fast, 4, 4, {.kernel = 1}));
    CHECK(!joins(fast, 4, 4, {.stride = 2, .padding = 1}));
    CHECK(!joins(simple, 4, 4, {.padding = 1}));
    CHECK(!joins(single, 4, 4, {.padding = 1}));
}

TEST_CASE("a network's logits, classes and live masks are the reference's, whether its heads' ends are joined or not") {
    Reference<double> exact;
    // Widths that are joined, and not; a first layer that is the last; a model of another size; slots that are kept.
    for (const auto& [widths, size, pairs, joined] :
         {std::tuple(std::vector<Index>{8, 4, 3}, 0, 0, true), std::tuple(std::vector<Index>{8, 4, 5}, 0, 0, false),
          std::tuple(std::vector<Index>{3}, 0, 0, true), std::tuple(std::vector<Index>{8, 3}, 8, 0, true),
          std::tuple(std::vector<Index>{8, 3}, 0, 100, true)}) {
        std::map<std::string, Index> blocks;
        Emulated fast({.precision = Precision::tf32x3, .blocks = &blocks});
        const Said ours = say(fast, widths, size, pairs), expected = say(exact, widths, size, pairs);
        INFO(widths.size() << " widths, size " << size << ", " << pairs << " pairs");
        CHECK(testing::deviation(ours.logits, expected.logits).rms < 1e-5);
        CHECK((ours.classes == expected.classes));
        CHECK((ours.live == expected.live));
        // One block a pair and task; live and in `categories` without logits, unless they are brought to another size.
        const Index asked = 2 * 4, live = 2 * 3;
        CHECK(testing::blocks_of(blocks, "FinishHead") == (joined ? 2 * asked + live : 0));
        CHECK(testing::blocks_of(blocks, "WriteClass") == (joined && size == 0 ? asked + live : 0));
        CHECK((testing::blocks_of(blocks, "ArgMax") == 0) == (joined && size == 0));
    }
}

TEST_CASE("the launch of a head's end fits") {
    static_assert(sizeof(FinishHead<WriteLogits>::Shared) <= static_shared);
    static_assert(sizeof(FinishHead<WriteLogits>) <= 4096);
}
