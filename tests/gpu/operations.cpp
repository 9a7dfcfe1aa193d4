// Every operation on a GPU, against the reference and against itself.
//
//     operations [table]    table: each operation once in every precision, and no more, for the sanitizer
//
// Compiled with -DMTDN_CUDNN, the same with cuDNN's convolutions.
#include <iostream>

#include <mtdn/backend/testing/checks.hpp>

#include "../cuda/convolution_statistics.hpp"
#include "../cuda/head_end.hpp"
#include "../cuda/joined_loss.hpp"
#include "../cuda/overlap_loss.hpp"
#include "../cuda/pending_gradients.hpp"
#include "../cuda/pooled_convolutions.hpp"
#include "../cuda/rounded_convolutions.hpp"
#include "tested.hpp"

using namespace mtdn;
using testing::Tested;
using testing::with_cudnn;

namespace {

std::unique_ptr<Tested> open_gpu() {
    try {
        return std::make_unique<Tested>();
    } catch (const BackendError& error) {
        // Without a GPU there is nothing to test; a GPU that cannot be used is a failure.
        if (std::string(error.what()).find("no CUDA device") == std::string::npos) throw;
        std::cout << "skipped: " << error.what() << '\n';
        return nullptr;
    }
}

class Failures {
public:
    void add(const std::string& what, const std::vector<std::string>& more) {
        std::cout << what << ": " << more.size() << " failures" << std::endl;
        for (const auto& failure : more) std::cout << "  " << failure << '\n';
        count_ += more.size();
    }
    std::size_t count() const { return count_; }

private:
    std::size_t count_ = 0;
};

constexpr testing::RoundedBounds both(double bound) { return {bound, bound}; }

/// What convolutions by tensor cores are asked for.
struct Asked {
    Precision precision;
    const char* name;
    double table;                    ///< of all operations, against the reference
    testing::RoundedBounds rounded;  ///< of convolutions whose operands were rounded first
};

// Where tensor cores cut sums off, the longest, of 4608 products, lose half of 2⁻²³ some 300 times in bfloat16 and 600
// in TF32, 1e-5 and 2e-5 of their size. cuDNN rounds its results to bfloat16 too, and need not round to the nearest
// TF32.
constexpr Asked asked[] = {
    {Precision::bfloat16, "bf16", 1e-2, with_cudnn ? both(2e-3) : both(3e-5)},
    {Precision::tf32, "tf32", 1e-3, with_cudnn ? both(1e-3) : both(5e-5)},
    {Precision::tf32x3, "tf32x3", 1e-5, both(5e-6)}};

/// Convolutions by tensor cores.
void check_precision(const Asked& of, bool table, Failures& failures) {
    const Precision precision = of.precision;
    const std::string name = of.name;
    Tested fast({.precision = precision});
    failures.add(name + ": the table", testing::check_backend(fast, of.table));
    if (table) return;
    Tested twin({.precision = precision}), simple({.precision = precision, .simple = true}), plain({.simple = true});
    failures.add(name + ": twice the same bits", testing::check_equal_bits(fast, twin));
    failures.add(name + ": simple kernels are in single precision", testing::check_equal_bits(plain, simple));
    if (!with_cudnn) {
        // cuDNN's sums are of its own order, and in bfloat16 rounded.
        failures.add(name + ": exact convolutions", testing::check_exact_convolutions(fast));
        failures.add(name + ": statistics of convolutions", testing::check_convolution_statistics(fast));
        failures.add(name + ": losses joined to convolutions", testing::check_joined_loss(fast));
        failures.add(name + ": ends of heads", testing::check_head_end(fast));
        failures.add(name + ": convolutions that pool", testing::check_pooled_convolutions(fast));
    }
    failures.add(name + ": gradients that wait for a batch norm's way back",
                 testing::check_pending_gradients(fast, !with_cudnn));
    failures.add(name + ": sums of a batch norm's way back", testing::check_gradient_sums(fast, true, with_cudnn));
    Reference<double> exact;
    const testing::cases::Convolution small{.x = {2, 13, 20, 40}, .out = 36, .window = {.padding = 1}};
    failures.add(name + ": of operands rounded first, against the reference",
                 testing::check_rounded_convolution(fast, exact, small, precision, of.rounded));
    for (const auto& c : testing::network_convolutions())
        failures.add(name + ": " + c.label() + " of operands rounded first, against the simple kernels",
                     testing::check_rounded_convolution(fast, simple, c, precision, of.rounded));
}

void check_errors(Tested& gpu, Failures& failures) {
    std::vector<std::string> all;
    try {
        Tensor<Tested> logits(gpu, {1, 1, 1, 4}), loss(gpu, vector_shape(1)), divisor(gpu, vector_shape(1));
        Tensor<Tested, std::uint8_t> labels(gpu, {1, 1, 1, 1});
        const std::uint8_t none = 4;
        gpu.upload(std::span<const std::uint8_t>(&none, 1), View<Tested, std::uint8_t>(labels));
        gpu.fill(logits, 0);
        gpu.focal_loss(logits, labels, Tensor<Tested>(), FocalOptions{}, loss, divisor);
        gpu.wait();
        all.push_back("label 4 of 4 classes was taken");
    } catch (const DataError& error) {
        if (std::string(error.what()).find("label 4 in pixel 0") == std::string::npos) all.push_back(error.what());
    }
    try {
        Tensor<Tested> huge(gpu, {1 << 20, 1 << 10, 1 << 10, 1});
        all.push_back("4 PiB of memory were given");
    } catch (const BackendError& error) {
        if (std::string(error.what()).find("MiB free") == std::string::npos) all.push_back(error.what());
    }
    failures.add("errors", all);
}

}  // namespace

int main(int argc, char** argv) try {
    const bool table = argc == 2 && argv[1] == std::string("table");
    const auto gpu = open_gpu();
    if (!gpu) return 0;
    std::cout << gpu->describe() << '\n';
    Failures failures;
    failures.add("single: the table", testing::check_backend(*gpu));
    if (!table) {
        Tested again;
        failures.add("single: twice the same bits", testing::check_equal_bits(*gpu, again));
        if (!with_cudnn) failures.add("single: exact convolutions", testing::check_exact_convolutions(*gpu));
        failures.add("single: losses of overlaps, played back", testing::check_overlap_loss(*gpu));
        failures.add("single: gradients that wait for a batch norm's way back",
                     testing::check_pending_gradients(*gpu, false));
        failures.add("single: sums of a batch norm's way back", testing::check_gradient_sums(*gpu, false));
        if (with_cudnn) {
            Tested simple({.simple = true});
            for (const auto& c : testing::network_convolutions())
                failures.add("single: " + c.label() + " against the simple kernels",
                             testing::check_rounded_convolution(*gpu, simple, c, Precision::single, {1e-5, 1e-5}));
        }
        check_errors(*gpu, failures);
    }
    for (const Asked& of : asked) {
        if (with_cudnn && of.precision == Precision::tf32x3) continue;  // it has none
        try {
            check_precision(of, table, failures);
        } catch (const BackendError& error) {
            if (std::string(error.what()).find("need compute capability 8.0") == std::string::npos) throw;
            std::cout << error.what() << '\n';
        }
    }
    std::cout << failures.count() << " failures\n";
    return failures.count() == 0 ? 0 : 1;
} catch (const std::exception& error) {
    std::cout << error.what() << '\n';
    return 1;
}
