#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>
#include <mtdn/data/sequence.hpp>

namespace mtdn {

namespace detail {

template <class T, std::size_t N>
Array<T, N> every_nth(const Array<T, N>& frames, Index every) {
    auto shape = frames.shape();
    const auto count = (extent(frames, 0) + every - 1) / every;
    shape[0] = static_cast<std::size_t>(count);
    auto result = Array<T, N>::from_shape(shape);
    const auto size = result.size() / static_cast<std::size_t>(count);
    for (Index i = 0; i < count; ++i) std::copy_n(frame_data(frames, i * every), size, frame_data(result, i));
    return result;
}

template <class T>
std::vector<T> every_nth(const std::vector<T>& values, Index every) {
    std::vector<T> result;
    for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(every)) result.push_back(values[i]);
    return result;
}

}  // namespace detail

/// Every n-th frame of a sequence, from its first on, with its masks, time and series.
///
/// @throws OptionError unless `every` is positive
[[gnu::cold]] inline Sequence thinned(const Sequence& sequence, Index every) {
    require<OptionError>(every > 0, "thinned: every n-th frame is kept, n positive; got ", every);
    Sequence result;
    result.name = sequence.name;
    result.split = sequence.split;
    result.metadata = sequence.metadata;
    result.time_source = sequence.time_source;
    result.frame_names = detail::every_nth(sequence.frame_names, every);
    result.frames = detail::every_nth(sequence.frames, every);
    result.seconds = detail::every_nth(sequence.seconds, every);
    for (const auto& [task, masks] : sequence.masks) result.masks[task] = detail::every_nth(masks, every);
    for (const auto& [name, values] : sequence.series) result.series[name] = detail::every_nth(values, every);
    return result;
}

/// The dataset with every n-th frame of each training sequence, as if the others had not been labelled; those that
/// validate and test are whole.
///
/// @throws OptionError unless `every` is positive
[[gnu::cold]] inline Dataset thinned(const Dataset& dataset, Index every) {
    std::vector<Sequence> sequences;
    for (const auto& sequence : dataset.sequences())
        sequences.push_back(thinned(sequence, sequence.split == Split::train ? every : 1));
    return Dataset(dataset.description(), std::move(sequences));
}

}  // namespace mtdn
