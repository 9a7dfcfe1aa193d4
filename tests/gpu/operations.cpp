// Every operation on a GPU, against the reference and against itself.
#include <iostream>

#include <mtdn/backend/testing/checks.hpp>
#include <mtdn/cuda.hpp>

using namespace mtdn;

int main() try {
    const std::unique_ptr<Cuda> gpu = [] {
        try {
            return std::make_unique<Cuda>();
        } catch (const BackendError& error) {
            // Without a GPU there is nothing to test; a GPU that cannot be used is a failure.
            if (std::string(error.what()).find("no CUDA device") == std::string::npos) throw;
            std::cout << "skipped: " << error.what() << '\n';
            return std::unique_ptr<Cuda>();
        }
    }();
    if (!gpu) return 0;
    std::cout << gpu->describe() << '\n';
    auto failures = testing::check_backend(*gpu);
    Cuda again;
    for (const auto& failure : testing::check_equal_bits(*gpu, again)) failures.push_back(failure);
    try {
        Tensor<Cuda> huge(*gpu, {1 << 20, 1 << 10, 1 << 10, 1});
        failures.push_back("4 PiB of memory were given");
    } catch (const BackendError& error) {
        if (std::string(error.what()).find("MiB free") == std::string::npos) failures.push_back(error.what());
    }
    for (const auto& failure : failures) std::cout << failure << '\n';
    std::cout << failures.size() << " failures\n";
    return failures.empty() ? 0 : 1;
} catch (const std::exception& error) {
    std::cout << error.what() << '\n';
    return 1;
}
