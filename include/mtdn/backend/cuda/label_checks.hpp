#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <mtdn/backend/cuda/block.hpp>

namespace mtdn::detail::cuda {

/// What the host knows of the labels that kernels check, for the message that comes later.
///
/// A device has one word, which kernels lower to (number of the check, pixel, label): so it names the first wrong label
/// of the first check that met one, whichever threads came first.
class LabelChecks {
public:
    static constexpr Index none = 0x7f7f7f7f7f7f7f7f;  // equal bytes, and more than any
    static constexpr int pixel_bits = 40, label_bits = 8;

    /// Number of a check; equal ones share it.
    Index number(const char* operation, const Shape& labels, Index classes) {
        const Check check{operation, labels, classes};
        const Index found = std::find(checks_.begin(), checks_.end(), check) - checks_.begin();
        // Where there are more kinds than the word can tell apart, later ones take the last one's number.
        if (found == static_cast<Index>(checks_.size()) && found < most) checks_.push_back(check);
        return std::min(found, most - 1);
    }

    /// @throws DataError, naming what the word found
    [[noreturn]] void refuse(Index word) const {
        const Check& check = checks_[static_cast<std::size_t>(word >> (pixel_bits + label_bits))];
        const Index pixel = word >> label_bits & ((Index{1} << pixel_bits) - 1);
        fail<DataError>(check.operation, ": label ", word & ((1 << label_bits) - 1), " in pixel ", pixel, " of ",
                        check.labels, ", expected less than ", check.classes, " or ", int{ignore_label});
    }

private:
    static constexpr Index most = 1 << 14;

    struct Check {
        std::string operation;
        Shape labels;
        Index classes;
        friend bool operator==(const Check&, const Check&) = default;
    };
    std::vector<Check> checks_;
};

}  // namespace mtdn::detail::cuda
