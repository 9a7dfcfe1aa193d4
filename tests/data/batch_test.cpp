#include <mtdn/data/batch.hpp>

#include "support/catch.hpp"

using namespace mtdn;

namespace {

Sequence make_sequence(const std::string& name, Index frames, Index height, Index width, bool with_core) {
    Sequence sequence;
    sequence.name = name;
    sequence.frames = make_array<float>(frames, height, width, 1);
    Random random(1, name);
    for (float& value : sequence.frames) value = static_cast<float>(random.uniform());
    for (Index i = 0; i < frames; ++i) sequence.frame_names.push_back(std::to_string(i) + ".png");
    for (const char* task : {"A1", "A2"}) {
        if (task[1] == '2' && !with_core) continue;
        auto& masks = sequence.masks[task] = make_array<std::uint8_t>(frames, height, width);
        for (auto& value : masks) value = random.chance(0.3);
    }
    return sequence;
}

}  // namespace

TEST_CASE("a batch is the same for every number of threads") {
    const Dataset film({}, {make_sequence("a", 4, 20, 20, true), make_sequence("b", 5, 13, 17, true)});
    const auto batch = PairSampler(film.train().frame_counts(), {}, {.batch = 7}).batch(2, 1);
    ThreadPool one(1), three(3);
    const AnyAugmentation augmentation = PublishedAugmentation{};
    const auto first = assemble(film.train(), film.tasks(), batch, augmentation, 9, 2, one);
    const auto second = assemble(film.train(), film.tasks(), batch, augmentation, 9, 2, three);
    CHECK(shape_of(first.frames) == Shape{14, 20, 20, 1});
    CHECK((first.frames == second.frames));
    CHECK((first.masks == second.masks));
    CHECK(first.pairs == batch.pairs);
    CHECK_FALSE((first.frames == assemble(film.train(), film.tasks(), batch, augmentation, 9, 3, one).frames));
    BatchData reused = assemble(film.train(), {"A1"}, PairSampler({4, 5}, {}, {.batch = 2}).batch(0, 0), {}, 0, 0, one);
    CHECK(reused.masks.size() == 1);
    assemble(film.train(), film.tasks(), batch, augmentation, 9, 2, one, reused);
    CHECK((reused.frames == first.frames));
    CHECK((reused.masks == first.masks));
}

TEST_CASE("both frames of a pair move alike and are lit differently") {
    // One sequence whose frames are all the same: what differs is the augmentation's doing.
    auto sequence = make_sequence("a", 2, 16, 16, true);
    std::copy_n(frame_data(sequence.frames, 0), 256, frame_data(sequence.frames, 1));
    std::copy_n(frame_data(sequence.masks["A1"], 0), 256, frame_data(sequence.masks["A1"], 1));
    const Dataset film({}, {sequence});
    ThreadPool threads(1);
    const auto batch = PairSampler({2}, {}, {.batch = 4}).batch(0, 0);
    const auto data = assemble(film.train(), film.tasks(), batch, PublishedAugmentation{}, 4, 0, threads);
    const auto& masks = data.masks.at("A1");
    int alike = 0;
    for (const auto& [query, partner] : data.pairs) {
        CHECK(std::equal(frame_data(masks, query), frame_data(masks, query) + 256, frame_data(masks, partner)));
        CHECK_FALSE(std::equal(frame_data(data.frames, query), frame_data(data.frames, query) + 256,
                               frame_data(data.frames, partner)));
        alike += std::equal(frame_data(masks, 0), frame_data(masks, 0) + 256, frame_data(masks, query)) ? 1 : 0;
    }
    CHECK(alike < 4);  // the pairs do not all share one geometry
}

TEST_CASE("smaller frames are padded, unlabelled tasks ignored") {
    const Dataset film({}, {make_sequence("a", 1, 3, 5, true), make_sequence("b", 1, 4, 2, false)});
    Batch batch;
    batch.frames = {{0, 0}, {1, 0}};
    batch.geometry = {0, 1};
    ThreadPool threads(1);
    const auto data = assemble(film.train(), film.tasks(), batch, NoAugmentation{}, 0, 0, threads);
    CHECK(shape_of(data.frames) == Shape{2, 4, 5, 1});
    const float* frame = frame_data(data.frames, 1);
    const float* from = frame_data(film.sequences()[1].frames, 0);
    const std::uint8_t* outer = frame_data(data.masks.at("A1"), 1);
    const std::uint8_t* core = frame_data(data.masks.at("A2"), 1);
    for (Index y = 0; y < 4; ++y)
        for (Index x = 0; x < 5; ++x) {
            CHECK(frame[y * 5 + x] == from[y * 2 + std::min<Index>(x, 1)]);
            CHECK(core[y * 5 + x] == ignore_label);
            CHECK(outer[y * 5 + x] ==
                  (x < 2 ? frame_data(film.sequences()[1].masks.at("A1"), 0)[y * 2 + x] : ignore_label));
        }
    CHECK(frame_data(data.masks.at("A1"), 0)[3 * 5] == ignore_label);  // below the first
}

TEST_CASE("a share is what the whole batch holds at its places, on the whole batch's canvas") {
    const Dataset film({}, {make_sequence("a", 3, 16, 12, true), make_sequence("b", 3, 12, 14, true)});
    const auto batch = PairSampler({3, 3}, {}, {.batch = 6, .seed = 2}).batch(0, 1);
    ThreadPool threads(1);
    const auto whole = assemble(film.train(), film.tasks(), batch, PublishedAugmentation{}, 4, 0, threads);
    for (const Index rank : {0, 1, 2}) {
        Share share;
        share_of(batch, rank, 3, share);
        BatchData part;
        assemble(film.train(), film.tasks(), batch, share, PublishedAugmentation{}, 4, 0, threads, part);
        const Shape shape = shape_of(part.frames);
        REQUIRE(shape == Shape{static_cast<Index>(share.frames.size()), 16, 14, 1});
        for (Index i = 0; i < shape.frames; ++i) {
            const Index at = share.frames[static_cast<std::size_t>(i)];
            CHECK(std::equal(frame_data(part.frames, i), frame_data(part.frames, i) + 16 * 14,
                             frame_data(whole.frames, at)));
            for (const auto& task : film.tasks())
                CHECK(std::equal(frame_data(part.masks.at(task), i), frame_data(part.masks.at(task), i) + 16 * 14,
                                 frame_data(whole.masks.at(task), at)));
        }
        CHECK((part.pairs == share.pairs));
    }
}

TEST_CASE("a batch that names what is not there is an error") {
    const Dataset film({}, {make_sequence("a", 1, 3, 5, true)});
    ThreadPool threads(1);
    Batch batch;
    batch.frames = {{0, 1}};
    batch.geometry = {0};
    CHECK_THROWS_WITH(assemble(film.train(), film.tasks(), batch, {}, 0, 0, threads),
                      Catch::Matchers::Contains("no frame 1 of sequence 0"));
}

TEST_CASE("network input is centred") {
    CHECK(to_network_input(0.0F) == -1);
    CHECK(to_network_input(0.5F) == 0);
    CHECK(to_network_input(full_array<float>(1, 1, 2, 2, 1)).data()[3] == 1);
}
