// Prints what a compiler spends on each public header, on the umbrellas, on a unit that trains the reference model, and
// on libtorch's header, and how many templates clang instantiates there. Compilers other than the project's:
// compile_cost COMPILER.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

struct Cost {
    std::string what;
    double seconds = 0;
    double mebibytes = 0;
    bool compiled = false;
    long instantiations = 0;  ///< 0: not counted
};

/// The better of two runs: wall time, and the most memory that one of the compiler's processes held.
Cost measure(const std::string& what, const std::string& command) {
    Cost best{what};
    for (int run = 0; run < 2; ++run) {
        const auto start = std::chrono::steady_clock::now();
        const pid_t child = fork();
        if (child == 0) {
            execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
            _exit(127);
        }
        int status = 1;
        rusage usage{};
        if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status != 0) return best;
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const double mebibytes = static_cast<double>(usage.ru_maxrss) / 1024;
        if (run == 0 || seconds < best.seconds) best.seconds = seconds;
        if (run == 0 || mebibytes < best.mebibytes) best.mebibytes = mebibytes;
        best.compiled = true;
    }
    return best;
}

/// Class and function templates that clang instantiates in a unit, by its trace; 0 if it does not say.
long count_instantiations(const std::string& unit) {
    if (std::string(CLANG).empty()) return 0;
    const auto output = std::filesystem::temp_directory_path() / ("compile_cost_" + std::to_string(getpid()));
    const std::string command = CLANG " -c -emit-llvm -Xclang -disable-llvm-passes -ftime-trace "
                                "-ftime-trace-granularity=0 -o " + output.string() + ".bc " FLAGS + unit;
    long count = 0;
    if (std::system(command.c_str()) == 0) {
        std::ifstream file(output.string() + ".json");
        const std::string trace{std::istreambuf_iterator<char>(file), {}};
        for (const std::string event : {"\"name\":\"InstantiateClass\"", "\"name\":\"InstantiateFunction\""})
            for (auto at = trace.find(event); at != std::string::npos; at = trace.find(event, at + 1)) ++count;
    }
    for (const char* ending : {".bc", ".json"}) std::filesystem::remove(output.string() + ending);
    return count;
}

void print(const Cost& cost) {
    if (cost.compiled) std::printf("%9.2f %7.0f ", cost.seconds, cost.mebibytes);
    else std::printf("        -       - ");
    if (cost.instantiations) std::printf("%14ld", cost.instantiations);
    else std::printf("             -");
    std::printf("  %s%s\n", cost.what.c_str(), cost.compiled ? "" : " (does not compile)");
    std::fflush(stdout);
}

std::string alone(const std::string& header) { return " -include " + header + " -x c++ /dev/null"; }

Cost measure_ours(const std::string& what, const std::string& compiler, const std::string& unit) {
    Cost cost = measure(what, compiler + " -c -o /dev/null " FLAGS + unit);
    cost.instantiations = count_instantiations(unit);
    return cost;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string compiler = argc > 1 ? argv[1] : COMPILER;
    std::vector<std::string> headers;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(INCLUDE)) {
        const auto header = entry.path().lexically_relative(INCLUDE).string();
        if (entry.path().extension() == ".hpp" && header.find("/detail/") == std::string::npos)
            headers.push_back(header);
    }
    std::sort(headers.begin(), headers.end());

    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // whoever reads a pipe has each line as it comes
    std::printf("%s\n  seconds     MiB instantiations  what\n", compiler.c_str());
    for (const std::string umbrella : {"mtdn/mtdn.hpp", "mtdn/io.hpp"})
        print(measure_ours("#include <" + umbrella + "> alone", compiler, alone(umbrella)));
    print(measure_ours("a unit that trains the reference model, -O3 -march=native", compiler,
                       " -O3 -march=native " TRAIN));
    if (std::string(TORCH_FLAGS).empty())
        std::printf("        -       -              -  #include <torch/torch.h> alone (not found)\n");
    else
        print(measure("#include <torch/torch.h> alone",
                      compiler + " -c -o /dev/null " TORCH_FLAGS + alone("torch/torch.h")));
    std::printf("each header alone, slowest first:\n");
    std::vector<Cost> costs;
    for (const auto& header : headers) costs.push_back(measure_ours(header, compiler, alone(header)));
    std::stable_sort(costs.begin(), costs.end(), [](const Cost& a, const Cost& b) { return a.seconds > b.seconds; });
    for (const auto& cost : costs) print(cost);
}
