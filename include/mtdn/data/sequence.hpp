#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mtdn/core/arrays.hpp>
#include <mtdn/core/error.hpp>

namespace mtdn {

/// What a sequence is for. A split is made of whole sequences.
enum class Split { train, validation, test };

/// `train`, `validation` or `test`.
constexpr std::string_view name_of(Split split) {
    return split == Split::train ? "train" : split == Split::validation ? "validation" : "test";
}

/// The split of that name, or none.
constexpr std::optional<Split> split_named(std::string_view name) {
    for (Split split : {Split::train, Split::validation, Split::test})
        if (name == name_of(split)) return split;
    return std::nullopt;
}

/// Where a sequence's times come from.
enum class TimeSource {
    given,         ///< by whoever made the sequence, or by a manifest's "seconds" or "time"
    file_numbers,  ///< guessed: the numbers in the frames' names, taken for seconds
    frame_index    ///< guessed: 0, 1, 2, …
};

/// One filament's frames in time order, with the masks that are known.
struct Sequence {
    std::string name;
    Split split = Split::train;
    std::vector<std::string> frame_names;                 ///< file names, one a frame
    Images frames;                                        ///< (frames, height, width, 1) in [0, 1]
    std::vector<double> seconds;                          ///< one a frame; left empty, 0, 1, 2, …
    TaskMasks masks;                                      ///< by task, 0 or 1; no entry for a task that is not labelled
    std::map<std::string, std::vector<double>> series{};  ///< other figures known of each frame, by name
    std::string metadata = "{}";                          ///< free-form JSON text
    TimeSource time_source = TimeSource::given;           ///< of `seconds`
    std::vector<Warning> warnings{};                      ///< of `read_frames`; a dataset has those of its sequences

    Index size() const { return extent(frames, 0); }
    Index height() const { return extent(frames, 1); }
    Index width() const { return extent(frames, 2); }
};

/// Some of a dataset's sequences, in the dataset's order; valid while the dataset's sequences live.
class SequenceView {
public:
    class Iterator {
    public:
        using value_type = Sequence;
        using difference_type = Index;
        explicit Iterator(const Sequence* const* at = nullptr) : at_(at) {}
        const Sequence& operator*() const { return **at_; }
        const Sequence* operator->() const { return *at_; }
        Iterator& operator++() { return ++at_, *this; }
        Iterator operator++(int) { return Iterator(at_++); }
        friend bool operator==(Iterator, Iterator) = default;

    private:
        const Sequence* const* at_;
    };

    SequenceView() = default;
    explicit SequenceView(std::vector<const Sequence*> sequences) : sequences_(std::move(sequences)) {}

    Iterator begin() const { return Iterator(sequences_.data()); }
    Iterator end() const { return Iterator(sequences_.data() + sequences_.size()); }
    Index size() const { return static_cast<Index>(sequences_.size()); }
    bool empty() const { return sequences_.empty(); }
    const Sequence& operator[](Index i) const { return *sequences_[static_cast<std::size_t>(i)]; }

    /// Frames of each sequence.
    std::vector<Index> frame_counts() const {
        std::vector<Index> counts;
        for (const Sequence& sequence : *this) counts.push_back(sequence.size());
        return counts;
    }

private:
    std::vector<const Sequence*> sequences_;
};

/// What a dataset says of itself as a whole.
struct DatasetDescription {
    std::string name = "dataset";
    std::vector<std::string> tasks{};   ///< in the order that models list them; empty: those with masks, by name
    double pixel_size_nm = 0;           ///< side of a pixel in nm; 0: unknown
    std::uint8_t feature_value = 255;   ///< grey value of the feature in mask files
    std::uint8_t background_value = 0;  ///< grey value of the background in mask files
    std::string metadata = "{}";        ///< free-form JSON text
};

/// Sequences that have been checked: one name each, one size within each, masks that fit and are 0 or 1.
class Dataset {
public:
    Dataset() = default;

    /// @throws DataError for a sequence without frames, in two splits or not of one size, and masks that do not fit
    [[gnu::cold]]
    Dataset(DatasetDescription description, std::vector<Sequence> sequences, std::vector<Warning> warnings = {})
        : description_(std::move(description)), sequences_(std::move(sequences)), warnings_(std::move(warnings)) {
        check_names();
        if (description_.tasks.empty()) {
            auto& tasks = description_.tasks;
            for (const auto& sequence : sequences_)
                for (const auto& [task, masks] : sequence.masks) {
                    if (std::find(tasks.begin(), tasks.end(), task) != tasks.end()) continue;
                    tasks.push_back(task);  // by name
                    for (auto at = tasks.size() - 1; at > 0 && tasks[at] < tasks[at - 1]; --at)
                        tasks[at].swap(tasks[at - 1]);
                }
        }
        for (auto& sequence : sequences_) check(sequence);
    }

    const std::string& name() const { return description_.name; }
    const std::vector<std::string>& tasks() const { return description_.tasks; }
    const DatasetDescription& description() const { return description_; }
    /// Side of a pixel in nm; 0: unknown.
    double pixel_size_nm() const { return description_.pixel_size_nm; }
    const std::vector<Sequence>& sequences() const { return sequences_; }
    const std::vector<Warning>& warnings() const { return warnings_; }

    SequenceView split(Split wanted) const {
        return select([wanted](const Sequence& sequence) { return sequence.split == wanted; });
    }
    SequenceView train() const { return split(Split::train); }
    SequenceView validation() const { return split(Split::validation); }
    SequenceView test() const { return split(Split::test); }
    SequenceView all() const {
        return select([](const Sequence&) { return true; });
    }

private:
    template <class Predicate>
    SequenceView select(Predicate wanted) const {
        std::vector<const Sequence*> chosen;
        for (const auto& sequence : sequences_)
            if (wanted(sequence)) chosen.push_back(&sequence);
        return SequenceView(std::move(chosen));
    }

    [[gnu::cold]] void check_names() const {
        for (const auto& sequence : sequences_) {
            require<DataError>(!sequence.name.empty(), "Dataset: a sequence has no name");
            const auto& first = *std::find_if(sequences_.begin(), sequences_.end(), [&](const Sequence& other) {
                return other.name == sequence.name;
            });
            if (&first == &sequence) continue;
            if (first.split == sequence.split)
                fail<DataError>("Dataset: two sequences are named \"", sequence.name, "\"");
            fail<DataError>("Dataset: sequence \"", sequence.name, "\" is in two splits, ", name_of(first.split),
                            " and ", name_of(sequence.split), "; a sequence belongs to one");
        }
    }

    [[gnu::cold]] void check(Sequence& sequence) {
        const auto where = concatenate("Dataset: sequence \"", sequence.name, "\"");
        const Shape shape = shape_of(sequence.frames);
        require<DataError>(shape.size() > 0, where, " has no frames");
        require<DataError>(shape.channels == 1, where, ": expected grey frames (N, H, W, 1), got ", shape);
        const auto count = static_cast<std::size_t>(shape.frames);
        require<DataError>(sequence.frame_names.size() == count, where, " has ", count, " frames, but ",
                           sequence.frame_names.size(), " frame names");
        if (sequence.seconds.empty()) {
            for (std::size_t i = 0; i < count; ++i) sequence.seconds.push_back(static_cast<double>(i));
            sequence.time_source = TimeSource::frame_index;
        }
        require<DataError>(sequence.seconds.size() == count, where, " has ", count, " frames, but ",
                           sequence.seconds.size(), " times");
        for (std::size_t i = 1; i < count; ++i)
            if (!(sequence.seconds[i] > sequence.seconds[i - 1])) {
                warnings_.push_back(
                    {concatenate(where, ": time does not advance at frame \"", sequence.frame_names[i], "\" (",
                                 sequence.seconds[i - 1], " s, then ", sequence.seconds[i], " s)")});
                break;
            }
        for (const auto& [name, values] : sequence.series)
            require<DataError>(values.size() == count, where, " has ", count, " frames, but series \"", name, "\" has ",
                               values.size(), " values");
        for (const auto& [task, masks] : sequence.masks) check_masks(where, sequence, task, masks);
    }

    void check_masks(const std::string& where, const Sequence& sequence, const std::string& task, const Masks& masks) {
        const auto& tasks = description_.tasks;
        require<DataError>(std::find(tasks.begin(), tasks.end(), task) != tasks.end(), where, " has masks of task \"",
                           task, "\", which the dataset does not list");
        const Shape expected = shape_of(sequence.frames), found = shape_of(masks);
        require<DataError>(expected == found, where, ", task \"", task, "\": masks are ", found, ", frames ", expected);
        Index feature = 0;
        for (const std::uint8_t* at = masks.data(); at != masks.data() + found.size(); ++at) {
            require<DataError>(*at <= 1, where, ", task \"", task, "\": a mask holds 0 and 1, found ", int{*at});
            feature += *at;
        }
        if (2 * feature > found.size())
            warnings_.push_back(
                {concatenate(where, ", task \"", task, "\": the feature covers ", 100 * feature / found.size(),
                             " % of the pixels; the masks' polarity may be inverted")});
    }

    DatasetDescription description_;
    std::vector<Sequence> sequences_;
    std::vector<Warning> warnings_;
};

}  // namespace mtdn
