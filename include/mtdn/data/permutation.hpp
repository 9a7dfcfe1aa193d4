#pragma once

#include <cstdint>

#include <mtdn/core/error.hpp>
#include <mtdn/core/random.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// A random order of {0, …, count − 1} that is computed, not stored: `permutation(i)` is the i-th element.
///
/// A Feistel network on the next power of 4, walked until it falls below `count`; on average under 4 steps.
///
/// @source Black and Rogaway 2002, "Ciphers with arbitrary finite domains"
class Permutation {
public:
    Permutation(Index count, Random random) : count_(count) {
        require<OptionError>(count >= 0, "Permutation: count must not be negative, got ", count);
        while ((std::uint64_t{1} << (2 * half_bits_)) < static_cast<std::uint64_t>(count)) ++half_bits_;
        for (auto& word : key_) word = random();
    }

    Index size() const { return count_; }

    Index operator()(Index i) const {
        require<OptionError>(i >= 0 && i < count_, "Permutation: index ", i, " is not in [0, ", count_, ")");
        auto value = static_cast<std::uint64_t>(i);
        do value = encrypt(value);
        while (value >= static_cast<std::uint64_t>(count_));
        return static_cast<Index>(value);
    }

private:
    std::uint64_t encrypt(std::uint64_t value) const {
        const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
        std::uint64_t left = value >> half_bits_, right = value & mask;
        for (std::uint32_t round = 0; round < 6; ++round) {
            const auto words = philox({static_cast<std::uint32_t>(right), round, 0, 0}, {key_[0], key_[1]});
            const std::uint64_t next = left ^ (words[0] & mask);
            left = right;
            right = next;
        }
        return left << half_bits_ | right;
    }

    Index count_;
    unsigned half_bits_ = 4;  // a smaller network mixes too little
    std::uint32_t key_[2] = {};
};

}  // namespace mtdn
