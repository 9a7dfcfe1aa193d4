// mtdn overlay: masks from anywhere over their frames, as an animation and as a strip.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "cli.hpp"
#include "pictures.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/read_predictions.hpp>
#include <mtdn/io/apng.hpp>
#include <mtdn/io/csv.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;

struct OverlayCommand {
    std::string frames, data, sequence, animation, strip, palette;
    std::vector<std::string> masks, labels;
    std::vector<int> polarity;
    int white = 0;
    std::optional<double> threshold, interval;
    mtdn::OverlayOptions overlay;
    mtdn::AnimationOptions play;
    Index columns = 6, scale = 1;
};

/// What is looked at, and the masks that are laid over it, one after the other.
struct Film {
    mtdn::Sequence sequence;
    std::vector<LabelledMasks> masks;
    std::vector<std::string> times;  ///< one a frame, equally long
};

Film read_film(const OverlayCommand& c) {
    Film film;
    mtdn::MaskPolarity polarity;
    if (!c.frames.empty()) {
        film.sequence = mtdn::read_frames(c.frames, std::nullopt, c.white);
        print_warnings(film.sequence.warnings);
    } else {
        const auto data = mtdn::read_dataset(c.data);
        print_warnings(data.warnings());
        polarity = mtdn::polarity_of(data);
        const auto& all = data.sequences();
        const auto found = std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.name == c.sequence; });
        mtdn::require<mtdn::DataError>(found != all.end(), c.data, ": there is no sequence \"", c.sequence, "\"");
        film.sequence = *found;
        if (!found->masks.empty()) film.masks.push_back({"truth", found->masks});
    }
    if (const auto given = polarity_of(c.polarity)) polarity = *given;
    for (std::size_t k = 0; k < c.masks.size(); ++k)
        film.masks.push_back({c.labels.empty() ? c.masks[k] : c.labels[k],
                              mtdn::read_masks(c.masks[k], film.sequence, polarity, c.threshold)});
    if (film.masks.empty()) film.masks.push_back({"frame", {}});

    std::size_t longest = 0;
    for (Index i = 0; i < film.sequence.size(); ++i) {
        const double time =
            c.interval ? *c.interval * static_cast<double>(i) : film.sequence.seconds[static_cast<std::size_t>(i)];
        const bool known = c.interval || film.sequence.time_source == mtdn::TimeSource::given;
        film.times.push_back(mtdn::concatenate(time, known ? " s" : ""));
        longest = std::max(longest, film.times.back().size());
    }
    for (auto& time : film.times) time.resize(longest, ' ');
    return film;
}

/// Frames with their times below, a row for each set of masks.
mtdn::Picture strip(const OverlayCommand& c, const Film& film) {
    const auto shown = mtdn::sheet_frames(film.sequence.size(), c.columns);
    std::vector<std::string> columns;
    for (const Index i : shown) columns.push_back(film.times[static_cast<std::size_t>(i)]);
    std::vector<mtdn::SheetRow> rows;
    for (const auto& [label, masks] : film.masks) {
        rows.push_back(overlay_row(film.masks.size() > 1 ? label : "", film.sequence.frames, masks, shown, c.overlay));
        for (auto& picture : rows.back().pictures) picture = mtdn::enlarged(picture, c.scale);
    }
    return mtdn::contact_sheet(columns, rows, {.below = true});
}

/// One frame with every set of masks, side by side, and its time.
mtdn::Picture still(const OverlayCommand& c, const Film& film, Index frame) {
    std::vector<std::string> columns;
    mtdn::SheetRow row;
    for (const auto& [label, masks] : film.masks) {
        columns.push_back(film.masks.size() > 1 ? label : "");
        row.pictures.push_back(mtdn::enlarged(mtdn::overlay(film.sequence.frames, masks, frame, c.overlay), c.scale));
    }
    columns[0] = film.times[static_cast<std::size_t>(frame)] + (columns[0].empty() ? "" : "  " + columns[0]);
    return mtdn::contact_sheet(columns, {row}, {.below = true});
}

void overlay(OverlayCommand c, const Common& common) {
    using mtdn::OptionError;
    mtdn::require<OptionError>(c.frames.empty() != c.data.empty(), "overlay: give either --frames or --data");
    mtdn::require<OptionError>(c.data.empty() == c.sequence.empty(), "overlay: --data and --sequence belong together");
    mtdn::require<OptionError>(c.white == 0 || c.data.empty(),
                               "overlay: --white is of --frames; --data has it in dataset.json");
    mtdn::require<OptionError>(!c.animation.empty() || !c.strip.empty(), "overlay: give --animation, --strip or both");
    mtdn::require<OptionError>(c.labels.empty() || c.labels.size() == c.masks.size(), "overlay: ", c.labels.size(),
                               " --labels for ", c.masks.size(), " folders of --masks");
    c.overlay.palette = mtdn::palette_named(c.palette);
    const auto film = read_film(c);
    const Index frames = film.sequence.size();
    if (!c.strip.empty()) mtdn::write_png(c.strip, strip(c, film));
    if (!c.animation.empty()) {
        mtdn::ApngWriter writer(c.animation, frames, c.play);
        for (Index i = 0; i < frames; ++i) writer.add(still(c, film, i));
        writer.commit();
    }
    if (common.json) return print_json({{"frames", frames}, {"animation", c.animation}, {"strip", c.strip}});
    for (const auto& file : {c.animation, c.strip})
        if (!file.empty()) std::cout << file << '\n';
}

}  // namespace

void add_overlay(CLI::App& app, Common& common) {
    auto c = std::make_shared<OverlayCommand>();
    auto* command = app.add_subcommand("overlay", "Lays masks from anywhere over their frames: an animation, a strip");
    command->add_option("--frames", c->frames, "Folder of frames, or a TIFF file of several pages");
    command->add_option("--data", c->data, "Folder of a dataset, whose own masks come first");
    command->add_option("--sequence", c->sequence, "The dataset's sequence");
    command->add_option("--masks", c->masks, "Folders of masks, <task>/<frame name>; several are shown side by side");
    command->add_option("--labels", c->labels, "What these folders are called, separated by commas")->delimiter(',');
    command->add_option("--animation", c->animation, "Animated PNG of all frames");
    command->add_option("--strip", c->strip, "PNG of some frames, early to late, their times or numbers below");
    command->add_option("--columns", c->columns, "Frames of the strip")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--seconds", c->play.seconds, "That the animation shows each frame")->capture_default_str();
    command
        ->add_option("--interval", c->interval,
                     "Seconds between frames, for the times below; otherwise the dataset's times, or the numbers "
                     "in the frames' names")
        ->check(CLI::PositiveNumber);
    command->add_option("--scale", c->scale, "Pixels of the picture for one of the frame, each way")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    command->add_option("--opacity", c->overlay.opacity, "Of the colours over the frame")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    add_white(*command, c->white);
    add_palette(*command, c->palette);
    add_polarity(*command, c->polarity, "Polarity of the masks, if not the dataset's or 255,0");
    command->add_option("--threshold", c->threshold,
                        "Takes any grey value, from 0 to 255: nearer to feature from here on");
    command->footer("Example: mtdn overlay --data film --sequence s4 --masks masks/s4 --animation s4.png");
    command->callback([c, &common] { overlay(*c, common); });
}
