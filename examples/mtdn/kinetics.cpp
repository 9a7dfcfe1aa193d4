#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <sstream>

#include "cli.hpp"
#include "times.hpp"

#include <mtdn/data/read_dataset.hpp>
#include <mtdn/data/read_predictions.hpp>
#include <mtdn/io/csv.hpp>
#include <mtdn/io/png.hpp>
#include <mtdn/kinetics/files.hpp>
#include <mtdn/kinetics/fit.hpp>
#include <mtdn/kinetics/kinetics.hpp>
#include <mtdn/view/plot.hpp>

namespace {

namespace fs = std::filesystem;
using mtdn::Index;

struct KineticsCommand {
    std::string data, masks, prediction, out, split, calibrate;
    std::string length = "measured", onset = "first", palette;
    std::vector<std::string> tasks{"A1", "A2"}, laws;
    std::vector<int> polarity;
    std::optional<double> threshold, pixel_size_nm, interval;
    mtdn::KineticsOptions kinetics;
    mtdn::FitOptions fit;
    bool weighted = false;
};

/// One filament as it was measured, and what is known of it besides.
struct Filament {
    const mtdn::Sequence* sequence;
    mtdn::FilamentKinetics kinetics;
    std::vector<double> truth{};  // volumes, px³
    std::vector<mtdn::RateFit> fits{}, true_fits{};
    std::vector<std::string> not_fitted{}, truth_not_fitted{};
};

/// The number that a text is, if it is one.
std::optional<double> number_in(const std::string& text) {
    std::istringstream in(text);
    double value = 0;
    return in >> value && in.eof() ? std::optional(value) : std::nullopt;
}

/// What `--length` says of each sequence.
class Lengths {
public:
    explicit Lengths(const std::string& option) : option_(option), all_(number_in(option)) {
        if (all_ || option == "measured" || option == "series") return;
        const auto table = mtdn::read_csv(option);
        const auto column = std::find(table.header.begin(), table.header.end(), "sequence") - table.header.begin();
        mtdn::require<mtdn::DataError>(column < static_cast<Index>(table.header.size()), option,
                                       ": expected the columns \"sequence\" and \"length_px\"");
        const auto values = table.numbers("length_px");
        for (std::size_t i = 0; i < values.size(); ++i)
            listed_[table.rows[i][static_cast<std::size_t>(column)]].push_back(values[i]);
    }

    /// In px; none: to be measured.
    std::vector<double> of(const mtdn::Sequence& sequence) const {
        if (all_) return {*all_};
        if (option_ == "measured") return {};
        const auto& lengths = option_ == "series" ? sequence.series : listed_;
        const auto found = lengths.find(option_ == "series" ? "length" : sequence.name);
        mtdn::require<mtdn::DataError>(found != lengths.end(), "--length ", option_, ": no length of sequence \"",
                                       sequence.name, "\"");
        return found->second;
    }

private:
    std::string option_;
    std::optional<double> all_;
    std::map<std::string, std::vector<double>> listed_;
};

/// A dataset, or masks alone as `mtdn segment` writes them, the filament's taking the frames' place.
mtdn::Dataset read_input(const KineticsCommand& c) {
    mtdn::DatasetOptions options;
    if (c.prediction.empty()) {
        options.polarity = polarity_of(c.polarity);
        options.mask_threshold = c.threshold;
    }
    if (!c.data.empty()) return mtdn::read_dataset(c.data, options);
    options.frames = c.kinetics.outer + "/*.png";
    for (const auto& task : c.tasks) options.tasks[task] = task + "/*.png";
    return mtdn::read_dataset(c.masks, options);
}

std::vector<double> scaled(std::vector<double> values, double factor) {
    for (auto& value : values) value *= factor;
    return values;
}

/// The volumes' errors as weights take them: an error of 0, that of a frame where nothing is left, would be an infinite
/// weight, and counts as the smallest of the others.
std::vector<double> errors_of(const mtdn::MeasuredCurve& volume) {
    double least = std::numeric_limits<double>::infinity();
    for (const double error : volume.error)
        if (error > 0) least = std::min(least, error);
    auto errors = volume.error;
    for (double& error : errors) error = std::max(error, least);
    return errors;
}

/// Fits every law to the measured and to the true volumes; notes those that cannot be fitted, and why.
void fit_laws(const KineticsCommand& c, Filament& filament, double cube) {
    const auto errors = c.weighted ? scaled(errors_of(filament.kinetics.volume), cube) : std::vector<double>{};
    const auto fit = [&](const char* what, const std::vector<double>& volumes, std::vector<mtdn::RateFit>& fits,
                         std::vector<std::string>& failures) {
        for (const auto& name : c.laws) try {
                fits.push_back(mtdn::fit_rate_law(mtdn::rate_law(name), filament.sequence->seconds,
                                                  scaled(volumes, cube), c.fit, errors));
            } catch (const mtdn::DataError& error) {
                failures.emplace_back(error.what());
                std::cerr << filament.sequence->name << what << ": " << error.what() << '\n';
            }
    };
    fit("", filament.kinetics.volume.value, filament.fits, filament.not_fitted);
    if (!filament.truth.empty())
        fit(", true volumes", filament.truth, filament.true_fits, filament.truth_not_fitted);
}

const mtdn::RateFit* best_fit(const Filament& filament) {
    const auto best = std::min_element(filament.fits.begin(), filament.fits.end(), [](const auto& a, const auto& b) {
        return a.aicc < b.aicc || (std::isnan(b.aicc) && !std::isnan(a.aicc));
    });
    return best == filament.fits.end() ? nullptr : &*best;
}

/// How often, and how narrowly, the interval holds the true volume.
struct Coverage {
    Index frames = 0, held = 0;
    double width = 0;  ///< summed over the frames, as a share of the first true volume

    void add(const Filament& filament, double factor) {
        const auto& volume = filament.kinetics.volume;
        for (std::size_t i = 0; i < filament.truth.size(); ++i, ++frames) {
            held += std::abs(volume.value[i] - filament.truth[i]) <= factor * volume.error[i];
            width += 2 * factor * volume.error[i] / filament.truth.front();
        }
    }
    mtdn::Json json() const {
        const auto n = static_cast<double>(frames);
        return {{"frames", frames}, {"share_in_interval", static_cast<double>(held) / n}, {"mean_width", width / n}};
    }
};

/// The factors that make the intervals of a split's sequences hold what their true masks give.
mtdn::IntervalFactors calibrate(const KineticsCommand& c, const std::vector<Filament>& filaments,
                                const std::map<std::string, mtdn::FilamentKinetics>& labelled) {
    const auto factor = [&](mtdn::MeasuredCurve mtdn::FilamentKinetics::*curve) {
        std::vector<double> deviations;
        for (const auto& filament : filaments) {
            if (c.calibrate != mtdn::name_of(filament.sequence->split)) continue;
            const auto& found = filament.kinetics.*curve;
            const auto& truth = (labelled.at(filament.sequence->name).*curve).value;
            for (std::size_t i = 0; i < truth.size(); ++i)  // a frame where nothing is left, and seen, teaches nothing
                if (found.value[i] != truth[i] || found.error[i] > 0)
                    deviations.push_back(std::abs(found.value[i] - truth[i]) / found.error[i]);
        }
        return mtdn::calibrated_factor(deviations, c.fit.confidence);
    };
    using K = mtdn::FilamentKinetics;
    return {factor(&K::outer_area), factor(&K::core_area), factor(&K::volume), factor(&K::conversion),
            factor(&K::rate)};
}

/// Volume, conversion, rate and the fits' residuals against time.
void write_plot(const fs::path& file, const Filament& filament, const mtdn::IntervalFactors& factors, double unit_size,
                const std::string& unit, const mtdn::Palette& palette) {
    const double cube = unit_size * unit_size * unit_size;
    const auto& k = filament.kinetics;
    const auto measured = [&](const mtdn::MeasuredCurve& curve, double factor, double scale) {
        return mtdn::PlotLine{"measured",  k.seconds, scaled(curve.value, scale), scaled(curve.error, factor * scale),
                              mtdn::black, true};
    };
    mtdn::PlotPanel volume{
        filament.sequence->name, "s", "volume, " + unit + "^3", {measured(k.volume, factors.volume, cube)}, {}};
    mtdn::PlotPanel converted{"", "s", "conversion", {measured(k.conversion, factors.conversion, 1)}, {}};
    mtdn::PlotPanel rate{"", "s", "rate, " + unit + "^3/s", {measured(k.rate, factors.rate, cube)}, {}};
    mtdn::PlotPanel residuals{"", "s", "measured less fitted volume, " + unit + "^3", {}, {}};
    if (!filament.truth.empty())
        volume.lines.push_back(
            {"truth", k.seconds, scaled(filament.truth, cube), {}, mtdn::Colour{150, 150, 150}, false});
    Index number = 0;
    for (const auto& fit : filament.fits) {
        const std::string name(mtdn::name_of(fit.law));
        const auto colour = palette.line(number++);
        mtdn::PlotLine line{name, {}, {}, {}, colour, false}, fraction = line;
        constexpr int steps = 200;
        const double first = fit.seconds.front(), last = fit.seconds.back();
        for (int i = 0; i <= steps; ++i) {
            const double t = first + (last - first) * i / steps;
            line.x.push_back(t), line.y.push_back(fit.volume(t));
            fraction.x.push_back(t), fraction.y.push_back(1 - fit.volume(t) / (k.volume.value.front() * cube));
        }
        volume.lines.push_back(std::move(line));
        converted.lines.push_back(std::move(fraction));
        residuals.lines.push_back({name, fit.seconds, fit.residuals, {}, colour, true});
    }
    std::vector<mtdn::PlotPanel> panels{volume, converted, rate};
    if (!residuals.lines.empty()) panels.push_back(residuals);
    mtdn::write_png(file, mtdn::plot(panels));
}

mtdn::Json filament_json(const Filament& filament, double factor) {
    const auto& k = filament.kinetics;
    Index stray = 0;
    for (const Index count : k.stray) stray += count;
    mtdn::Json json{{"frames", k.seconds.size()},
                    {"members", k.members},
                    {"stray_core_px", stray},
                    {"first_volume_px3", k.volume.value.front()},
                    {"last_conversion", k.conversion.value.back()},
                    {"fits", mtdn::Json::array()}};
    for (const auto& fit : filament.fits) json["fits"].push_back(mtdn::fit_json(fit));
    if (const auto* best = best_fit(filament)) json["lowest_aicc"] = mtdn::name_of(best->law);
    if (!filament.not_fitted.empty()) json["not_fitted"] = filament.not_fitted;
    if (!filament.truth.empty()) {
        Coverage coverage;
        coverage.add(filament, factor);
        json["truth"] = coverage.json();
        for (const auto& fit : filament.fits)
            for (const auto& truth : filament.true_fits)
                if (truth.law == fit.law)
                    json["truth"]["rate_error"][mtdn::name_of(fit.law)] =
                        fit.parameter("rate").value / truth.parameter("rate").value - 1;
        if (!filament.truth_not_fitted.empty()) json["truth"]["not_fitted"] = filament.truth_not_fitted;
    }
    return json;
}

void print_filament(const Filament& filament, std::string_view times, const mtdn::IntervalFactors& factors,
                    double unit_size, const std::string& unit) {
    const auto& k = filament.kinetics;
    const double cube = unit_size * unit_size * unit_size;
    Index stray = 0;
    for (const Index count : k.stray) stray += count;
    std::cout << filament.sequence->name << ": " << k.seconds.size() << " frames, times by " << times << ", ";
    std::cout << (k.members > 0 ? mtdn::concatenate("ensemble of ", k.members)
                                : std::string("errors of counting alone"))
              << ", " << stray << " core pixels outside the filament\n"
              << "  volume " << k.volume.value.front() * cube << " ± " << factors.volume * k.volume.error.front() * cube
              << " to " << k.volume.value.back() * cube << " ± " << factors.volume * k.volume.error.back() * cube << ' '
              << unit << "³, converted " << k.conversion.value.back() << " ± "
              << factors.conversion * k.conversion.error.back() << '\n';
    for (const auto& fit : filament.fits) {
        const auto& rate = fit.parameter("rate");
        std::cout << "  " << std::left << std::setw(15) << mtdn::name_of(fit.law) << std::right << "k " << rate.value
                  << " [" << rate.low << ", " << rate.high << "] 1/s";
        if (fit.law == mtdn::RateLaw::avrami) {
            const auto& n = fit.parameter("exponent");
            std::cout << ", n " << n.value << " [" << n.low << ", " << n.high << ']';
        }
        std::cout << ", R² " << fit.r_squared << ", AICc " << fit.aicc << (&fit == best_fit(filament) ? ", lowest" : "")
                  << (fit.converged ? "" : ", not converged") << '\n';
    }
}

/// Checks options that belong together, and fills in those that follow from others.
void complete(KineticsCommand& c) {
    using mtdn::OptionError;
    mtdn::require<OptionError>(c.tasks.size() == 2 && c.tasks[0] != c.tasks[1],
                               "kinetics: --tasks names two, the filament and its core, such as A1,A2");
    mtdn::require<OptionError>(c.data.empty() != c.masks.empty(), "kinetics: give either --data or --masks");
    mtdn::require<OptionError>(c.prediction.empty() || !c.data.empty(), "kinetics: --prediction needs --data");
    mtdn::require<OptionError>(c.calibrate.empty() || !c.prediction.empty(),
                               "kinetics: --calibrate needs --prediction");
    c.kinetics.outer = c.tasks[0];
    c.kinetics.core = c.tasks[1];
    if (c.laws.empty())
        for (const auto law : mtdn::all_rate_laws) c.laws.emplace_back(mtdn::name_of(law));
    for (const auto& law : c.laws) mtdn::rate_law(law);
    c.fit.fit_onset = c.onset == "fitted";
    if (c.onset != "first" && c.onset != "fitted") c.fit.onset = number_in(c.onset);
    mtdn::require<OptionError>(c.onset == "first" || c.onset == "fitted" || c.fit.onset,
                               "kinetics: --onset is first, fitted or a number of seconds, got \"", c.onset, "\"");
}

/// All filaments that are wanted, or that intervals are calibrated on; with the latter's figures by their true masks.
/// Those that cannot be measured are left out, for reasons that are told.
std::vector<Filament> measure(const KineticsCommand& c, std::vector<mtdn::Sequence>& sequences,
                              const std::optional<mtdn::Predictions>& predictions,
                              std::map<std::string, mtdn::FilamentKinetics>& labelled, mtdn::Json& left_out) {
    const Lengths lengths(c.length);
    const fs::path folder = predictions ? c.prediction : c.masks;
    std::vector<Filament> filaments;
    const auto leave_out = [&](const std::string& name, const std::string& why) {
        std::cerr << "left out: sequence \"" << name << "\": " << why << '\n';
        left_out[name] = why;
    };
    for (auto& sequence : sequences) {
        const auto& name = sequence.name;
        const bool calibrates = c.calibrate == mtdn::name_of(sequence.split);
        if (!c.split.empty() && c.split != mtdn::name_of(sequence.split) && !calibrates) continue;
        const auto& masks =
            predictions && predictions->masks.count(name) > 0 ? predictions->masks.at(name) : sequence.masks;
        if (predictions ? predictions->masks.count(name) == 0
                        : masks.count(c.tasks[0]) == 0 || masks.count(c.tasks[1]) == 0) {
            leave_out(name, "there are no masks of " + c.tasks[0] + " and " + c.tasks[1]);
            continue;
        }
        for (std::size_t i = 0; i < sequence.seconds.size() && c.interval; ++i)
            sequence.seconds[i] = *c.interval * static_cast<double>(i);
        auto options = c.kinetics;
        options.length = lengths.of(sequence);
        mtdn::EnsembleAreas areas;
        if (const auto file = folder / name / "areas.csv"; !folder.empty() && fs::exists(file))
            areas = mtdn::read_areas(
                file, sequence.frame_names,
                {c.tasks[0], c.kinetics.enforce ? mtdn::shared_name(c.tasks[0], c.tasks[1]) : c.tasks[1]});
        try {
            if (calibrates) labelled[name] = mtdn::measure_kinetics(sequence.masks, sequence.seconds, options);
            filaments.push_back({&sequence, mtdn::measure_kinetics(masks, sequence.seconds, options, areas)});
        } catch (const mtdn::OptionError&) {
            throw;
        } catch (const mtdn::Error& error) {
            leave_out(name, error.what());
            continue;
        }
        if (const auto found = sequence.series.find("volume"); found != sequence.series.end())
            filaments.back().truth = found->second;
        std::cerr << "measured " << name << '\n';
    }
    mtdn::require<mtdn::DataError>(!filaments.empty(), c.data, c.masks, ": no sequence can be measured",
                                   c.split.empty() ? "" : " in split " + c.split, left_out.empty() ? "" : "; \"",
                                   left_out.empty() ? "" : left_out.begin().key() + "\": ",
                                   left_out.empty() ? "" : left_out.front().get<std::string>());
    return filaments;
}

void kinetics(KineticsCommand c, const Common& common) {
    complete(c);
    const auto data = read_input(c);
    print_warnings(data.warnings());
    if (!c.interval)
        print_warnings(guessed_times(data.sequences(), c.masks.empty()
                                                           ? "\"time\" or \"seconds\" in dataset.json, or --interval"
                                                           : "--interval"));
    std::optional<mtdn::Predictions> predictions;
    if (!c.prediction.empty())
        predictions = mtdn::read_predictions(c.prediction, data, polarity_of(c.polarity), c.threshold);
    auto sequences = data.sequences();
    std::map<std::string, mtdn::FilamentKinetics> labelled;
    mtdn::Json left_out = mtdn::Json::object();
    auto filaments = measure(c, sequences, predictions, labelled, left_out);
    const double normal = mtdn::interval_factor(c.fit.confidence);
    const auto factors = c.calibrate.empty() ? mtdn::IntervalFactors{normal, normal, normal, normal, normal}
                                             : calibrate(c, filaments, labelled);
    if (!c.split.empty())
        std::erase_if(filaments, [&](const auto& f) { return c.split != mtdn::name_of(f.sequence->split); });

    const double pixel_nm = c.pixel_size_nm.value_or(data.pixel_size_nm()), unit_size = pixel_nm > 0 ? pixel_nm : 1;
    const std::string unit = pixel_nm > 0 ? "nm" : "px";
    fs::create_directories(c.out);
    mtdn::Json json{{"confidence", c.fit.confidence}};
    json["calibrated_on"] = c.calibrate.empty() ? mtdn::Json() : mtdn::Json(c.calibrate);
    json["factors"] = {{"outer_area", factors.outer_area},
                       {"core_area", factors.core_area},
                       {"volume", factors.volume},
                       {"conversion", factors.conversion},
                       {"rate", factors.rate}};
    json["pixel_size_nm"] = pixel_nm > 0 ? mtdn::Json(pixel_nm) : mtdn::Json();
    json["length"] = c.length;
    json["fitted_volume_unit"] = unit + "3";
    mtdn::CsvTable table;
    Coverage coverage;
    const auto palette = mtdn::palette_named(c.palette);
    for (auto& filament : filaments) {
        fit_laws(c, filament, unit_size * unit_size * unit_size);
        const auto& name = filament.sequence->name;
        mtdn::add_kinetics_rows(table, name, filament.sequence->frame_names, filament.kinetics, factors, pixel_nm,
                                filament.truth);
        write_plot(fs::path(c.out) / (name + ".png"), filament, factors, unit_size, unit, palette);
        const auto times = c.interval ? "interval" : times_from(*filament.sequence);
        json["sequences"][name] = filament_json(filament, factors.volume);
        json["sequences"][name]["times"] = times;
        if (c.calibrate != mtdn::name_of(filament.sequence->split)) coverage.add(filament, factors.volume);
        if (!common.json) print_filament(filament, times, factors, unit_size, unit);
    }
    if (coverage.frames > 0) json["truth"] = coverage.json();
    if (!left_out.empty()) json["left_out"] = left_out;
    mtdn::write_csv(fs::path(c.out) / "kinetics.csv", table);
    mtdn::write_json(fs::path(c.out) / "kinetics.json", json);
    if (common.json) return print_json(json);
    if (coverage.frames > 0)
        std::cout << "true volume in the interval of " << coverage.held << " of " << coverage.frames
                  << " frames, its mean width " << 100 * coverage.width / static_cast<double>(coverage.frames)
                  << " % of the first volume\n";
    std::cout << c.out << ": kinetics.csv, kinetics.json and " << filaments.size()
              << " plots; volumes' intervals are ± " << factors.volume << " standard errors\n";
}

}  // namespace

void add_kinetics(CLI::App& app, Common& common) {
    auto c = std::make_shared<KineticsCommand>();
    auto* command =
        app.add_subcommand("kinetics", "Areas, volumes, conversion and rates of filaments, and rate laws fitted");
    const auto splits = CLI::IsMember({"train", "validation", "test"});
    command->add_option("--data", c->data, "Folder of a dataset, whose own masks are measured");
    command->add_option("--masks", c->masks, "Folder of masks alone, <sequence>/<task>/*.png, as segment writes them");
    command->add_option("--prediction", c->prediction,
                        "With --data: measures these masks, <sequence>/<task>/<frame name>, instead");
    command->add_option("--out", c->out, "Folder for kinetics.csv, kinetics.json and <sequence>.png")->required();
    command->add_option("--split", c->split, "Only this split of the dataset")->check(splits);
    command->add_option("--tasks", c->tasks, "The filament's task and its core's")
        ->delimiter(',')
        ->expected(2)
        ->capture_default_str();
    command
        ->add_option("--length", c->length,
                     "measured: along the filament's axis in each frame; a number of px; series: the dataset's "
                     "series \"length\"; or a CSV file with the columns sequence and length_px")
        ->capture_default_str();
    command->add_option("--pixel-size-nm", c->pixel_size_nm, "Side of a pixel, if not the dataset's")
        ->check(CLI::PositiveNumber);
    command
        ->add_option("--interval", c->interval,
                     "Seconds between frames, instead of the dataset's times or, of --masks, the "
                     "numbers in file names")
        ->check(CLI::PositiveNumber);
    command->add_flag("--enforce", c->kinetics.enforce, "Takes away what of the core lies outside the filament");
    command->add_option("--rate-window", c->kinetics.rate_window, "Frames that a rate is taken from, odd")
        ->capture_default_str();
    command->add_option("--confidence", c->fit.confidence, "Of all intervals")->capture_default_str();
    command
        ->add_option("--calibrate", c->calibrate,
                     "Widens or narrows intervals until they hold this split's labelled volumes")
        ->check(splits);
    command
        ->add_option("--fit", c->laws,
                     "Rate laws, separated by commas: zeroth-order, first-order, shrinking-core, avrami; default: all")
        ->delimiter(',');
    command->add_option("--onset", c->onset, "Begin of the reaction: first (frame of the window), fitted, or seconds")
        ->capture_default_str();
    command->add_option("--from", c->fit.from, "Fits no frame before these seconds");
    command->add_option("--to", c->fit.to, "Fits no frame after these seconds");
    command->add_flag("--weighted", c->weighted, "Weighs volumes by their errors");
    add_polarity(*command, c->polarity, "Polarity of the masks measured, if not the dataset's or 255,0");
    command->add_option("--threshold", c->threshold,
                        "Takes any grey value, from 0 to 255: nearer to feature from here on");
    add_palette(*command, c->palette);
    command->footer("Example: mtdn kinetics --data film --prediction masks --calibrate validation --out kinetics");
    command->callback([c, &common] { kinetics(*c, common); });
}
