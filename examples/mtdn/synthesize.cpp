#include <iostream>
#include <memory>

#include "cli.hpp"

#include <mtdn/data/synthetic.hpp>
#include <mtdn/data/write_dataset.hpp>

void add_synthesize(CLI::App& app, Common& common) {
    struct Options {
        std::string out;
        mtdn::SyntheticOptions film;
    };
    auto options = std::make_shared<Options>();
    auto* command = app.add_subcommand("synthesize", "Makes films of gasifying hollow filaments with exact masks");
    command->add_option("OUT", options->out, "Folder to make; must not exist, or be empty")->required();
    command->add_option("--sequences", options->film.sequences, "Filaments")->capture_default_str();
    command->add_option("--frames", options->film.frames, "Frames of each")->capture_default_str();
    command->add_option("--size", options->film.size, "Side of a frame in pixels")->capture_default_str();
    command->add_option("--bend", options->film.bend, "Scale of the tubes' bend; 0: straight")->capture_default_str();
    command->add_option("--taper", options->film.taper, "Relative difference of the radii from end to end")
        ->capture_default_str();
    command->footer("Example: mtdn synthesize film --sequences 8 --frames 24 --size 128 --seed 1");
    command->callback([options, &common] {
        options->film.seed = common.seed;
        const auto film = mtdn::synthesize(options->film);
        mtdn::write_dataset(options->out, film);
        print_warnings(film.warnings());
        mtdn::Index frames = 0;
        for (const auto& sequence : film.all()) frames += sequence.size();
        if (common.json)
            print_json({{"out", options->out}, {"sequences", film.sequences().size()}, {"frames", frames}});
        else
            std::cout << options->out << ": " << film.sequences().size() << " sequences, " << frames << " frames\n";
    });
}
