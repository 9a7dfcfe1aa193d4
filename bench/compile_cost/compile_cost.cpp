// Prints what a compiler spends on each public header, on the umbrellas, on a unit that trains the reference model, and
// on libtorch's header. Compilers other than the project's: compile_cost COMPILER.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace {

struct Cost {
    std::string what;
    double seconds = 0;
    double mebibytes = 0;
    bool compiled = false;
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

void print(const Cost& cost) {
    if (cost.compiled) {
        std::printf("%9.2f %7.0f  %s\n", cost.seconds, cost.mebibytes, cost.what.c_str());
    } else {
        std::printf("        -       -  %s (does not compile)\n", cost.what.c_str());
    }
    std::fflush(stdout);
}

std::string include_alone(const std::string& header) {
    return " -c -o /dev/null -include " + header + " -x c++ /dev/null";
}

}  // namespace

int main(int argc, char** argv) {
    const std::string compiler = argc > 1 ? argv[1] : COMPILER;
    const std::string ours = compiler + " " FLAGS, torch = compiler + " " TORCH_FLAGS;
    std::vector<std::string> headers;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(INCLUDE)) {
        const auto header = entry.path().lexically_relative(INCLUDE).string();
        if (entry.path().extension() == ".hpp" && header.find("/detail/") == std::string::npos)
            headers.push_back(header);
    }
    std::sort(headers.begin(), headers.end());

    std::printf("%s\n  seconds     MiB  what\n", compiler.c_str());
    for (const std::string umbrella : {"mtdn/mtdn.hpp", "mtdn/io.hpp"}) {
        print(measure("#include <" + umbrella + "> alone", ours + include_alone(umbrella)));
    }
    print(measure("a unit that trains the reference model, -O3 -march=native",
                  ours + " -O3 -march=native -c -o /dev/null " TRAIN));
    if (std::string(TORCH_FLAGS).empty()) {
        std::printf("        -       -  #include <torch/torch.h> alone (not found)\n");
    } else {
        print(measure("#include <torch/torch.h> alone", torch + include_alone("torch/torch.h")));
    }
    std::printf("each header alone, slowest first:\n");
    std::vector<Cost> costs;
    for (const auto& header : headers) costs.push_back(measure(header, ours + include_alone(header)));
    std::stable_sort(costs.begin(), costs.end(), [](const Cost& a, const Cost& b) { return a.seconds > b.seconds; });
    for (const auto& cost : costs) print(cost);
}
