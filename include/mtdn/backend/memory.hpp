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
/// What is given back is handed out again, so that a steady loop of the same requests neither allocates nor touches a
/// new page, and a loop of changing ones soon does not either. A request gets the smallest idle block that is large
/// enough, cut to its size; idle neighbours become one again. (Blocks below 64 KiB are kept apart, by powers of two:
/// they would cut up the others.) Memory is taken from the system in ever larger chunks, whose pages come when they are
/// touched; in smaller ones where there is no more. Everything is returned to the system with the last block.
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
        Block* before = nullptr;  // its neighbours in the chunk
        Block* after = nullptr;
    };

    /// @param share  a chunk is at least what is held already, divided by this
    explicit MemoryPool(std::size_t share = 1) : share_(share) {}
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
            make_chunk(capacity);
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
        pool->return_block(block);
    }

    /// Bytes asked for and in use now, and at most so far.
    std::size_t in_use() const { return in_use_; }
    std::size_t peak() const { return peak_; }
    /// Bytes taken from the device, touched or not.
    std::size_t held() const { return held_; }

    /// Returns to the device the chunks of which nothing is in use.
    void trim() {
        const std::lock_guard lock(mutex_);
        return_chunks();
    }

protected:
    virtual void* allocate(std::size_t bytes) = 0;
    virtual void deallocate(void* data) noexcept = 0;
    /// Writes to every page, where pages come when they are written to.
    virtual void touch(void*, std::size_t) {}

private:
    static constexpr std::size_t large = 65536;
    static constexpr std::size_t least_chunk = 64 << 20;  // of large blocks

    // A chunk with room for a block.
    void make_chunk(std::size_t capacity) {
        const bool alone = capacity < large || capacity > SIZE_MAX / 2;
        const std::size_t chunk = alone ? capacity : std::max({capacity, held_ / share_, least_chunk});
        try {
            make_idle(chunk);
        } catch (const BackendError&) {
            return_chunks();
            make_idle(capacity);
        }
    }

    void return_chunks() {
        std::erase_if(idle_, [&](Block* block) {
            if (block->before || block->after) return false;
            deallocate(block->data);
            held_ -= block->capacity;
            recycle(block);
            return true;
        });
    }

    static std::size_t rounded(std::size_t bytes) {
        if (bytes > SIZE_MAX / 2) return bytes;
        return bytes < large ? std::bit_ceil(std::max<std::size_t>(bytes, 64)) : (bytes + 4095) / 4096 * 4096;
    }

    // Of equal blocks the first in memory is taken, so that a loop finds the same ones each time.
    static bool comes_before(const Block* a, const Block* b) {
        return a->capacity != b->capacity ? a->capacity < b->capacity : std::less<void*>{}(a->data, b->data);
    }

    void insert_idle(Block* block) {
        block->idle = true;
        idle_.insert(std::lower_bound(idle_.begin(), idle_.end(), block, comes_before), block);
    }

    void erase_idle(Block* block) {
        block->idle = false;
        idle_.erase(std::lower_bound(idle_.begin(), idle_.end(), block, comes_before));
    }

    // Takes a block back among the idle ones, as one with its idle neighbours.
    void return_block(Block* block) {
        if (block->after && block->after->idle) {
            erase_idle(block->after);
            absorb_next(block);
        }
        if (block->before && block->before->idle) {
            block = block->before;
            erase_idle(block);
            absorb_next(block);
        }
        insert_idle(block);
    }

    void absorb_next(Block* block) {
        Block* next = block->after;
        block->capacity += next->capacity;
        block->after = next->after;
        if (next->after) next->after->before = block;
        recycle(next);
    }

    std::vector<Block*>::iterator find_idle(std::size_t capacity) {
        const auto found = std::partition_point(idle_.begin(), idle_.end(),
                                                [=](const Block* block) { return block->capacity < capacity; });
        const bool fits = found != idle_.end() && (capacity >= large || (*found)->capacity == capacity);
        return fits ? found : idle_.end();
    }

    Block* take_idle(std::size_t capacity) {
        const auto found = find_idle(capacity);
        if (found == idle_.end()) return nullptr;
        Block* block = *found;
        erase_idle(block);
        if (block->capacity - capacity >= large) {
            Block* rest = new_block();
            rest->data = static_cast<char*>(block->data) + capacity;
            rest->capacity = block->capacity - capacity;
            rest->before = block;
            rest->after = std::exchange(block->after, rest);
            if (rest->after) rest->after->before = rest;
            block->capacity = capacity;
            insert_idle(rest);
        }
        return block;
    }

    Block* make_idle(std::size_t bytes) {
        Block* block = new_block();
        try {
            block->data = allocate(bytes);
        } catch (...) {
            recycle(block);
            throw;
        }
        block->capacity = bytes;
        held_ += bytes;
        insert_idle(block);
        return block;
    }

    // With room for it among the idle ones, so that giving it back needs no memory.
    Block* new_block() {
        if (spare_.empty()) {
            constexpr std::size_t some = 64;
            blocks_.push_back(std::make_unique<Block[]>(some));
            idle_.reserve(blocks_.size() * some);
            spare_.reserve(blocks_.size() * some);
            for (std::size_t i = some; i > 0; --i) spare_.push_back(&blocks_.back()[i - 1]);
        }
        Block* block = spare_.back();
        spare_.pop_back();
        return block;
    }

    void recycle(Block* block) {
        block->before = block->after = nullptr;
        spare_.push_back(block);
    }

    std::size_t share_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Block[]>> blocks_;
    std::vector<Block*> spare_;  // that stand for no memory now
    std::vector<Block*> idle_;   // by capacity, then address
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
        // Large chunks start on a page of 2 MiB, which the kernel may then back with one.
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
    /// Whether nobody else owns the block.
    bool alone() const { return block_ && block_->owners.load(std::memory_order_acquire) == 1; }

private:
    // Out of line: every tensor's end is one of these.
    [[gnu::noinline]] static void release(MemoryPool::Block* block) noexcept {
        if (block->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) MemoryPool::give_back(block);
    }

    MemoryPool::Block* block_ = nullptr;
};

}  // namespace mtdn
