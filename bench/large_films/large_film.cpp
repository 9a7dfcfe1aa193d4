// A large film with known masks, and how its segmentation by tiles fares at the tiles' seams.
//
//   large_film make FOLDER [FRAMES [SIDE]]        film.tif, A1.tif, A2.tif: 200 pages of 4096 × 4096 unless given
//   mtdn segment --model MODEL --frames FOLDER/film.tif --tile 512 --overlap 128 --stacks --out FOLDER/masks --json
//   large_film score FOLDER FOLDER/masks/film TILE OVERLAP
//
// The film is a mosaic of synthetic filaments, 104 px each: sixteen different ones, each flipped and turned in up to
// eight ways. Where two of them meet, the film shows edges that no training film has; scores leave out what is within
// 12 px of such a joint, so that a seam that falls on one is not blamed, or praised, for it.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <mtdn/io.hpp>

namespace {

using mtdn::Index;

constexpr Index cell = 104, filaments = 16, joint = 12, band = 16;

// Which filament a cell of the mosaic shows, and which way round.
std::pair<Index, Index> shown(Index row, Index column) {
    mtdn::Random random(1, "mosaic", static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(column));
    const Index filament = random.below(filaments), turn = random.below(8);
    return {filament, turn};
}

bool at_joint(Index at) { return at % cell < joint || at % cell >= cell - joint; }

void make(const std::filesystem::path& folder, Index frames, Index side) {
    const auto films = mtdn::synthesize({.sequences = filaments, .frames = frames, .size = cell});
    std::filesystem::create_directories(folder);
    mtdn::TiffWriter film(folder / "film.tif"), outer(folder / "A1.tif"), core(folder / "A2.tif");
    auto page = mtdn::make_array<std::uint8_t>(side, side);
    const auto write = [&](mtdn::TiffWriter& stack, auto value) {
        for (Index row = 0; row * cell < side; ++row)
            for (Index column = 0; column * cell < side; ++column) {
                const auto [filament, turn] = shown(row, column);
                const auto& sequence = films.sequences()[static_cast<std::size_t>(filament)];
                for (Index y = 0; y < std::min(cell, side - row * cell); ++y)
                    for (Index x = 0; x < std::min(cell, side - column * cell); ++x) {
                        const Index v = turn & 1 ? cell - 1 - y : y, u = turn & 2 ? cell - 1 - x : x;
                        page(row * cell + y, column * cell + x) =
                            value(sequence, turn & 4 ? u * cell + v : v * cell + u);
                    }
            }
        stack.write(page);
    };
    for (Index i = 0; i < frames; ++i) {
        write(film, [i](const mtdn::Sequence& s, Index at) {
            return static_cast<std::uint8_t>(std::lround(255 * mtdn::frame_data(s.frames, i)[at]));
        });
        for (auto* stack : {&outer, &core}) {
            const std::string task = stack == &outer ? "A1" : "A2";
            write(*stack, [&](const mtdn::Sequence& s, Index at) {
                return static_cast<std::uint8_t>(255 * mtdn::frame_data(s.masks.at(task), i)[at]);
            });
        }
    }
    for (auto* stack : {&film, &outer, &core}) stack->commit();
}

// F1 of the feature within `band` px of a seam, and elsewhere.
void score(const std::filesystem::path& truth, const std::filesystem::path& masks, const mtdn::TileOptions& tiles) {
    for (const std::string task : {"A1", "A2"}) {
        mtdn::TiffReader expected(truth / (task + ".tif")), found(masks / (task + ".tif"));
        mtdn::require<mtdn::DataError>(found.pages() <= expected.pages(), (masks / (task + ".tif")).string(), ": ",
                                       found.pages(), " pages, expected at most ", expected.pages());
        double hits[2]{}, wrong[2]{}, pixels[2]{};
        for (Index i = 0; i < found.pages(); ++i) {
            const auto a = mtdn::to_mask(expected.read(i), {}, {}, task),
                       b = mtdn::to_mask(found.read(i), {}, {}, task);
            const auto near = [&](std::size_t dimension) {
                const Index length = mtdn::extent(a, dimension);
                std::vector<char> is_near(static_cast<std::size_t>(length));
                const mtdn::TileAxis axis(length, tiles, 16);
                for (Index k = 0; k + 1 < axis.count(); ++k)
                    for (Index at = axis.seam(k) - band; at < axis.seam(k) + band; ++at)
                        is_near[static_cast<std::size_t>(at)] = 1;
                return is_near;
            };
            const auto rows = near(0), columns = near(1);
            for (std::size_t y = 0; y < rows.size(); ++y)
                for (std::size_t x = 0; x < columns.size(); ++x) {
                    if (at_joint(static_cast<Index>(y)) || at_joint(static_cast<Index>(x))) continue;
                    const int where = rows[y] || columns[x] ? 0 : 1;
                    ++pixels[where];
                    hits[where] += a(y, x) && b(y, x);
                    wrong[where] += a(y, x) != b(y, x);
                }
        }
        for (const int where : {0, 1})
            std::cout << task << (where == 0 ? "  within " : "  beyond ") << band << " px of a seam: feature F1 "
                      << 2 * hits[where] / (2 * hits[where] + wrong[where]) << ", "
                      << 100 * pixels[where] / (pixels[0] + pixels[1]) << " % of the pixels counted\n";
    }
}

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto number = [&](std::size_t i, Index missing) { return words.size() > i ? std::stol(words[i]) : missing; };
    if (words.size() >= 2 && words[0] == "make") return make(words[1], number(2, 200), number(3, 4096)), 0;
    if (words.size() == 5 && words[0] == "score")
        return score(words[1], words[2], {.tile = number(3, 0), .overlap = number(4, 0)}), 0;
    std::cerr << "large_film make FOLDER [FRAMES [SIDE]]\nlarge_film score FOLDER MASKS TILE OVERLAP\n";
    return 2;
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
