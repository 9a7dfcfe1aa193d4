#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <string_view>
#include <utility>

#include <mtdn/core/error.hpp>
#include <mtdn/core/shape.hpp>

namespace mtdn {

/// One block of Philox4x32-10: four random words, a pure function of counter and key.
///
/// @source Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    return counter;
}

/// A stream of random numbers that is a function of (seed, purpose, epoch, item) alone.
///
/// Two streams with another purpose, epoch or item are independent, so work may be done in any order, on any
/// number of threads, and resumed anywhere. Models `std::uniform_random_bit_generator`.
class Random {
public:
    using result_type = std::uint32_t;

    explicit constexpr Random(std::uint64_t seed = 0, std::string_view purpose = "", std::uint64_t epoch = 0,
                              std::uint64_t item = 0)
        : seed_(seed) {
        // The purpose and the epoch are mixed into the key; the item is the counter's upper half.
        std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
        for (char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        const auto mixed = philox({low(hash), high(hash), low(epoch), high(epoch)}, {low(seed), high(seed)});
        key_ = {mixed[0], mixed[1]};
        item_ = item;
    }

    /// The stream of the same seed for another purpose.
    constexpr Random stream(std::string_view purpose, std::uint64_t epoch = 0, std::uint64_t item = 0) const {
        return Random(seed_, purpose, epoch, item);
    }

    constexpr std::uint64_t seed() const { return seed_; }

    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

    /// The next 32 random bits.
    constexpr result_type operator()() {
        if (used_ == 4) draw_words();
        return words_[used_++];
    }

    /// Uniform in [0, 1), 53 bits.
    constexpr double uniform() {
        const std::uint64_t a = (*this)() >> 5, b = (*this)() >> 6;
        return static_cast<double>(a * 67108864 + b) * (1.0 / 9007199254740992.0);
    }

    /// Uniform in [low, high).
    constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }

    /// Uniform in {0, …, count − 1}, without bias.
    ///
    /// @throws OptionError if `count` is not positive
    Index below(Index count) {
        require<OptionError>(count > 0, "Random::below: count must be positive, got ", count);
        const auto range = static_cast<std::uint64_t>(count);
        const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / range * range;
        while (true) {
            const std::uint64_t high = (*this)();
            const std::uint64_t bits = high << 32 | (*this)();
            if (bits < limit) return static_cast<Index>(bits % range);
        }
    }

    /// True with the given probability.
    constexpr bool chance(double probability) { return uniform() < probability; }

    /// Normal with mean 0 and standard deviation 1 (Box–Muller, one of the two values).
    double normal() {
        const double radius = std::sqrt(-2 * std::log(1 - uniform()));
        return radius * std::cos(2 * std::numbers::pi * uniform());
    }

    /// A permutation of [first, last), every one as likely (Fisher–Yates).
    template <class Iterator>
    void shuffle(Iterator first, Iterator last) {
        for (Index i = last - first - 1; i > 0; --i) std::swap(first[i], first[below(i + 1)]);
    }

private:
    // Out of line: whoever draws would else have all rounds written out.
    [[gnu::noinline]] constexpr void draw_words() {
        words_ = philox({low(block_), high(block_), low(item_), high(item_)}, key_);
        ++block_;
        used_ = 0;
    }

    static constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
    static constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

    std::uint64_t seed_ = 0;
    std::array<std::uint32_t, 2> key_{};
    std::uint64_t item_ = 0;
    std::uint64_t block_ = 0;
    std::array<std::uint32_t, 4> words_{};
    unsigned used_ = 4;
};

}  // namespace mtdn
