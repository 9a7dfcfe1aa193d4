#include <cstdlib>
#include <iostream>
#include <mtdn/io/image.hpp>

#include "support/catch.hpp"

using namespace mtdn;

TEST_CASE("the published frames and masks read, and their masks have two values") {
    const char* root = std::getenv("MTDN_ETEM");
    if (!root) {
        std::cout << "skipped: MTDN_ETEM is not set\n";
        return;
    }
    int frames = 0, masks = 0, with_alpha = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (entry.path().extension() != ".png") continue;
        const auto raw = read_image(entry.path());
        CHECK((raw.height == 256 && raw.width == 256));
        if (entry.path().parent_path().filename() == "frames") {
            ++frames;
            with_alpha += raw.channels == 4 && raw.pixel(0, 0)[3] == 178;
            const auto frame = to_frame(raw);
            CHECK(std::all_of(frame.begin(), frame.end(), [](float x) { return x >= 0 && x <= 1; }));
        } else {
            ++masks;
            CHECK_NOTHROW(to_mask(raw, {.feature = 0, .background = 255}, {}, entry.path().string()));
        }
    }
    // The frames of the training and validation sequences (specification §2), two masks each, and predictions.
    CHECK(frames >= 51 + 56 + 19 + 46 + 18);
    CHECK(masks >= 2 * frames);
    CHECK(with_alpha > 0);
}
