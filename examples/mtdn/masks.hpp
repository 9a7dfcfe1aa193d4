#pragma once

#include <algorithm>
#include <filesystem>
#include <string>

#include <mtdn/core/arrays.hpp>
#include <mtdn/data/sequence.hpp>
#include <mtdn/io/image.hpp>
#include <mtdn/io/polarity.hpp>

/// One picture of a stack.
template <class T>
mtdn::Array<T, 2> plane(const mtdn::Array<T, 3>& stack, mtdn::Index i) {
    auto result = mtdn::make_array<T>(mtdn::extent(stack, 1), mtdn::extent(stack, 2));
    std::copy_n(mtdn::frame_data(stack, i), result.size(), result.data());
    return result;
}

/// The name that a frame's masks and pictures get.
inline std::string picture_name(const std::string& frame_name) {
    return std::filesystem::path(frame_name).stem().string() + ".png";
}

/// Writes a sequence's masks as `<folder>/<sequence>/<task>/<frame name>`, as `read_predictions` takes them.
inline void write_masks(const std::filesystem::path& folder, const mtdn::Sequence& sequence, const mtdn::TaskMasks& masks,
                        mtdn::MaskPolarity polarity) {
    for (const auto& [task, of_task] : masks) {
        const auto place = folder / sequence.name / task;
        std::filesystem::create_directories(place);
        for (mtdn::Index i = 0; i < sequence.size(); ++i)
            mtdn::write_mask(place / picture_name(sequence.frame_names[static_cast<std::size_t>(i)]), plane(of_task, i),
                             polarity);
    }
}
