#include <iostream>
#include <memory>

#include <unistd.h>

#include "cli.hpp"

#include <mtdn/data/regions.hpp>

void add_cut(CLI::App& app, Common& common) {
    struct Options {
        std::string frames, regions, out;
        int white = 0;
    };
    auto options = std::make_shared<Options>();
    auto* command =
        app.add_subcommand("cut", "Cuts regions out of a film of any length: a dataset, one sequence a region");
    command->add_option("--frames", options->frames, "Folder of frames, or a TIFF file of several pages")->required();
    command->add_option("--regions", options->regions,
                        "CSV file: name,x,y,width,height in pixels from the upper left corner and, where wanted, "
                        "outline (\"x y x y …\", a polygon; what is outside is filled) and fill (grey value; 178)")
        ->required();
    command->add_option("--out", options->out, "Folder to make; must not exist, or be empty")->required();
    add_white(*command, options->white);
    command->footer("Example: mtdn cut --frames film.tif --regions regions.csv --out film");
    command->callback([options, &common] {
        mtdn::FrameReader film(options->frames, options->white);
        print_warnings(film.warnings());
        const auto regions = mtdn::read_regions(options->regions, film.frame_size());
        mtdn::cut_regions(film, regions, options->out, [&](mtdn::Index done) {
            if (::isatty(STDERR_FILENO))
                std::cerr << '\r' << film.name() << "  " << done << '/' << film.size() << "\x1b[K"
                          << (done == film.size() ? "\n" : "");
        });
        if (common.json)
            print_json({{"out", options->out}, {"sequences", regions.size()}, {"frames", film.size()}});
        else
            std::cout << options->out << ": " << regions.size() << " sequences of " << film.size() << " frames\n";
    });
}
