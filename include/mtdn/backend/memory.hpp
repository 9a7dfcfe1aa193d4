#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>

namespace mtdn {

/// Memory of one device that is kept between uses.
///
/// What is given back is handed out again to the next request whose size rounds up to the same power of two, so that a
/// steady loop of the same requests neither allocates nor touches a new page, and a loop of changing ones soon does not
/// either. Where there is no such block, a larger one is halved until it is; halves that are both given back are one
/// block again (a buddy system: Knowlton 1965). The part of a block that nobody asked for costs no memory where pages
/// come when they are touched. Everything is returned to the system with the last block.
class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
public:
    /// A piece of memory with its count of owners.
    struct Block {
        void* data = nullptr;
        std::size_t capacity = 0;
        std::size_t bytes = 0;  // that were asked for
        std::atomic<int> owners{0};
        std::shared_ptr<MemoryPool> pool;  // set while the block is owned
        bool idle = false;
        Block* whole = nullptr;  // of which it is a half
        std::unique_ptr<Block> halves[2];
    };

    MemoryPool() = default;
    MemoryPool(const MemoryPool&) = delete;
    MemoryPool& operator=(const MemoryPool&) = delete;
    virtual ~MemoryPool() = default;

    /// A block of at least `bytes` bytes, aligned to 64, its contents anything, with one owner.
    ///
    /// @throws BackendError if the device has no more
    Block* obtain(std::size_t bytes) {
        const std::size_t capacity = rounded(bytes);
        const std::lock_guard lock(mutex_);
        Block* block = take_idle(capacity);
        if (!block) {
            make_idle(capacity);
            block = take_idle(capacity);
        }
        block->bytes = bytes;
        in_use_ += bytes;
        peak_ = std::max(peak_, in_use_);
        block->owners.store(1, std::memory_order_relaxed);
        block->pool = shared_from_this();
        return block;
    }

    /// Whether `obtain(bytes)` would find a block without making one.
    bool has_idle(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        return find_idle(rounded(bytes)) != idle_.end();
    }

    /// Makes a block for `obtain(bytes)` to find, its pages touched.
    void provide(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        touch(make_idle(rounded(bytes))->data, bytes);
    }

    /// Takes back a block that has lost its last owner.
    static void give_back(Block* block) {
        const auto pool = std::move(block->pool);
        const std::lock_guard lock(pool->mutex_);
        pool->in_use_ -= block->bytes;
        pool->insert_idle(block);
    }

    /// Bytes asked for and in use now, and at most so far.
    std::size_t in_use() const { return in_use_; }
    std::size_t peak() const { return peak_; }
    /// Bytes of all blocks, in use or idle.
    std::size_t held() const { return held_; }

    /// Returns to the device what is not in use, but for halves whose other half is.
    void trim() {
        const std::lock_guard lock(mutex_);
        std::erase_if(idle_, [&](Block* block) {
            if (block->whole) return false;
            deallocate(block->data);
            held_ -= block->capacity;
            delete block;
            return true;
        });
    }

protected:
    virtual void* allocate(std::size_t bytes) = 0;
    virtual void deallocate(void* data) noexcept = 0;
    /// Writes to every page, where pages come when they are written to.
    virtual void touch(void*, std::size_t) {}

private:
    static std::size_t rounded(std::size_t bytes) {
        return bytes > SIZE_MAX / 2 ? bytes : std::bit_ceil(std::max<std::size_t>(bytes, 64));
    }

    // Of equal blocks the first in memory is taken, so that a loop finds the same ones each time.
    static bool before(const Block* a, const Block* b) {
        return a->capacity != b->capacity ? a->capacity < b->capacity : std::less<void*>{}(a->data, b->data);
    }

    void insert_idle(Block* block) {
        while (block->whole) {
            Block* other = block->whole->halves[block == block->whole->halves[0].get() ? 1 : 0].get();
            if (!other->idle) break;
            idle_.erase(std::lower_bound(idle_.begin(), idle_.end(), other, before));
            other->idle = false;
            block = block->whole;
        }
        block->idle = true;
        idle_.insert(std::lower_bound(idle_.begin(), idle_.end(), block, before), block);
    }

    // The smallest that is large enough; small ones are not cut from larger ones, which they could keep apart for long.
    std::vector<Block*>::iterator find_idle(std::size_t capacity) {
        const auto found = std::partition_point(idle_.begin(), idle_.end(),
                                                [=](const Block* block) { return block->capacity < capacity; });
        if (found != idle_.end() && (*found)->capacity > capacity && capacity < least_half) return idle_.end();
        return found;
    }

    Block* take_idle(std::size_t capacity) {
        const auto found = find_idle(capacity);
        if (found == idle_.end()) return nullptr;
        Block* block = *found;
        idle_.erase(found);
        block->idle = false;
        while (block->capacity > capacity) {
            for (int i = 0; i < 2 && !block->halves[i]; ++i) block->halves[i] = make_half(block, i);
            Block* rest = block->halves[1].get();
            rest->idle = true;
            idle_.insert(std::lower_bound(idle_.begin(), idle_.end(), rest, before), rest);
            block = block->halves[0].get();
        }
        return block;
    }

    Block* make_idle(std::size_t bytes) {
        auto block = make_block();
        block->data = allocate(bytes);
        block->capacity = bytes;
        held_ += bytes;
        insert_idle(block.get());
        return block.release();
    }

    std::unique_ptr<Block> make_half(Block* whole, int i) {
        auto half = make_block();
        half->capacity = whole->capacity / 2;
        half->data = static_cast<char*>(whole->data) + (i == 0 ? 0 : half->capacity);
        half->whole = whole;
        return half;
    }

    // With room for it among the idle ones, so that giving it back needs no memory.
    std::unique_ptr<Block> make_block() {
        idle_.reserve(std::bit_ceil(blocks_ + 1));
        ++blocks_;
        return std::make_unique<Block>();
    }

    static constexpr std::size_t least_half = 65536;

    std::mutex mutex_;
    std::vector<Block*> idle_;  // by capacity, then address
    std::size_t blocks_ = 0;    // made so far
    std::size_t held_ = 0;
    std::size_t in_use_ = 0;
    std::size_t peak_ = 0;
};

/// Memory of the host.
class HostMemoryPool final : public MemoryPool {
public:
    ~HostMemoryPool() override { trim(); }

private:
    void* allocate(std::size_t bytes) override {
        // Large blocks start on a page of 2 MiB, which the kernel may then back with one.
        const std::size_t alignment = bytes >= (std::size_t{4} << 20) ? std::size_t{2} << 20 : 64;
        const std::size_t size = (bytes + alignment - 1) / alignment * alignment;
        void* data = size < bytes ? nullptr : std::aligned_alloc(alignment, size);
        if (!data) fail<BackendError>("out of memory: ", bytes >> 20, " MiB wanted, ", in_use() >> 20,
                                      " MiB in use; lower the batch or the size");
        return data;
    }
    void deallocate(void* data) noexcept override { std::free(data); }
    void touch(void* data, std::size_t bytes) override {
        for (std::size_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(data)[i] = 0;
    }
};

/// Shared ownership of a block; empty by default.
class BlockHandle {
public:
    BlockHandle() = default;
    explicit BlockHandle(MemoryPool::Block* block) : block_(block) {}
    BlockHandle(const BlockHandle& other) : block_(other.block_) {
        if (block_) block_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    BlockHandle(BlockHandle&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    BlockHandle& operator=(BlockHandle other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~BlockHandle() {
        if (block_) release(block_);
    }

    void* data() const { return block_ ? block_->data : nullptr; }
    explicit operator bool() const { return block_ != nullptr; }

private:
    // Out of line: every tensor's end is one of these.
    [[gnu::noinline]] static void release(MemoryPool::Block* block) noexcept {
        if (block->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) MemoryPool::give_back(block);
    }

    MemoryPool::Block* block_ = nullptr;
};

}  // namespace mtdn
