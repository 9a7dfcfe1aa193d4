// Each convolution of the network in each direction: ours, oneDNN by its best algorithm, and im2col with Eigen's and
// OpenBLAS's products, alternately. Seconds are medians; FLOP/s are counted as the direct algorithm's.
//
//     convolution_peers [--threads N] [--width 32] [--size 256] [--frames 2] [--pairs 1] [--rounds 7]
//                       [--milliseconds 30] [--only TEXT] [--json FILE] [--markdown FILE]
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include <mtdn/backend/cpu.hpp>

#include "../../support/ceiling.hpp"
#include "gemm.hpp"
#include "layer.hpp"
#include "openmp.hpp"
#ifdef PEERS_ONEDNN
#include "onednn.hpp"
#endif

namespace {

using namespace mtdn;
using peers::Contestant;
using peers::Direction;
using peers::Layer;
using peers::Operands;

struct Options {
    std::map<std::string, Index> numbers{{"--threads", 0}, {"--width", 32}, {"--size", 256},       {"--frames", 2},
                                         {"--pairs", 1},   {"--rounds", 7}, {"--milliseconds", 30}};
    std::map<std::string, std::string> texts{{"--only", ""}, {"--json", ""}, {"--markdown", ""}};

    Options(int argc, char** argv) {
        for (int i = 1; i < argc; i += 2) {
            const std::string name = argv[i];
            require<OptionError>(i + 1 < argc && (numbers.contains(name) || texts.contains(name)),
                                 "convolution_peers: ", name, " is no option or lacks a value");
            if (texts.contains(name))
                texts[name] = argv[i + 1];
            else
                numbers[name] = std::stoll(argv[i + 1]);
        }
    }
    Index operator[](const char* name) const { return numbers.at(name); }
};

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Seconds of one run, from as many as fill the time given.
double time_of(const std::function<void()>& run, double at_least) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the one before has threads that spin for a while
    const auto start = std::chrono::steady_clock::now();
    int runs = 0;
    do {
        run();
        ++runs;
    } while (seconds_since(start) < at_least);
    return seconds_since(start) / runs;
}

/// The value below which a share of the values lies.
double quantile(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    const double at = share * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const auto high = std::min(low + 1, values.size() - 1);
    return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

/// FLOP/s of multiply-adds. Taken with every row: a shared machine's ceiling moves.
double multiply_add_rate(ThreadPool& pool) {
    constexpr int rounds = 1000000;
    return bench::multiply_add_operations(pool, rounds) / time_of([&] { bench::multiply_adds(pool, rounds); }, 0.01);
}

/// Bytes/s of copies, by the number of bytes that they touch.
class CopyRates {
public:
    explicit CopyRates(ThreadPool& pool) : pool_(pool) {}

    double at(double touched) {
        const int power = std::clamp(static_cast<int>(std::lround(std::log2(touched / 8))), 14, 26);
        double& best = rates_[power];
        if (best == 0) {
            std::vector<float> from(std::size_t{1} << power, 1), to(from);
            const double bytes = 8.0 * static_cast<double>(from.size());
            for (int i = 0; i < 5; ++i)
                best = std::max(best, bytes / time_of([&] { bench::copy(pool_, from, to); }, 0.01));
        }
        return best;
    }

private:
    ThreadPool& pool_;
    std::map<int, double> rates_;
};

Tensor<Cpu> uploaded(Cpu& cpu, const Shape& shape, const std::vector<float>& values) {
    Tensor<Cpu> tensor(cpu, shape);
    cpu.upload(std::span<const float>(values), tensor);
    return tensor;
}

Contestant ours(Cpu& cpu, const Layer& layer, const Operands& operands, Direction direction) {
    const Window window{.kernel = layer.kernel, .stride = 1, .padding = layer.padding()};
    const auto x = uploaded(cpu, layer.x(), operands.x), w = uploaded(cpu, layer.w(), operands.w);
    const auto dy = uploaded(cpu, layer.y(), operands.dy);
    const View<Cpu, const float> no_bias{};
    const Shape shapes[] = {layer.y(), layer.x(), layer.w()};
    Tensor<Cpu> result(cpu, shapes[static_cast<int>(direction)]);
    cpu.fill(result, 0);
    const bool up = layer.transposed;
    std::function<void()> run;
    if (direction == Direction::forward)
        run = [=, &cpu]() mutable {
            if (up)
                cpu.transposed_convolve(x, w, no_bias, result);
            else
                cpu.convolve(x, w, no_bias, no_bias, window, Activation::identity, result);
        };
    else if (direction == Direction::backward_data)
        run = [=, &cpu]() mutable {
            if (up)
                cpu.transposed_convolve_backward_data(dy, w, result);
            else
                cpu.convolve_backward_data(dy, w, window, result);
        };
    else
        run = [=, &cpu]() mutable {
            if (up)
                cpu.transposed_convolve_backward_weights(x, dy, result, {});
            else
                cpu.convolve_backward_weights(x, dy, window, result, {});
        };
    return {"mtdn", run, [=, &cpu]() mutable {
                cpu.fill(result, 0);  // gradients of weights are added
                run();
                std::vector<float> values(static_cast<std::size_t>(result.shape().size()));
                cpu.download(result, std::span<float>(values));
                return values;
            }};
}

struct Timed {
    std::string name;
    std::vector<double> seconds;
    double difference = 0;  ///< largest from ours, in units of the result's root mean square

    double median() const { return quantile(seconds, 0.5); }
};

struct Row {
    Layer layer;
    Direction direction;
    std::vector<Timed> all;                    ///< ours, then oneDNN's best if it is there, then the others
    std::vector<double> multiply_add_rates{};  ///< FLOP/s, one a round
    double copy_rate = 0;                      ///< bytes/s

    const Timed* peer() const {
        for (const auto& timed : all)
            if (timed.name.starts_with("oneDNN")) return &timed;
        return nullptr;
    }
    /// Our speed over the peer's, round by round.
    std::vector<double> ratios() const {
        std::vector<double> values;
        for (std::size_t i = 0; i < all[0].seconds.size(); ++i)
            values.push_back(peer()->seconds[i] / all[0].seconds[i]);
        return values;
    }
    /// Our speed over the lower of the two ceilings.
    double of_ceiling() const {
        const double least = std::max(layer.flops() / quantile(multiply_add_rates, 0.5), layer.bytes() / copy_rate);
        return least / all[0].median();
    }
    double target() const { return direction == Direction::backward_weights ? 1.0 : 1.1; }
    bool met() const { return of_ceiling() >= 0.9 || (peer() && quantile(ratios(), 0.5) >= target()); }
};

double difference(const std::vector<float>& found, const std::vector<float>& expected) {
    double most = 0, squares = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        most = std::max(most, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
        squares += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
    }
    return most / std::sqrt(squares / static_cast<double>(expected.size()));
}

Row compare(Cpu& cpu, ThreadPool& pool, const Options& options, const Layer& layer, Direction direction) {
    const double at_least = 1e-3 * static_cast<double>(options["--milliseconds"]);
    const Operands operands(layer);
    std::vector<Contestant> field{ours(cpu, layer, operands, direction)};
#ifdef PEERS_ONEDNN
    auto candidates = peers::onednn::contestants(layer, operands, direction);
    double best = 0;
    std::optional<Contestant> chosen;
    for (auto& candidate : candidates) {  // a look at each; the fastest takes part
        candidate.run();
        const double seconds = std::min(time_of(candidate.run, at_least / 2), time_of(candidate.run, at_least / 2));
        if (!chosen || seconds < best) {
            best = seconds;
            chosen = candidate;
        }
    }
    if (chosen) {
        chosen->name = "oneDNN " + chosen->name;
        field.push_back(*chosen);
    }
#endif
    if (direction == Direction::forward && !layer.transposed) {
        field.push_back(peers::gemm::eigen(layer, operands, pool));
#ifdef PEERS_OPENBLAS
        field.push_back(peers::gemm::openblas(layer, operands, pool));
#endif
    }

    Row row{layer, direction, {}};
    for (auto& that : field) {
        that.run();
        row.all.push_back({that.name, {}, 0});
    }
    for (Index round = 0; round < options["--rounds"]; ++round) {
        row.multiply_add_rates.push_back(multiply_add_rate(pool));
        for (std::size_t i = 0; i < field.size(); ++i) row.all[i].seconds.push_back(time_of(field[i].run, at_least));
    }
    const auto expected = field[0].result();
    for (std::size_t i = 1; i < field.size(); ++i) {
        row.all[i].difference = difference(field[i].result(), expected);
        require<DataError>(row.all[i].difference < 1e-3, "convolution_peers: ", layer.label(), " ", name_of(direction),
                           ": ", row.all[i].name, " differs from ours by ", row.all[i].difference, " rms");
    }
    return row;
}

std::string fixed(double value, int digits) {
    std::ostringstream out;
    out << std::fixed << std::setprecision(digits) << value;
    return out.str();
}

void write_markdown(std::ostream& out, const std::vector<Row>& rows, const std::string& who) {
    out << "### Convolutions, layer by layer\n\n"
        << who
        << ". GFLOP/s count the direct algorithm's operations. Speed: ours over oneDNN's best, median (least to most "
           "of "
           "the rounds). Ceiling: our share of the lower of the two ceilings, multiply-adds (GFLOP/s beside it) and a "
           "copy of as many bytes.\n\n"
        << "| part | layer | direction | ours | oneDNN's best | speed | target | ceiling | met | im2col |\n"
        << "|---|---|---|---|---|---|---|---|---|---|\n";
    for (const auto& row : rows) {
        const auto rate = [&](const Timed& timed) { return fixed(row.layer.flops() / timed.median() / 1e9, 0); };
        out << "| " << row.layer.part << " | " << row.layer.label() << " | " << name_of(row.direction) << " | "
            << rate(row.all[0]) << " | ";
        if (const Timed* peer = row.peer()) {
            const auto ratios = row.ratios();
            out << rate(*peer) << ", " << peer->name.substr(7) << " | " << fixed(quantile(ratios, 0.5), 2) << " ("
                << fixed(quantile(ratios, 0), 2) << "–" << fixed(quantile(ratios, 1), 2) << ")";
        } else {
            out << "– | –";
        }
        out << " | " << fixed(row.target(), 1) << " | " << fixed(row.of_ceiling(), 2) << " ("
            << fixed(quantile(row.multiply_add_rates, 0.5) / 1e9, 0) << ") | "
            << (row.met()    ? "yes"
                : row.peer() ? "no"
                             : "–")
            << " | ";
        std::string separator;
        for (const auto& timed : row.all) {
            if (timed.name.find("im2col") == std::string::npos) continue;
            out << separator << timed.name.substr(0, timed.name.find(',')) << ' ' << rate(timed);
            separator = ", ";
        }
        out << " |\n";
    }
}

void write_json(std::ostream& out, const std::vector<Row>& rows, const std::string& who) {
    out << "{\"who\": \"" << who << "\", \"rows\": [";
    std::string row_separator = "\n";
    for (const auto& row : rows) {
        out << row_separator << "{\"part\": \"" << row.layer.part << "\", \"layer\": \"" << row.layer.label()
            << "\", \"direction\": \"" << name_of(row.direction) << "\", \"frames\": " << row.layer.frames
            << ", \"flops\": " << row.layer.flops() << ", \"bytes\": " << row.layer.bytes()
            << ", \"multiply_adds_a_second\": " << quantile(row.multiply_add_rates, 0.5)
            << ", \"copy_bytes_a_second\": " << row.copy_rate << ", \"of_ceiling\": " << row.of_ceiling()
            << ", \"compared\": " << (row.peer() ? "true" : "false") << ", \"met\": " << (row.met() ? "true" : "false")
            << ", \"contestants\": [";
        std::string separator;
        for (const auto& timed : row.all) {
            out << separator << "{\"name\": \"" << timed.name << "\", \"difference\": " << timed.difference
                << ", \"seconds\": [";
            for (std::size_t i = 0; i < timed.seconds.size(); ++i) out << (i ? ", " : "") << timed.seconds[i];
            out << "]}";
            separator = ", ";
        }
        out << "]}";
        row_separator = ",\n";
    }
    out << "\n]}\n";
}

void run(const Options& options) {
    Cpu cpu({.threads = static_cast<int>(options["--threads"])});
    ThreadPool pool(cpu.threads());
    peers::set_openmp_threads(cpu.threads());
    std::string who = cpu.describe();
#ifdef PEERS_ONEDNN
    who += ", " + peers::onednn::version();
#else
    who += ", oneDNN skipped: it was not found when this was built";
#endif
    std::cerr << who << '\n';
    CopyRates copies(pool);
    std::vector<Row> rows;
    for (const Layer& layer :
         peers::network(options["--width"], options["--size"], options["--frames"], options["--pairs"])) {
        for (const auto direction : {Direction::forward, Direction::backward_data, Direction::backward_weights}) {
            if (layer.first && direction == Direction::backward_data) continue;
            const std::string name = layer.part + ' ' + layer.label() + ' ' + name_of(direction);
            if (name.find(options.texts.at("--only")) == std::string::npos) continue;
            rows.push_back(compare(cpu, pool, options, layer, direction));
            rows.back().copy_rate = copies.at(layer.bytes());
            std::cerr << name << ':';
            for (const auto& timed : rows.back().all)
                std::cerr << "  " << timed.name << ' ' << fixed(layer.flops() / timed.median() / 1e9, 0) << " GFLOP/s";
            std::cerr << '\n';
        }
    }
    require<OptionError>(!rows.empty(), "convolution_peers: no layer's name contains \"", options.texts.at("--only"),
                         "\"");
    write_markdown(std::cout, rows, who);
    if (const auto& file = options.texts.at("--markdown"); !file.empty()) {
        std::ofstream out(file);
        write_markdown(out, rows, who);
    }
    if (const auto& file = options.texts.at("--json"); !file.empty()) {
        std::ofstream out(file);
        write_json(out, rows, who);
    }
}

}  // namespace

int main(int argc, char** argv) try { run(Options(argc, argv)); } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
