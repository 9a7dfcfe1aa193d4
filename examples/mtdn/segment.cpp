#include <filesystem>
#include <iostream>
#include <memory>

#include "cli.hpp"
#include "inside.hpp"
#include "large.hpp"
#include "masks.hpp"
#include "network.hpp"
#include "watch.hpp"

#include <mtdn/data/film_name.hpp>
#include <mtdn/data/read_dataset.hpp>
#include <mtdn/io/image.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/kinetics/areas.hpp>
#include <mtdn/view/overlay.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;

struct SegmentCommand {
    std::string model, data, frames, watch, name, out, split, palette;
    std::string fusion = "backward";
    mtdn::EnsembleOptions ensemble;
    std::vector<int> polarity;
    int white = 0;
    std::vector<std::string> inside;
    mtdn::Index flips = 1;
    bool overlays = false, uncertainty = false;
    double memory_mib = 0, idle_seconds = 30;
    mtdn::Index tile = 0, overlap = -1;
    bool stacks = false;
};

/// The name of what --frames or --watch reads.
std::string name_of_film(const SegmentCommand& c, const fs::path& path) {
    if (c.name.empty()) return mtdn::film_name(path);
    mtdn::require<mtdn::OptionError>(mtdn::detail::is_plain_name(c.name), "segment: --name is a folder's name, got \"",
                                     c.name, "\"");
    return c.name;
}

/// Where the film lies that a sequence is.
fs::path film_of(const SegmentCommand& c, const mtdn::Sequence& sequence) {
    if (!c.frames.empty()) return mtdn::film_at(c.frames);
    const auto place = fs::path(c.data) / sequence.name;
    return fs::exists(place) ? place : mtdn::film_at(c.data);
}

/// The area that each partner alone gives to each frame, from which `mtdn kinetics` takes its error bars.
void write_areas(const fs::path& file, const mtdn::Sequence& sequence, const mtdn::Segmentation& result,
                 const mtdn::AnyPredictionFusion& fusion) {
    std::vector<std::string> names;
    for (const auto& name : sequence.frame_names) names.push_back(picture_name(name));
    std::vector<std::vector<std::string>> partners(names.size());
    for (Index i = 0; i < sequence.size(); ++i)
        for (const auto& [pair, slot] : fusion.partners(i, sequence.size()))
            partners[static_cast<std::size_t>(i)].push_back(
                names[static_cast<std::size_t>(slot == mtdn::Slot::query ? pair.partner : pair.query)]);
    mtdn::write_csv(file, mtdn::areas_table(result.areas, names, partners));
}

void write_sequence(const SegmentCommand& c, const mtdn::Sequence& sequence, const mtdn::Segmentation& result,
                    const mtdn::AnyPredictionFusion& fusion, mtdn::MaskPolarity polarity) {
    note_film(fs::path(c.out) / sequence.name, film_of(c, sequence));
    write_masks(c.out, sequence, result.masks, polarity);
    if (!result.areas.empty()) write_areas(fs::path(c.out) / sequence.name / "areas.csv", sequence, result, fusion);
    if (c.uncertainty) {
        for (const auto& [task, bits] : result.uncertainty) {
            const fs::path place = fs::path(c.out) / "uncertainty" / sequence.name / task;
            fs::create_directories(place);
            for (Index i = 0; i < sequence.size(); ++i)
                mtdn::write_frame(place / picture_name(sequence.frame_names[static_cast<std::size_t>(i)]),
                                  plane(bits, i));
        }
    }
    if (c.overlays) {
        const mtdn::OverlayOptions options{.palette = mtdn::palette_named(c.palette)};
        const fs::path place = fs::path(c.out) / "overlays" / sequence.name;
        fs::create_directories(place);
        for (Index i = 0; i < sequence.size(); ++i)
            mtdn::write_png(place / picture_name(sequence.frame_names[static_cast<std::size_t>(i)]),
                            mtdn::overlay(sequence.frames, result.masks, i, options));
    }
}

void segment_live(const SegmentCommand& c, const Common& common, const Network& network) {
    mtdn::require<mtdn::OptionError>(!c.overlays && !c.uncertainty, "segment: --watch writes masks alone");
    mtdn::require<mtdn::OptionError>(c.flips == 1 && c.inside.empty(),
                                     "segment: --watch takes neither --flips nor --inside");
    mtdn::require<mtdn::OptionError>(c.tile == 0 && c.split.empty(),
                                     "segment: --watch takes neither --tile nor --split");
    WatchOptions options{.folder = c.watch, .out = c.out, .name = name_of_film(c, c.watch), .fusion = c.fusion};
    options.idle_seconds = c.idle_seconds;
    options.white = c.white;
    if (const auto given = polarity_of(c.polarity)) options.polarity = *given;
    const auto json = watch(options, network);
    if (common.json) return print_json(json);
    std::cout << json["out"].get<std::string>() << ": " << json["frames"] << " frames, " << json["latency_ms"]["median"]
              << " ms from a frame to its masks (median; 95 %: " << json["latency_ms"]["p95"] << "), "
              << json["frames_per_second"] << " frames/s\n";
}

void segment_tiles(const SegmentCommand& c, const Common& common, const Network& network) {
    mtdn::require<mtdn::OptionError>(!c.frames.empty(),
                                     "segment: --tile reads a film frame by frame; expected --frames");
    mtdn::require<mtdn::OptionError>(!c.overlays && !c.uncertainty, "segment: --tile writes masks alone");
    mtdn::require<mtdn::OptionError>(c.flips == 1 && c.inside.empty(),
                                     "segment: --tile takes neither --flips nor --inside");
    LargeOptions options{.film = c.frames, .out = c.out, .name = name_of_film(c, c.frames), .stacks = c.stacks};
    options.white = c.white;
    options.fusion = mtdn::prediction_fusion(c.fusion, c.ensemble);
    options.tiles.tile = c.tile;
    options.tiles.overlap = c.overlap < 0 ? c.tile / 4 : c.overlap;
    if (c.memory_mib > 0) options.tiles.memory = static_cast<std::size_t>(c.memory_mib * 1024 * 1024);
    if (const auto given = polarity_of(c.polarity)) options.polarity = *given;
    const auto json = segment_large(options, network);
    if (common.json) return print_json(json);
    std::cout << json["out"].get<std::string>() << ": " << json["frames"] << " frames in " << json["tiles"]
              << " tiles each, " << json["seconds_per_frame"] << " s a frame, at most " << json["peak_mib"]
              << " MiB in memory\n";
}

void segment(const SegmentCommand& c, const Common& common) {
    mtdn::require<mtdn::OptionError>(!c.data.empty() + !c.frames.empty() + !c.watch.empty() == 1,
                                     "segment: give one of --data, --frames and --watch");
    mtdn::require<mtdn::OptionError>(c.name.empty() || c.data.empty(),
                                     "segment: sequences of --data have names; --name is of "
                                     "--frames or --watch");
    mtdn::require<mtdn::OptionError>(c.white == 0 || c.data.empty(),
                                     "segment: --white is of --frames or --watch; --data has it in dataset.json");
    const auto network = open_network(c.model, common.machine);
    if (!c.watch.empty()) return segment_live(c, common, *network);
    if (c.tile > 0) return segment_tiles(c, common, *network);
    const auto fusion = mtdn::prediction_fusion(c.fusion, c.ensemble);
    const auto inside = nested(c.inside, network->tasks());
    if (c.uncertainty && network->compares_frames() && c.fusion != "ensemble" && c.flips == 1)
        print_warnings(
            {{std::string("--uncertainty: one comparison a frame is one vote, and sure everywhere; take --fusion "
                          "ensemble or --flips")}});
    mtdn::MaskPolarity polarity;
    std::vector<mtdn::Sequence> sequences;
    if (!c.frames.empty()) {
        sequences.push_back(mtdn::read_frames(c.frames, std::nullopt, c.white));
        print_warnings(sequences.back().warnings);
        sequences.back().name = name_of_film(c, c.frames);
    } else {
        const auto data = mtdn::read_dataset(c.data);
        print_warnings(data.warnings());
        polarity = mtdn::polarity_of(data);
        for (const auto& sequence : data.sequences())
            if (c.split.empty() || c.split == mtdn::name_of(sequence.split)) sequences.push_back(sequence);
        mtdn::require<mtdn::DataError>(!sequences.empty(), c.data, ": no sequence in split ", c.split);
    }
    if (const auto given = polarity_of(c.polarity)) polarity = *given;
    for (const auto& sequence : sequences)
        require_own_folder(fs::path(c.out) / sequence.name, film_of(c, sequence), network->tasks());

    mtdn::Json json = mtdn::Json::object();
    for (const auto& sequence : sequences) {
        auto options = with_progress(sequence.name);
        options.memory = static_cast<std::size_t>(c.memory_mib * 1024 * 1024);
        options.flips = c.flips;
        auto result = network->segment(sequence.frames, fusion, options);
        keep_inside(inside, result);
        write_sequence(c, sequence, result, fusion, polarity);
        auto& of_sequence = json[sequence.name];
        of_sequence["frames"] = sequence.size();
        of_sequence["backbone_passes"] = result.passes;
        for (const auto& [task, masks] : result.masks) {
            auto& areas = of_sequence["area_px"][task] = mtdn::Json::array();
            for (Index i = 0; i < sequence.size(); ++i) {
                const auto* mask = mtdn::frame_data(masks, i);
                areas.push_back(std::count(mask, mask + sequence.height() * sequence.width(), std::uint8_t{1}));
            }
        }
        if (result.passes > c.flips * sequence.size())
            std::cerr << sequence.name << ": features of " << sequence.size() << " frames did not fit: "
                      << result.passes << " backbone passes\n";
        if (!common.json)
            std::cout << c.out << '/' << sequence.name << ": " << sequence.size() << " frames, "
                      << result.masks.size() << " tasks\n";
    }
    if (common.json) print_json(json);
}

}  // namespace

void add_segment(CLI::App& app, Common& common) {
    auto c = std::make_shared<SegmentCommand>();
    auto* command = app.add_subcommand("segment", "Segments sequences, labelled or not");
    add_device(*command, common);
    add_precision(*command, common);
    command->add_option("--model", c->model, "Weights (.safetensors)")->required();
    command->add_option("--data", c->data, "Folder of a dataset");
    command->add_option("--frames", c->frames, "Folder of frames, or a TIFF file of several pages");
    command->add_option("--watch", c->watch,
                        "Folder into which frames are being written: segments each as it comes, with "
                        "--fusion forward or consecutive, until none comes any more");
    command
        ->add_option("--idle", c->idle_seconds,
                     "Seconds without a frame after which --watch ends, and after which a frame "
                     "that cannot be read yet is left out")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--name", c->name,
                        "The film's name in --out; else that of its folder or file, or of the folder above "
                        "where the folder is called frames or images");
    auto* tile = command
                     ->add_option("--tile", c->tile,
                                  "Cuts the frames of --frames into tiles of so many pixels, a multiple of the "
                                  "network's 2^depth, and reads them one at a time")
                     ->check(CLI::PositiveNumber);
    command
        ->add_option("--overlap", c->overlap,
                     "Pixels that neighbouring tiles share; a quarter of the tile, if not given")
        ->check(CLI::NonNegativeNumber)
        ->needs(tile);
    command->add_flag("--stacks", c->stacks, "Writes <film>/<task>.tif, a page a frame, instead of a picture each")
        ->needs(tile);
    command->add_option("--split", c->split, "Only this split of the dataset")
        ->check(CLI::IsMember({"train", "validation", "test"}));
    auto* fusion =
        command->add_option("--fusion", c->fusion, "Frames that each frame is compared with; forward with --watch")
            ->check(CLI::IsMember({"backward", "forward", "consecutive", "ensemble"}))
            ->capture_default_str();
    command->add_flag("--soft", c->ensemble.soft, "Ensemble: averages probabilities instead of votes");
    command->add_flag("--both-slots", c->ensemble.both_slots, "Ensemble: compares both ways round");
    command->add_option("--out", c->out, "Folder for <sequence>/<task>/<frame name> and <sequence>/areas.csv; another "
                                         "film's masks are not overwritten")->required();
    command->add_option("--flips", c->flips, flips_help)->check(CLI::IsMember({1, 4, 8}))->capture_default_str();
    command->add_option("--inside", c->inside, inside_help)->delimiter(',');
    add_white(*command, c->white);
    add_polarity(*command, c->polarity, "Polarity of the masks written, if not the dataset's or 255,0");
    command->add_flag("--overlays", c->overlays, "Writes overlays/<sequence>/<frame name>, too");
    add_palette(*command, c->palette);
    command->add_flag("--uncertainty", c->uncertainty,
                      "Writes uncertainty/<sequence>/<task>/<frame name>, too (white: 1 bit)");
    command
        ->add_option("--memory", c->memory_mib, "MiB that features may take; 0: half of what is free, 256 for --tile")
        ->check(CLI::NonNegativeNumber);
    command->footer("Example: mtdn segment --model runs/film/best.safetensors --frames film/s5/frames --out masks");
    command->callback([c, fusion, &common] {
        if (!c->watch.empty() && fusion->count() == 0) c->fusion = "forward";
        segment(*c, common);
    });
}
