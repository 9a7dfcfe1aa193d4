// mpirun -n RANKS equal: exits with 1 where the ranks do not end where one process does with the same batches.

#include <iostream>

#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/mpi.hpp>

#include "experiment/equal_training.hpp"

namespace {

using namespace mtdn;

template <class B, class... Options>
bool equal(const MpiCommunicator& ranks, const char* what, double tolerance, TrainOptions options,
           const Options&... of_backend) {
    options.epochs = 50;
    options.batch = 4;
    options.size = 16;
    options.seed = 3;
    B backend(of_backend...);
    const auto shared = testing::train_steps(backend, testing::uneven_film(), options, 20, ranks);
    if (ranks.rank() > 0) return true;
    const auto alone = testing::train_steps(backend, testing::uneven_film(), options, 20);
    const double weights = testing::distance(shared.weights, alone.weights);
    const double running = testing::distance(shared.running, alone.running);
    std::cout << what << " on " << ranks.size() << " ranks: weights " << weights
              << " off one process's, running statistics " << running << ", " << tolerance << " allowed\n";
    return weights < tolerance && running < tolerance;
}

}  // namespace

int main() {
    //[ranks
    const mtdn::MpiSession session;  // to the end of main; where an exception ends it earlier, it ends all ranks
    const mtdn::MpiCommunicator ranks;
    //]
    TrainOptions sgd;
    sgd.optimizer = "sgd";
    sgd.rate = 1e-4;
    sgd.loss.beta = 0;
    bool good = equal<Cpu>(ranks, "20 SGD steps on Cpu", 1e-5, sgd, CpuOptions{.threads = 1});
    TrainOptions adamw;
    adamw.rate = 1e-3;
    good &= equal<Reference<double>>(ranks, "20 AdamW steps on Reference<double>", 1e-9, adamw);
    return good ? 0 : 1;
}
