#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <mtdn/backend/memory.hpp>

namespace mtdn::detail::cuda {

/// Memory for work that is recorded: what it hands out lies where nothing else will, until the arena's end.
///
/// Its chunks are blocks of another pool, whatever becomes of its own blocks. Work that never runs at the same time may
/// share an arena.
class ArenaPool final : public MemoryPool {
public:
    /// @param parent  outlives the arena
    explicit ArenaPool(MemoryPool& parent) : MemoryPool(8), parent_(parent) {}

    /// Calls `visit(data, bytes)` for every chunk.
    template <class Visit>
    void each_chunk(Visit&& visit) const {
        for (const auto& [chunk, bytes] : chunks_) visit(chunk.data(), bytes);
    }

private:
    void* allocate(std::size_t bytes) override {
        chunks_.emplace_back(BlockHandle(parent_.obtain(bytes)), bytes);
        return chunks_.back().first.data();
    }
    void deallocate(void*) noexcept override {}

    MemoryPool& parent_;
    std::vector<std::pair<BlockHandle, std::size_t>> chunks_;
};

}  // namespace mtdn::detail::cuda
