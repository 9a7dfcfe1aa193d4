#include <filesystem>
#include <iostream>
#include <memory>

#include "cli.hpp"
#include "network.hpp"

namespace {

void convert(const std::string& model, const std::string& out, bool half, bool grey, const Common& common) {
    auto description = mtdn::describe(model);
    print_warnings(description.warnings);
    mtdn::require<mtdn::DataError>(!grey || description.in_channels == 1 || description.in_channels == 3, model,
                                   ": --grey: expected a model of 3 input channels, found ", description.in_channels);
    if (grey) description.in_channels = 1;
    const auto network = make_network(description, common.machine, 0);
    print_warnings(network->load(model));
    network->save(out, half);
    const auto bytes = std::filesystem::file_size(out);
    if (common.json) return print_json({{"file", out}, {"bytes", bytes}, {"parameters", network->parameter_count()}});
    std::cout << out << ": " << network->parameter_count() << " parameters, " << bytes << " bytes\n";
}

}  // namespace

void add_convert(CLI::App& app, Common& common) {
    struct Options {
        std::string model, out;
        bool half = false, grey = false;
    };
    auto options = std::make_shared<Options>();
    auto* command = app.add_subcommand(
        "convert", "Writes a model's weights again: smaller, for grey frames, or with a description");
    command->add_option("--model", options->model, "Weights (.safetensors)")->required();
    command->add_option("--out", options->out, "File to write")->required();
    command->add_flag("--half", options->half, "Convolutions' weights in half precision, half the bytes");
    command->add_flag("--grey", options->grey,
                      "One input channel in place of three copies of a grey frame; the same function");
    command->footer("Example: mtdn convert --model runs/film/best.safetensors --out film.safetensors --half --grey");
    command->callback([options, &common] {
        convert(options->model, options->out, options->half, options->grey, common);
    });
}
