#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <mtdn/core/error.hpp>

namespace mtdn {

/// Memory of one device that is kept between uses.
///
/// What is given back is handed out again to the next request of a similar size, so that a steady loop of the same
/// requests neither allocates nor touches a new page. Everything is returned to the system with the last block.
class MemoryPool : public std::enable_shared_from_this<MemoryPool> {
public:
    /// A piece of memory with its count of owners.
    struct Block {
        void* data = nullptr;
        std::size_t capacity = 0;
        std::atomic<int> owners{0};
        std::shared_ptr<MemoryPool> pool;  // set while the block is owned
    };

    MemoryPool() = default;
    MemoryPool(const MemoryPool&) = delete;
    MemoryPool& operator=(const MemoryPool&) = delete;
    virtual ~MemoryPool() = default;

    /// A block of at least `bytes` bytes, aligned to 64, its contents anything, with one owner.
    ///
    /// @throws BackendError if the device has no more
    Block* obtain(std::size_t bytes) {
        const std::size_t wanted = rounded(bytes);
        Block* block = nullptr;
        {
            const std::lock_guard lock(mutex_);
            if (const auto found = free_.find(wanted); found != free_.end() && !found->second.empty()) {
                block = found->second.back();
                found->second.pop_back();
            }
            in_use_ += wanted;
            peak_ = std::max(peak_, in_use_);
        }
        if (!block) {
            auto fresh = std::make_unique<Block>();
            fresh->data = allocate(wanted);
            fresh->capacity = wanted;
            block = fresh.release();
        }
        block->owners.store(1, std::memory_order_relaxed);
        block->pool = shared_from_this();
        return block;
    }

    /// Takes back a block that has lost its last owner.
    static void give_back(Block* block) {
        const auto pool = std::move(block->pool);
        const std::lock_guard lock(pool->mutex_);
        pool->in_use_ -= block->capacity;
        pool->free_[block->capacity].push_back(block);
    }

    /// Bytes in use now, and at most so far.
    std::size_t in_use() const { return in_use_; }
    std::size_t peak() const { return peak_; }

    /// Returns to the device what is not in use.
    void trim() {
        const std::lock_guard lock(mutex_);
        for (auto& [capacity, blocks] : free_) {
            for (Block* block : blocks) {
                deallocate(block->data);
                delete block;
            }
        }
        free_.clear();
    }

protected:
    virtual void* allocate(std::size_t bytes) = 0;
    virtual void deallocate(void* data) noexcept = 0;

private:
    // Eighths of a power of two: at most 12.5 % more than asked for, and few different sizes.
    static std::size_t rounded(std::size_t bytes) {
        std::size_t step = 64;
        while (step * 16 < bytes) step *= 2;
        return std::max<std::size_t>(64, (bytes + step - 1) / step * step);
    }

    std::mutex mutex_;
    std::map<std::size_t, std::vector<Block*>> free_;
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
        if (block_ && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) MemoryPool::give_back(block_);
    }

    void* data() const { return block_ ? block_->data : nullptr; }
    explicit operator bool() const { return block_ != nullptr; }

private:
    MemoryPool::Block* block_ = nullptr;
};

}  // namespace mtdn
