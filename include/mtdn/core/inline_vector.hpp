#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace mtdn {

/// A short list: up to N elements lie in the object itself, only longer lists allocate.
///
/// What copies, moves and destroys elements is not inlined: such lists are in all that an operation hands on, and
/// would else be most of its code.
template <class T, std::size_t N>
class InlineVector {
    static_assert(std::is_nothrow_move_constructible_v<T>);

public:
    InlineVector() noexcept : values_(room()) {}
    /// `count` elements T{}.
    explicit InlineVector(std::size_t count) : InlineVector() {
        while (size_ < count) push_back(T{});
    }
    InlineVector(std::initializer_list<T> values) : InlineVector() { append(values.begin(), values.size()); }
    InlineVector(const InlineVector& other) : InlineVector() { append(other.values_, other.size_); }
    /// A copy with other room.
    template <std::size_t M>
    explicit InlineVector(const InlineVector<T, M>& other) : InlineVector() {
        append(other.data(), other.size());
    }
    InlineVector(InlineVector&& other) noexcept : InlineVector() { take(other); }
    InlineVector& operator=(const InlineVector& other) {
        if (this != &other) {
            release();
            append(other.values_, other.size_);
        }
        return *this;
    }
    InlineVector& operator=(InlineVector&& other) noexcept {
        if (this != &other) {
            release();
            take(other);
        }
        return *this;
    }
    ~InlineVector() { release(); }

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    T* begin() { return values_; }
    const T* begin() const { return values_; }
    T* end() { return values_ + size_; }
    const T* end() const { return values_ + size_; }
    T* data() { return values_; }
    const T* data() const { return values_; }
    T& operator[](std::size_t i) { return values_[i]; }
    const T& operator[](std::size_t i) const { return values_[i]; }
    T& front() { return *values_; }
    const T& front() const { return *values_; }
    T& back() { return values_[size_ - 1]; }
    const T& back() const { return values_[size_ - 1]; }

    void push_back(T value) {
        if (size_ == capacity_) reserve(2 * size_);
        std::construct_at(values_ + size_, std::move(value));
        ++size_;
    }

private:
    T* room() { return reinterpret_cast<T*>(room_); }

    [[gnu::noinline]] void append(const T* values, std::size_t count) {
        if (size_ + count > capacity_) reserve(size_ + count);
        for (std::size_t i = 0; i < count; ++i, ++size_) std::construct_at(values_ + size_, values[i]);
    }

    [[gnu::noinline]] void reserve(std::size_t capacity) {
        T* more = std::allocator<T>().allocate(capacity);
        const std::size_t size = size_;
        std::uninitialized_move_n(values_, size, more);
        release();
        values_ = more;
        size_ = size;
        capacity_ = capacity;
    }

    // Of an empty list; leaves the other one empty.
    [[gnu::noinline]] void take(InlineVector& other) noexcept {
        if (other.values_ == other.room()) {
            for (; size_ < other.size_; ++size_) std::construct_at(values_ + size_, std::move(other.values_[size_]));
            other.release();
        } else {
            values_ = std::exchange(other.values_, other.room());
            size_ = std::exchange(other.size_, 0);
            capacity_ = std::exchange(other.capacity_, N);
        }
    }

    [[gnu::noinline]] void release() noexcept {
        std::destroy_n(values_, size_);
        if (values_ != room()) std::allocator<T>().deallocate(values_, capacity_);
        values_ = room();
        size_ = 0;
        capacity_ = N;
    }

    T* values_;
    std::size_t size_ = 0;
    std::size_t capacity_ = N;
    alignas(T) std::byte room_[N * sizeof(T)];
};

}  // namespace mtdn
