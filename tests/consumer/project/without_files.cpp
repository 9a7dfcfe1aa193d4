#include <cstdio>

#include <mtdn/mtdn.hpp>

// A value that starts threads, so that they must be linked, and a score.
int main() {
    mtdn::Cpu cpu;
    const mtdn::BinaryConfusion confusion{.true_positive = 3, .false_positive = 1, .false_negative = 1};
    std::printf("mtdn %s on %s: F1 %.2f\n", mtdn::version, cpu.describe().c_str(), mtdn::f1(confusion));
    return mtdn::f1(confusion) == 0.75 ? 0 : 1;
}
