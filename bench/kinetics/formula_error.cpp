// How far the hollow cylinder's formula is from the true volume of tubes that are bent or tapered: a CSV on standard
// output, one row a bend and a taper, each over the unburnt frames of twelve synthetic filaments of 256².

#include <cmath>
#include <iostream>

#include <mtdn/data/synthetic.hpp>
#include <mtdn/kinetics/kinetics.hpp>

namespace {

struct Errors {
    double mean = 0, worst = 0;

    void add(double error, double share) {
        mean += share * error;
        worst = std::max(worst, std::abs(error));
    }
};

void print_row(double bend, double taper) {
    const auto film =
        mtdn::synthesize({.sequences = 12, .frames = 2, .size = 256, .seed = 2, .bend = bend, .taper = taper});
    const double share = 1 / static_cast<double>(film.sequences().size());
    Errors areas, length, measured;  // true areas and length; counted areas and true length; all from the masks
    double excess = 0;               // of the true length over the measured one
    for (const auto& sequence : film.sequences()) {
        const auto first = [&](const char* name) { return sequence.series.at(name).front(); };
        const auto by_masks = mtdn::measure_kinetics(sequence.masks, sequence.seconds);
        const auto by_length =
            mtdn::measure_kinetics(sequence.masks, sequence.seconds, {.length = sequence.series.at("length")});
        const double truth = first("volume");
        areas.add(mtdn::hollow_cylinder_volume(first("area_A1"), first("area_A2"), first("length")) / truth - 1, share);
        length.add(by_length.volume.value.front() / truth - 1, share);
        measured.add(by_masks.volume.value.front() / truth - 1, share);
        excess += share * (first("length") / by_masks.length.front() - 1);
    }
    // Radii that fall linearly: the mean's square over the square's mean.
    const double law = 1 / (1 + taper * taper / 12) - 1;
    std::cout << bend << ',' << taper << ',' << excess << ',' << law << ',' << areas.mean << ',' << length.mean << ','
              << length.worst << ',' << measured.mean << ',' << measured.worst << std::endl;
}

}  // namespace

int main() {
    std::cout << "bend,taper,length_excess,taper_law,true_areas_mean,true_length_mean,true_length_worst,"
                 "measured_mean,measured_worst\n";
    for (const double bend : {0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0}) print_row(bend, 0);
    for (const double taper : {0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0}) print_row(0, taper);
    print_row(1, 0.3);
}
