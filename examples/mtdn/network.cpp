#include "network.hpp"

#include <iostream>

#include <unistd.h>

#include "cli.hpp"

std::unique_ptr<Network> make_network(const mtdn::ModelDescription& description, const Computing& computing,
                                      std::uint64_t seed) {
    mtdn::require<mtdn::OptionError>(description.is_siamese(), "this is a single-frame model; expected a Siamese one");
    if (description.backbone == "unet") return make_unet_cpu(description, computing, seed);
    if (description.backbone == "residual") return make_residual_cpu(description, computing, seed);
    mtdn::fail<mtdn::OptionError>("no backbone \"", description.backbone, "\"; expected unet or residual");
}

std::unique_ptr<Network> open_network(const std::filesystem::path& file, const Computing& computing) {
    const auto description = mtdn::describe(file);
    print_warnings(description.warnings);
    auto network = make_network(description, computing, 0);
    print_warnings(network->load(file));
    return network;
}

mtdn::SegmentOptions with_progress(const std::string& what) {
    mtdn::SegmentOptions options;
    if (::isatty(STDERR_FILENO))
        options.progress = [what](mtdn::Index done, mtdn::Index total) {
            if (done % 16 == 0 || done == total)
                std::cerr << '\r' << what << "  " << done << '/' << total << " pairs\x1b[K" << (done == total ? "\n" : "");
        };
    return options;
}
