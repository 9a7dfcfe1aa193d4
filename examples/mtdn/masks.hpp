#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/data/grey_range.hpp>
#include <mtdn/data/sequence.hpp>
#include <mtdn/io/file.hpp>
#include <mtdn/io/image.hpp>
#include <mtdn/io/polarity.hpp>

/// One picture of a stack.
template <class T>
mtdn::Array<T, 2> plane(const mtdn::Array<T, 3>& stack, mtdn::Index i) {
    auto result = mtdn::make_array<T>(mtdn::extent(stack, 1), mtdn::extent(stack, 2));
    std::copy_n(mtdn::frame_data(stack, i), result.size(), result.data());
    return result;
}

/// A frame that no film is read with; `warnings` gets one where it is nearly black.
///
/// @param white that of 16 bits; 0: 65535
inline mtdn::Image read_alone(const std::filesystem::path& path, int white,
                              std::vector<mtdn::Warning>& warnings) {
    const auto picture = mtdn::read_image(path);
    auto frame = mtdn::to_frame(picture, white);
    mtdn::GreyRange range;
    if (white == 0) range.add(picture, frame);
    if (range.likely_white() > 0)
        warnings.push_back(mtdn::nearly_black(path, std::to_string(range.brightest()), range.likely_white()));
    return frame;
}

/// The name that a frame's masks and pictures get.
inline std::string picture_name(const std::string& frame_name) {
    return std::filesystem::path(frame_name).stem().string() + ".png";
}

/// Refuses a folder that holds another film's masks of these tasks, which would be overwritten: `film.txt` says whose.
///
/// @throws OptionError
inline void require_own_folder(const std::filesystem::path& place, const std::filesystem::path& film,
                               const std::vector<std::string>& tasks) {
    const auto own = std::filesystem::weakly_canonical(film).string();
    std::string other = "a film that no film.txt names";
    if (std::filesystem::exists(place / "film.txt")) {
        other = mtdn::read_text(place / "film.txt");
        other.resize(std::min(other.find('\n'), other.size()));
        if (other == own) return;
    } else if (std::none_of(tasks.begin(), tasks.end(), [&](const std::string& task) {
                   return std::filesystem::exists(place / task) || std::filesystem::exists(place / (task + ".tif"));
               })) {
        return;
    }
    mtdn::fail<mtdn::OptionError>("segment: ", place.string(), " holds masks of ", other, ", which those of ", own,
                                  " would overwrite; give another --out or, of --frames and --watch, a --name");
}

/// Says whose masks a folder holds.
inline void note_film(const std::filesystem::path& place, const std::filesystem::path& film) {
    std::filesystem::create_directories(place);
    mtdn::write_file(place / "film.txt", std::filesystem::weakly_canonical(film).string() + "\n");
}

/// Writes a sequence's masks as `<folder>/<sequence>/<task>/<frame name>`, as `read_predictions` takes them.
inline void write_masks(const std::filesystem::path& folder, const mtdn::Sequence& sequence,
                        const mtdn::TaskMasks& masks, mtdn::MaskPolarity polarity) {
    for (const auto& [task, of_task] : masks) {
        const auto place = folder / sequence.name / task;
        std::filesystem::create_directories(place);
        for (mtdn::Index i = 0; i < sequence.size(); ++i)
            mtdn::write_mask(place / picture_name(sequence.frame_names[static_cast<std::size_t>(i)]), plane(of_task, i),
                             polarity);
    }
}
