// mtdn: segments films by change detection. One file a command.

#include "cli.hpp"

#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include <mtdn/version.hpp>
#include <mtdn/view/palette.hpp>

void print_warnings(const std::vector<mtdn::Warning>& warnings) {
    for (const auto& warning : warnings) std::cerr << "warning: " << warning.message << '\n';
}

void print_json(const mtdn::Json& json) { std::cout << mtdn::json_text(json) << '\n'; }

void add_device(CLI::App& command, Common& common) {
    command.add_option("--device", common.machine.device, "cpu; cuda, an NVIDIA GPU; auto, a GPU where there is one")
        ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
        ->capture_default_str();
}

void add_precision(CLI::App& command, Common& common) {
    command.add_option("--precision", common.machine.precision, precision_help)
        ->check(CLI::IsMember({"single", "bf16", "tf32", "tf32x3"}))
        ->capture_default_str();
}

void add_palette(CLI::App& command, std::string& palette) {
    command.add_option("--palette", palette, "Colours: paper; okabe-ito, which differ for every kind of colour vision")
        ->check(CLI::IsMember(std::vector<std::string>(mtdn::palette_names.begin(), mtdn::palette_names.end())))
        ->default_str(palette = "paper");
}

void add_polarity(CLI::App& command, std::vector<int>& polarity, const std::string& what) {
    command.add_option("--polarity", polarity, what + ": values of feature and background, such as 255,0")
        ->delimiter(',')
        ->expected(2)
        ->check(CLI::Range(0, 255));
}

void add_white(CLI::App& command, int& white) {
    command
        .add_option("--white", white,
                    "Count that is white in frames of 16 bits, as 4095 of a camera of 12 bits; 65535 if not given")
        ->check(CLI::Range(1, 65535));
}

std::optional<mtdn::MaskPolarity> polarity_of(const std::vector<int>& values) {
    if (values.empty()) return std::nullopt;
    return mtdn::MaskPolarity{static_cast<std::uint8_t>(values[0]), static_cast<std::uint8_t>(values[1])};
}

int main(int argc, char** argv) {
    CLI::App app{"mtdn segments sequences of frames by change detection between pairs of them."};
    app.set_version_flag("--version", std::string(mtdn::version));
    app.require_subcommand(1);
    Common common;
    add_synthesize(app, common);
    add_info(app, common);
    add_train(app, common);
    add_convert(app, common);
    add_cut(app, common);
    add_segment(app, common);
    add_change(app, common);
    add_evaluate(app, common);
    add_score(app, common);
    add_reproduce(app, common);
    add_tune(app, common);
    add_kinetics(app, common);
    add_overlay(app, common);
    add_plot(app, common);
    for (auto* command : app.get_subcommands({})) {
        command->add_option("--threads", common.machine.threads, "Threads; 0: one for each processor")
            ->check(CLI::NonNegativeNumber);
        command->add_option("--seed", common.seed, "Seed of all that is random");
        command->add_flag("--json", common.json, "Figures as JSON, alone on standard output");
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const mtdn::OptionError& error) {
        std::cerr << "mtdn: " << error.what() << '\n';
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "mtdn: " << error.what() << '\n';
        return 1;
    }
    return std::cout.flush() ? 0 : 1;
}
