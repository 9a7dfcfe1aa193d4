#include <filesystem>
#include <iostream>
#include <memory>

#include "cli.hpp"
#include "masks.hpp"
#include "network.hpp"

#include <mtdn/change/accumulator.hpp>
#include <mtdn/io/image.hpp>
#include <mtdn/io/npy.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/view/change_map.hpp>

namespace {

using mtdn::Index;

void compare(const std::string& model, const std::vector<std::string>& frames, int white,
             const std::string& out, const mtdn::Palette& palette, const Common& common) {
    const auto network = open_network(model, common.machine);
    std::vector<mtdn::Warning> dark;
    const auto first = read_alone(frames[0], white, dark), second = read_alone(frames[1], white, dark);
    print_warnings(dark);
    mtdn::require<mtdn::DataError>(first.shape() == second.shape(), frames[1], ": expected a frame of ",
                                   mtdn::extent(first, 0), " × ", mtdn::extent(first, 1), " pixels like ", frames[0],
                                   ", found ", mtdn::extent(second, 0), " × ", mtdn::extent(second, 1));
    auto both = mtdn::make_array<float>(2, mtdn::extent(first, 0), mtdn::extent(first, 1), 1);
    std::copy_n(first.data(), first.size(), mtdn::frame_data(both, 0));
    std::copy_n(second.data(), second.size(), mtdn::frame_data(both, 1));

    std::filesystem::create_directories(out);
    mtdn::Json json;
    for (const auto& [task, logits] : network->change(both)) {
        auto labels = mtdn::make_array<std::uint8_t>(mtdn::extent(logits, 0), mtdn::extent(logits, 1));
        Index counts[4] = {};
        for (std::size_t i = 0; i < labels.size(); ++i) {
            labels.data()[i] = mtdn::largest_logit(logits.data() + 4 * i);
            ++counts[labels.data()[i]];
        }
        mtdn::write_png(std::filesystem::path(out) / (task + ".png"), mtdn::change_map(labels, palette));
        mtdn::write_npy(std::filesystem::path(out) / (task + ".npy"), logits);
        json[task] = {{"no_change", counts[0]},
                      {"appearing", counts[1]},
                      {"disappearing", counts[2]},
                      {"overlapping", counts[3]}};
    }
    if (common.json) return print_json(json);
    for (const auto& [task, counts] : json.items()) {
        std::cout << task << ':';
        for (const auto& [name, count] : counts.items()) std::cout << "  " << name << ' ' << count.get<Index>();
        std::cout << " px\n";
    }
}

}  // namespace

void add_change(CLI::App& app, Common& common) {
    struct Options {
        std::string model, out, palette;
        std::vector<std::string> frames;
        int white = 0;
    };
    auto options = std::make_shared<Options>();
    auto* command =
        app.add_subcommand("change", "Shows the change between two frames: a map and the logits of every task");
    add_device(*command, common);
    add_precision(*command, common);
    command->add_option("--model", options->model, "Weights (.safetensors)")->required();
    command->add_option("FRAMES", options->frames, "The frame asked about, and its partner")->required()->expected(2);
    command->add_option("--out", options->out, "Folder for <task>.png and <task>.npy, (height, width, 4)")->required();
    add_white(*command, options->white);
    command->footer("Example: mtdn change --model runs/film/best.safetensors first.png last.png --out change");
    add_palette(*command, options->palette);
    command->callback([options, &common] {
        compare(options->model, options->frames, options->white, options->out, mtdn::palette_named(options->palette),
                common);
    });
}
