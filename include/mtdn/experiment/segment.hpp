#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <mtdn/change/fusion.hpp>
#include <mtdn/experiment/comparison.hpp>
#include <mtdn/experiment/flips.hpp>
#include <mtdn/experiment/segment_options.hpp>
#include <mtdn/siamese/single_frame.hpp>

namespace mtdn {

namespace detail {

/// Segments a sequence by change detection; if it is one of several flips, by the mean probability of its pairs.
template <class Model, PredictionFusion Fusion>
Segmentation segment_once(const Model& model, const Images& frames, const Fusion& fusion,
                          const SegmentOptions& options) {
    const Index count = extent(frames, 0);
    Index done = 0, total = 0;
    std::vector<std::vector<double>> areas(static_cast<std::size_t>(count));
    for (Index query = 0; query < count; ++query) {
        areas[static_cast<std::size_t>(query)].resize(fusion.partners(query, count).size());
        total += static_cast<Index>(areas[static_cast<std::size_t>(query)].size());
    }
    SequenceComparison<Model> comparison(model, frames, options.memory, total);
    const Index height = comparison.size().height, width = comparison.size().width;
    Segmentation result;
    for (const auto& task : model.tasks()) {
        result.masks[task] = make_array<std::uint8_t>(count, height, width);
        result.share[task] = make_array<float>(count, height, width);
        result.uncertainty[task] = make_array<float>(count, height, width);
        result.areas[task] = areas;
        for (const auto& other : model.tasks())
            if (other != task) result.areas[shared_name(task, other)] = areas;
    }
    // Where not all features fit, a block of queries meets one block of partners after the other.
    const bool all_fit = comparison.capacity() >= count;
    const Index block = std::max<Index>(1, all_fit ? std::min<Index>(8, count) : comparison.capacity() / 2);
    for (Index first = 0; first < count; first += block) {
        struct Question {
            Index query;
            Comparison asked;
            std::size_t place;  // in the list of `partners`
        };
        std::vector<Question> questions;
        const Index last = std::min(count, first + block);
        for (Index query = first; query < last; ++query)
            for (std::size_t place = 0; const Comparison& asked : fusion.partners(query, count))
                questions.push_back({query, asked, place++});
        std::stable_sort(questions.begin(), questions.end(), [&](const Question& a, const Question& b) {
            const auto other = [&](const Question& q) {
                return (q.asked.slot == Slot::query ? q.asked.pair.partner : q.asked.pair.query) / block;
            };
            return !all_fit && other(a) < other(b);
        });
        std::vector<Pair> pairs;
        for (const Question& question : questions) pairs.push_back(question.asked.pair);
        std::vector<std::vector<PredictionAccumulator>> votes(model.tasks().size());
        for (auto& of_task : votes)
            of_task.assign(static_cast<std::size_t>(last - first),
                           options.flips > 1 ? PredictionAccumulator(height, width, true)
                                             : fusion.accumulator(height, width));

        // Where a pair finds the features of the tasks that came so far; the others' follow soon.
        std::map<Index, std::vector<std::vector<std::uint8_t>>> found;
        const auto take = [&](Index i, Index task, const auto* answer) {
            const Question& question = questions[static_cast<std::size_t>(i)];
            const auto area = [&](const std::string& name) -> double& {
                return result.areas[name][static_cast<std::size_t>(question.query)][question.place];
            };
            const auto& name = model.tasks()[static_cast<std::size_t>(task)];
            auto& vote = votes[static_cast<std::size_t>(task)][static_cast<std::size_t>(question.query - first)];
            if constexpr (std::is_same_v<decltype(answer), const float*>)
                vote.add_logits(answer, question.asked.slot);
            else
                vote.add_categories(answer, question.asked.slot);
            area(name) = vote.last_area();
            auto& of_pair = found[i];
            auto& here = of_pair.emplace_back(static_cast<std::size_t>(height * width));
            for (std::size_t pixel = 0; pixel < here.size(); ++pixel) {
                if constexpr (std::is_same_v<decltype(answer), const float*>)
                    here[pixel] = shows_feature(largest_logit(answer + pixel * category_count), question.asked.slot);
                else
                    here[pixel] = shows_feature(answer[pixel], question.asked.slot);
            }
            for (std::size_t other = 0; other + 1 < of_pair.size(); ++other)
                area(shared_name(model.tasks()[other], name)) =
                    std::inner_product(here.begin(), here.end(), of_pair[other].begin(), 0.0);
            if (of_pair.size() == model.tasks().size()) found.erase(i);
            if (options.progress && task == 0) options.progress(++done, total);
        };
        if (votes.front().front().soft())
            comparison.logits(pairs, take);
        else
            comparison.categories(pairs, take);

        for (std::size_t task = 0; task < votes.size(); ++task) {
            for (Index query = first; query < last; ++query) {
                const auto& vote = votes[task][static_cast<std::size_t>(query - first)];
                const auto mask = vote.mask();
                const auto share = vote.share();
                const auto uncertainty = vote.uncertainty();
                std::copy_n(mask.data(), mask.size(), frame_data(result.masks[model.tasks()[task]], query));
                std::copy_n(share.data(), share.size(), frame_data(result.share[model.tasks()[task]], query));
                std::copy_n(uncertainty.data(), uncertainty.size(),
                            frame_data(result.uncertainty[model.tasks()[task]], query));
            }
        }
    }
    result.passes = comparison.passes();
    return result;
}

/// Segments every frame by itself.
template <class Backbone>
Segmentation segment_once(const SingleFrame<Backbone>& model, const Images& frames, const SegmentOptions& options) {
    using B = typename SingleFrame<Backbone>::Backend;
    const Index count = extent(frames, 0), height = extent(frames, 1), width = extent(frames, 2);
    const Images inputs = at_model_size(model, frames);
    Segmentation result;
    for (const auto& task : model.tasks()) {
        result.masks[task] = make_array<std::uint8_t>(count, height, width);
        result.share[task] = make_array<float>(count, height, width);
        result.uncertainty[task] = make_array<float>(count, height, width);
    }
    const Index channels = input_channels(model.backbone(), extent(frames, 3));
    for (Index i = 0; i < count; ++i) {
        Pass<B> pass(model.backend());
        const auto input = network_input(model.backend(), inputs, std::span(&i, 1), channels);
        const auto logits = model.segment(pass.input(input), pass);
        for (std::size_t task = 0; task < logits.size(); ++task) {
            const auto values = download(value_of(resize(logits[task], height, width, Interpolation::bilinear)));
            std::uint8_t* mask = frame_data(result.masks[model.tasks()[task]], i);
            float* share = frame_data(result.share[model.tasks()[task]], i);
            float* uncertainty = frame_data(result.uncertainty[model.tasks()[task]], i);
            for (Index pixel = 0; pixel < height * width; ++pixel) {
                const double margin =
                    static_cast<double>(values[2 * pixel + 1]) - static_cast<double>(values[2 * pixel]);
                const double probability = 1 / (1 + std::exp(-margin));
                mask[pixel] = margin > 0;
                share[pixel] = static_cast<float>(probability);
                uncertainty[pixel] = static_cast<float>(binary_entropy(probability));
            }
        }
        if (options.progress) options.progress(i + 1, count);
    }
    result.passes = count;
    return result;
}

}  // namespace detail

/// Segments a sequence by change detection, with the uncertainty of every pixel.
///
/// @shape frames (N, H, W, 1) in [0, 1] → for each task (N, H, W)
/// @throws ShapeError if the frames are too small for the backbone; OptionError for an unknown number of flips
/// @source paper §2.1.4, §3.4.3
template <class Model, PredictionFusion Fusion>
Segmentation segment_with_uncertainty(const Model& model, const Images& frames, const Fusion& fusion,
                                      const SegmentOptions& options = {}) {
    return segment_flipped(frames, options, [&](const Images& seen, const SegmentOptions& of_seen) {
        return detail::segment_once(model, seen, fusion, of_seen);
    });
}

/// Segments every frame by itself, with the uncertainty of every pixel: the entropy of its probability.
///
/// @shape frames (N, H, W, 1) in [0, 1] → for each task (N, H, W)
/// @throws ShapeError if the frames are too small for the backbone; OptionError for an unknown number of flips
template <class Backbone>
Segmentation segment_with_uncertainty(const SingleFrame<Backbone>& model, const Images& frames,
                                      const SegmentOptions& options = {}) {
    return segment_flipped(frames, options, [&](const Images& seen, const SegmentOptions& of_seen) {
        return detail::segment_once(model, seen, of_seen);
    });
}

/// Segments every frame by itself.
///
/// @shape frames (N, H, W, 1) in [0, 1] → for each task (N, H, W)
/// @throws ShapeError if the frames are too small for the backbone
template <class Backbone>
TaskMasks segment(const SingleFrame<Backbone>& model, const Images& frames, const SegmentOptions& options = {}) {
    return segment_with_uncertainty(model, frames, options).masks;
}

/// Segments a sequence by change detection.
///
/// @shape frames (N, H, W, 1) in [0, 1] → for each task (N, H, W)
/// @throws ShapeError if the frames are too small for the backbone
/// @source paper §2.1.4
template <class Model, PredictionFusion Fusion>
TaskMasks segment(const Model& model, const Images& frames, const Fusion& fusion, const SegmentOptions& options = {}) {
    return segment_with_uncertainty(model, frames, fusion, options).masks;
}

}  // namespace mtdn
