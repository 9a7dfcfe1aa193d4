// Our side of the comparison: one job a process, so that its peak of resident memory is its own.
//
//     mtdn_peer JOB [--threads N] [--warmup N] [--repetitions N] [--precision f32|bf16]
//
// JOB is KIND/WIDTH/SIZE/COUNT: inference and step of COUNT pairs, step16 (one that keeps what waits for the way back
// in bfloat16), clique (a step on all pairs of COUNT frames), ensemble (COUNT frames segmented by all their pairs).
// Prints one line of JSON: seconds of every repetition, and MiB.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <mtdn/mtdn.hpp>

namespace {

using namespace mtdn;

struct Job {
    std::string name, kind;
    Index width = 0, size = 0, count = 0;
};

struct Request {
    Job job;
    int threads = 0, warmup = 1, repetitions = 3;
    Precision precision = Precision::single;
};

Request parse(int argc, char** argv) {
    Request request;
    require<OptionError>(argc >= 2 && argc % 2 == 0,
                         "mtdn_peer: expected KIND/WIDTH/SIZE/COUNT and --NAME VALUE pairs");
    Job& job = request.job;
    job.name = argv[1];
    char first = 0, second = 0;
    const auto slash = job.name.find('/');
    job.kind = job.name.substr(0, slash);
    std::istringstream numbers(slash == std::string::npos ? "" : job.name.substr(slash + 1));
    require<OptionError>(numbers >> job.width >> first >> job.size >> second >> job.count && first == '/' &&
                             second == '/' && numbers.eof() && job.width > 0 && job.size > 0 && job.count > 0,
                         "mtdn_peer: job \"", job.name, "\" is not KIND/WIDTH/SIZE/COUNT, as in inference/32/256/1");
    for (int i = 2; i < argc; i += 2) {
        const std::string option = argv[i], text = argv[i + 1];
        if (option == "--precision" && (text == "f32" || text == "bf16")) {
            request.precision = text == "bf16" ? Precision::bfloat16 : Precision::single;
            continue;
        }
        int* const value = option == "--threads"       ? &request.threads
                           : option == "--warmup"      ? &request.warmup
                           : option == "--repetitions" ? &request.repetitions
                                                       : nullptr;
        require<OptionError>(value && std::sscanf(argv[i + 1], "%d", value) == 1, "mtdn_peer: ", option, " ", text,
                             " is none of --threads N, --warmup N, --repetitions N, --precision f32|bf16");
    }
    return request;
}

/// Most memory that this process has held, MiB; 0 where the system does not say.
double peak_mebibytes() {
    std::ifstream status("/proc/self/status");
    std::string word;
    for (double kibibytes = 0; status >> word;)
        if (word == "VmHWM:" && status >> kibibytes) return kibibytes / 1024;
    return 0;
}

Tensor<Cpu> noise(Cpu& cpu, const Shape& shape, Random& random) {
    std::vector<float> values(static_cast<std::size_t>(shape.size()));
    for (float& value : values) value = static_cast<float>(random.uniform(-1, 1));
    Tensor<Cpu> tensor(cpu, shape);
    upload(std::span<const float>(values), tensor);
    return tensor;
}

std::vector<Pair> random_pairs(Index count) {
    std::vector<Pair> pairs;
    for (Index i = 0; i < count; ++i) pairs.push_back({i, count + i});
    return pairs;
}

std::vector<Pair> all_pairs(Index frames) {
    std::vector<Pair> pairs;
    for (Index query = 0; query < frames; ++query)
        for (Index partner = 0; partner < frames; ++partner) pairs.push_back({query, partner});
    return pairs;
}

using Model = Siamese<UNet<Cpu>>;
using Work = std::function<void()>;

Work inference(Model& model, const Job& job, Random& random) {
    Cpu& cpu = model.backend();
    auto frames = noise(cpu, {2 * job.count, job.size, job.size, 3}, random);
    return [&model, &cpu, frames, pairs = random_pairs(job.count)] {
        Pass<Cpu> pass(cpu);
        for (const auto& logits : model.compare(model.features(pass.input(frames), pass), pairs, pass))
            if (value_of(logits).shape().channels != 4) fail<ShapeError>("mtdn_peer: logits of another shape");
    };
}

/// A training step: forward, both losses, backward, AdamW, running statistics. `groups`: as in `Pass::set_groups`.
Work step(Model& model, const Job& job, Index frame_count, std::vector<Pair> pairs, Index groups, Random& random) {
    Cpu& cpu = model.backend();
    auto frames = noise(cpu, {frame_count, job.size, job.size, 3}, random);
    Tensor<Cpu, std::uint8_t> labels(cpu, {static_cast<Index>(pairs.size()), job.size, job.size, 1});
    std::vector<std::uint8_t> values(static_cast<std::size_t>(labels.shape().size()));
    for (auto& value : values) value = static_cast<std::uint8_t>(random.below(4));
    upload(std::span<const std::uint8_t>(values), labels);
    enable_gradients(model.parameters(), model);

    struct State {
        Tape<Cpu> tape;
        FocalLoss<Cpu> focal;
        AdamW<Cpu> adamw{};
        State(Cpu& cpu, Precision kept) : tape(cpu, kept), focal(cpu, {}, std::vector<double>{0.5, 1, 2, 4}) {}
    };
    const auto kept = job.kind == "step16" ? Precision::bfloat16 : Precision::single;
    const auto state = std::make_shared<State>(cpu, kept);
    return [&model, &cpu, state, frames, labels, pairs, groups] {
        auto& flat = model.parameters();
        const std::vector<ParameterGroup> all{{0, flat.values.shape().size()}};
        cpu.fill(flat.gradients, 0);
        Pass<Cpu> pass(state->tape);
        pass.set_groups(groups);
        const auto logits = model.compare(model.features(pass.input(frames), pass), pairs, pass);
        state->tape.backward(add(state->focal(logits[0], labels), state->focal(logits[1], labels)));
        state->adamw.step(flat.values, flat.gradients, all, 1e-4);
        pass.commit();
    };
}

Work ensemble(Model& model, const Job& job, Random& random) {
    auto frames = make_array<float>(job.count, job.size, job.size, 1);
    for (float& value : frames) value = static_cast<float>(random.uniform());
    return [&model, frames] { segment(model, frames, EnsembleFusion{}); };
}

Work prepare(Model& model, const Job& job, Random& random) {
    if (job.kind == "inference") return inference(model, job, random);
    if (job.kind == "step" || job.kind == "step16")
        return step(model, job, 2 * job.count, random_pairs(job.count), 2, random);
    if (job.kind == "clique") return step(model, job, job.count, all_pairs(job.count), 1, random);
    if (job.kind == "ensemble") return ensemble(model, job, random);
    fail<OptionError>("mtdn_peer: kind \"", job.kind, "\" is none of inference, step, step16, clique, ensemble");
}

void run(const Request& request) {
    const Job& job = request.job;
    Cpu cpu({.threads = request.threads, .precision = request.precision});
    Random random(1);
    Model model{UNet<Cpu>{cpu, {.in_channels = 3, .width = job.width}, random}, Concatenate{}, {"A1", "A2"}, random};
    const Work work = prepare(model, job, random);
    for (int i = 0; i < request.warmup; ++i) work();
    std::ostringstream seconds;
    for (int i = 0; i < request.repetitions; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        seconds << (i == 0 ? "" : ", ") << taken.count();
    }
    std::cout << "{\"peer\": \"mtdn " << version << "\", \"device\": \"" << cpu.describe() << "\", \"job\": \""
              << job.name << "\", \"threads\": " << cpu.threads() << ", \"seconds\": [" << seconds.str()
              << "], \"rss_mib\": " << peak_mebibytes() << "}" << std::endl;
}

}  // namespace

int main(int argc, char** argv) try { run(parse(argc, argv)); } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
