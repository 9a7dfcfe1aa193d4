#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <utility>
#include <vector>

namespace mtdn {

/// A short list: up to N elements lie in the object itself, only longer lists allocate.
template <class T, std::size_t N>
class InlineVector {
public:
    InlineVector() = default;
    /// `count` elements T{}.
    explicit InlineVector(std::size_t count) {
        while (size() < count) push_back(T{});
    }
    InlineVector(std::initializer_list<T> values) {
        for (const T& value : values) push_back(value);
    }

    bool empty() const { return size() == 0; }
    std::size_t size() const { return many_.empty() ? count_ : many_.size(); }
    T* begin() { return many_.empty() ? few_.data() : many_.data(); }
    const T* begin() const { return many_.empty() ? few_.data() : many_.data(); }
    T* end() { return begin() + size(); }
    const T* end() const { return begin() + size(); }
    T* data() { return begin(); }
    const T* data() const { return begin(); }
    T& operator[](std::size_t i) { return begin()[i]; }
    const T& operator[](std::size_t i) const { return begin()[i]; }
    T& front() { return *begin(); }
    const T& front() const { return *begin(); }
    T& back() { return end()[-1]; }
    const T& back() const { return end()[-1]; }

    void push_back(T value) {
        if (many_.empty() && count_ < N) {
            few_[count_++] = std::move(value);
            return;
        }
        if (many_.empty()) {
            many_.reserve(2 * N);
            std::move(few_.begin(), few_.end(), std::back_inserter(many_));
            count_ = 0;
        }
        many_.push_back(std::move(value));
    }

private:
    std::array<T, N> few_{};
    std::vector<T> many_;    // all elements, once there are more than N
    std::size_t count_ = 0;  // of those in few_
};

}  // namespace mtdn
