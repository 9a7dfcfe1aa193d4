#include <mtdn/data/thinned.hpp>

#include <mtdn/data/synthetic.hpp>

#include "support/catch.hpp"

using namespace mtdn;

TEST_CASE("every n-th frame of a training sequence is kept, with all that is known of it") {
    const auto film = synthesize({.sequences = 3, .frames = 7, .size = 32});
    for (const Index every : {1, 2, 3, 7, 8}) {
        const auto fewer = thinned(film, every);
        CHECK(fewer.tasks() == film.tasks());
        CHECK(fewer.pixel_size_nm() == film.pixel_size_nm());
        const Sequence &all = film.train()[0], &kept = fewer.train()[0];
        CHECK(kept.name == all.name);
        REQUIRE(kept.size() == (7 + every - 1) / every);
        const Index pixels = all.height() * all.width();
        for (Index i = 0; i < kept.size(); ++i) {
            const auto here = static_cast<std::size_t>(i), there = static_cast<std::size_t>(i * every);
            CHECK(kept.frame_names[here] == all.frame_names[there]);
            CHECK(kept.seconds[here] == all.seconds[there]);
            CHECK(kept.series.at("volume")[here] == all.series.at("volume")[there]);
            CHECK(std::equal(frame_data(kept.frames, i), frame_data(kept.frames, i) + pixels,
                             frame_data(all.frames, i * every)));
            for (const auto& task : film.tasks())
                CHECK(std::equal(frame_data(kept.masks.at(task), i), frame_data(kept.masks.at(task), i) + pixels,
                                 frame_data(all.masks.at(task), i * every)));
        }
        CHECK(fewer.validation().frame_counts() == film.validation().frame_counts());
        CHECK(fewer.test().frame_counts() == film.test().frame_counts());
    }
    auto guessed = film.train()[0];
    guessed.time_source = TimeSource::file_numbers;
    CHECK(thinned(guessed, 2).time_source == TimeSource::file_numbers);
    CHECK_THROWS_AS(thinned(film, 0), OptionError);
}
