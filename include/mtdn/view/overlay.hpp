#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/core/masks.hpp>
#include <mtdn/view/palette.hpp>
#include <mtdn/view/picture.hpp>

namespace mtdn {

/// How masks are laid over a frame.
struct OverlayOptions {
    Palette palette{};     ///< colours of the tasks
    double opacity = 0.6;  ///< of the colour over the frame, 0…1
};

/// Masks over a frame, one colour a task.
///
/// Where several masks cover a pixel, the colour of the smallest of them in this frame is seen, so that A2, which lies
/// within A1, stays in sight whatever it is called; of equally large ones, the last one's.
///
/// @throws ShapeError if a mask has another size than the frame; OptionError
inline Picture overlay(const Image& frame, const std::vector<Mask>& masks, const OverlayOptions& options = {}) {
    require<OptionError>(options.opacity >= 0 && options.opacity <= 1, "overlay: opacity must be in [0, 1], got ",
                         options.opacity);
    const Picture ground = grey_picture(frame);
    Picture picture = ground;
    std::vector<Index> areas;
    for (std::size_t i = 0; i < masks.size(); ++i) {
        detail::require_same_size(masks[i], frame, "overlay", concatenate("mask ", i), "frame");
        areas.push_back(std::count(masks[i].data(), masks[i].data() + masks[i].size(), std::uint8_t{1}));
    }
    for (Index k = 0; k < extent(frame, 0) * extent(frame, 1); ++k) {
        std::size_t seen = masks.size();
        for (std::size_t i = 0; i < masks.size(); ++i)
            if (masks[i].data()[k] == 1 && (seen == masks.size() || areas[i] <= areas[seen])) seen = i;
        if (seen == masks.size()) continue;
        const Index y = k / extent(frame, 1), x = k % extent(frame, 1);
        const Colour colour = options.palette.task(static_cast<Index>(seen));
        set_pixel(picture, y, x, blend(pixel(ground, y, x), colour, options.opacity));
    }
    return picture;
}

/// The masks of all tasks over one frame of a sequence; colours go by the order of the tasks' names.
///
/// @shape  frames (N, H, W, C), every task's masks (N, H, W)
/// @throws ShapeError, OptionError
inline Picture overlay(const Images& frames, const TaskMasks& masks, Index frame, const OverlayOptions& options = {}) {
    const Image image = first_channel(frames, frame);
    const Index height = extent(frames, 1), width = extent(frames, 2);
    std::vector<Mask> of_frame;
    for (const auto& [task, all] : masks) {
        require<ShapeError>(extent(all, 0) == extent(frames, 0) && extent(all, 1) == height && extent(all, 2) == width,
                            "overlay: the masks of task \"", task, "\" have size ", detail::size_text(all),
                            ", the frames ", detail::size_text(frames));
        auto mask = make_array<std::uint8_t>(height, width);
        std::copy_n(frame_data(all, frame), height * width, mask.data());
        of_frame.push_back(std::move(mask));
    }
    return overlay(image, of_frame, options);
}

}  // namespace mtdn
