#include "network.hpp"

#include <iostream>

#include <unistd.h>

#include "cli.hpp"

std::unique_ptr<Network> make_network(const mtdn::ModelDescription& description, const Machine& machine,
                                      std::uint64_t seed) {
    const bool unet = description.backbone == "unet";
    mtdn::require<mtdn::OptionError>(unet || description.backbone == "residual", "no backbone \"",
                                     description.backbone, "\"; expected unet or residual");
    if (machine.device != "cpu") try {
            return unet ? make_unet_cuda(description, machine, seed)
                        : make_residual_cuda(description, machine, seed);
        } catch (const mtdn::BackendError& error) {
            if (machine.device != "auto") throw;
            print_warnings({{std::string("running on the CPU: ") + error.what()}});
        }
    return unet ? make_unet_cpu(description, machine, seed)
                : make_residual_cpu(description, machine, seed);
}

std::unique_ptr<Network> open_network(const std::filesystem::path& file, const Machine& machine) {
    const auto description = mtdn::describe(file);
    print_warnings(description.warnings);
    auto network = make_network(description, machine, 0);
    print_warnings(network->load(file));
    return network;
}

mtdn::SegmentOptions with_progress(const std::string& what) {
    mtdn::SegmentOptions options;
    if (::isatty(STDERR_FILENO))
        options.progress = [what](mtdn::Index done, mtdn::Index total) {
            if (done % 16 == 0 || done == total)
                std::cerr << '\r' << what << "  " << done << '/' << total << "\x1b[K" << (done == total ? "\n" : "");
        };
    return options;
}
