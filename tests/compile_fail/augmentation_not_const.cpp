// expect: transforms_a_frame_and_its_masks
#include <mtdn/data/testing/checks.hpp>

struct Darker {
    void augment(const mtdn::FrameSource& source, const mtdn::FrameTarget& target, mtdn::Random, mtdn::Random)
#ifndef MTDN_SHOULD_FAIL
        const
#endif
    {
        mtdn::transform(source, target, {});
        mtdn::adjust(source, target, {.brightness = 0.5});
        mtdn::pad(source, target);
    }
};

auto failures() { return mtdn::testing::check_augmentation(Darker{}); }
