#include <cstdio>
#include <filesystem>

#include <mtdn/io.hpp>

// A picture written and read again, so that the image libraries must be linked.
int main() {
    const auto path = std::filesystem::path("consumer.png");
    auto mask = mtdn::make_array<std::uint8_t>(2, 3);
    mask(1, 2) = 1;
    mtdn::write_mask(path, mask, {});
    const bool same = mtdn::read_mask(path, {}) == mask;
    std::filesystem::remove(path);
    std::printf("mtdn reads what it wrote: %s\n", same ? "yes" : "no");
    return same ? 0 : 1;
}
